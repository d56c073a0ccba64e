"""The command line `se-keras`: its table of subcommands, and how one is run."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading

from se_keras.cli import data, evaluate, export, info, predict, summary
from se_keras.cli import list as list_command
from se_keras.cli.command import CommandParser
from se_keras.cli.exit import exit_on_usage_error
from se_keras.cli.user_modules import IMPORT_HELP, import_modules
from se_keras.files import abandon

COMMANDS = {
    "summary": summary.COMMAND,
    "list": list_command.COMMAND,
    "info": info.COMMAND,
    "data": data.COMMAND,
    "evaluate": evaluate.COMMAND,
    "predict": predict.COMMAND,
    "export": export.COMMAND,
}


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line `se-keras`.

    Args:
        arguments: The arguments. Defaults to those of the program.

    Raises:
        SystemExit: With exit code 1 and one line on bad input, with code 2 and the
            usage on an unknown flag.
    """
    # For what is not loaded yet, and for TFDS: errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    with _exit_on_closed_output(), exit_on_usage_error(), _clean_up_when_terminated():
        options = vars(_parser().parse_args(arguments))
        import_modules(options.pop("imports"))
        COMMANDS[options.pop("command")].run(**options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="se-keras", description="Squeeze-and-Excitation networks for Keras 3."
    )
    commands = parser.add_subparsers(
        dest="command",
        metavar="command",
        required=True,
        parser_class=CommandParser,
    )
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(
            name, help=command.help, description=command.help
        )
        subparser.add_argument(
            "--import", dest="imports", metavar="MODULE", help=IMPORT_HELP
        )
        subparser.arguments = command.arguments
    return parser


@contextlib.contextmanager
def _exit_on_closed_output():
    """Ends the program quietly when its output is no longer read, as by `| head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes the output once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@contextlib.contextmanager
def _clean_up_when_terminated():
    """Removes partly written files when SIGTERM or SIGHUP ends the program.

    The handler raises no exception: Python ignores one that is raised while the
    garbage collector runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number, frame):
        abandon()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP.
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

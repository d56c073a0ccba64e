"""The command line `se-keras`: its table of subcommands, and how one is run."""

import argparse
import contextlib
import logging
import os
import sys

from se_keras.backend import keras_defaults
from se_keras.cli import data, evaluate, export, info, predict, summary
from se_keras.cli import list as list_command
from se_keras.cli.command import CommandParser
from se_keras.cli.exit import ending_on_signals, exit_on_usage_error
from se_keras.cli.user_modules import IMPORT_HELP, import_modules

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
        SystemExit: With one line and an exit code of `se_keras.cli.exit.EXITS`.
    """
    # For what is not loaded yet, and for TFDS: errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    with _exit_on_closed_output(), ending_on_signals(), exit_on_usage_error():
        options = vars(_parser().parse_args(arguments))
        command = COMMANDS[options.pop("command")]
        with ending_on_signals(command.continues):
            import_modules(options.pop("imports"))
            with keras_defaults() if command.uses_keras else contextlib.nullcontext():
                command.run(**options)


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

"""The command line `se-keras`: its table of subcommands, and how one is run."""

import argparse
import contextlib
import logging
import os
import sys

from se_keras.backend import keras_defaults
from se_keras.cli import data, evaluate, export, info, predict, summary, train
from se_keras.cli import list as list_command
from se_keras.cli.command import CommandParser, did_you_mean, shortened
from se_keras.cli.exit import ending_on_signals, exit_on_usage_error
from se_keras.cli.quiet import without_log_lines
from se_keras.cli.user_modules import import_modules

# In the order in which a user works.
COMMANDS = {
    "train": train.COMMAND,
    "evaluate": evaluate.COMMAND,
    "predict": predict.COMMAND,
    "export": export.COMMAND,
    "summary": summary.COMMAND,
    "info": info.COMMAND,
    "list": list_command.COMMAND,
    "data": data.COMMAND,
}


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line `se-keras`.

    Args:
        arguments: The arguments. Defaults to those of the program.

    Raises:
        SystemExit: With one line and an exit code of `se_keras.cli.exit.EXITS`.
    """
    prepare_logs()
    with _exit_on_closed_output(), ending_on_signals(), exit_on_usage_error():
        options = vars(_parse(sys.argv[1:] if arguments is None else arguments))
        command = COMMANDS[options.pop("command")]
        with ending_on_signals(command.continues):
            import_modules(options.pop("imports"))
            if command.check:
                command.check(**options)
            with keras_defaults() if command.uses_keras else contextlib.nullcontext():
                command.run(**options)


def prepare_logs() -> None:
    """Lets TensorFlow, which is not imported yet, and TFDS log errors only."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    without_log_lines()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = _parser()
    if not arguments:
        parser.print_help(sys.stderr)
        sys.exit(2)
    name = arguments[0]
    if not name.startswith("-") and name not in COMMANDS:
        hint = did_you_mean(name, [*COMMANDS])
        parser.error(
            f"Expected a command, one of {', '.join(COMMANDS)}. "
            f"{hint}Received: {shortened(name)}"
        )
    return parser.parse_args(arguments)


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
        commands.add_parser(name, help=command.help, command=command)
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

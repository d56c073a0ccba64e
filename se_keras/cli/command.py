"""What a subcommand is made of; each module of a subcommand has a `COMMAND`."""

import argparse
import dataclasses
import difflib
import itertools
import sys
from collections.abc import Callable, Mapping
from typing import Any

from se_keras.cli.user_modules import IMPORT_HELP
from se_keras.errors import UsageError

# Keywords of an argument that is a whole number.
NUMBER = {"type": int, "metavar": "N"}
# What an error shows of an argument, and of what argparse reports.
LONGEST_ARGUMENT = 100
LONGEST_MESSAGE = 400
# Packages of the extra `train` that arguments need, by the name of their module.
EXTRA = {"yaml": "pyyaml"}


@dataclasses.dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        run: The function of the subcommand; takes the arguments by name.
        help: What it does, in one line.
        arguments: Function that returns the name or flag of each argument with the
            keywords of `ArgumentParser.add_argument`, and of two more: `group`, the
            title under which `--help` lists it, and `boolean`, whether its value is
            `true` or `false`: then `--NAME` is `--NAME=true`, and `--noNAME`
            is `--NAME=false`. It is called only when the subcommand is used, and
            imports neither Keras nor TensorFlow.
        check: Function that takes the arguments by name, too, and raises a `UsageError`
            where it can find an error without importing Keras; `None` for no check.
        uses_keras: Whether it computes with Keras, and has the settings that Keras
            documents as its defaults, whatever the user's `keras.json`.
        continues: Whether it is a training run, which the same command continues after
            a signal.
        usage: The usage, for a subcommand with many flags; `None` for a list of them.
    """

    run: Callable
    help: str
    arguments: Callable[[], Mapping[str, Mapping]]
    check: Callable | None = None
    uses_keras: bool = True
    continues: bool = False
    usage: str | None = None


class CommandParser(argparse.ArgumentParser):
    """Parser of a subcommand, which adds the arguments at its first use.

    Args:
        command: The subcommand.
        **kwargs: Arguments of `argparse.ArgumentParser`.
    """

    def __init__(self, command: Command, **kwargs: Any):
        defaults = {"description": command.help, "usage": command.usage}
        super().__init__(**defaults | kwargs, allow_abbrev=False)
        self._command = command
        self._names: list[str] = []
        self._flags = {"--help"}
        self._subjects: dict[str, Any] = {}

    def parse_known_args(self, args=None, namespace=None):
        """Parses, and ends the program on an unknown argument."""
        if not self._names:
            self._add("--import", dest="imports", metavar="MODULE", help=IMPORT_HELP)
            for name, keywords in self._arguments().items():
                self._add(name, **keywords)
        given = sys.argv[1:] if args is None else [*args]
        # First, since a flag with a typo may be why a required one is missing.
        flags = itertools.takewhile(lambda each: each != "--", given)
        wrong = [each for each in flags if each.startswith("--")]
        wrong = [each for each in wrong if each.partition("=")[0] not in self._flags]
        if wrong:
            self.error(self._unknown(wrong))
        options, unknown = super().parse_known_args(given, namespace)
        if unknown:
            self.error(self._unknown(unknown))
        return options, unknown

    def error(self, message):
        """Ends the program with the usage, and a message that is not too long."""
        super().error(shortened(message, LONGEST_MESSAGE))

    def _arguments(self):
        try:
            return self._command.arguments()
        except ModuleNotFoundError as error:
            if error.name not in EXTRA:
                raise
            raise UsageError(
                f"Expected the package {EXTRA[error.name]} for {self.prog}: "
                f"pip install 'se-keras[train]'. Received: {error}"
            ) from error

    def _add(self, name, group=None, boolean=False, **keywords):
        self._names.append(name)
        self._flags.add(name)
        parser: Any = self
        if group:
            if group not in self._subjects:
                self._subjects[group] = self.add_argument_group(group)
            parser = self._subjects[group]
        if boolean:
            keywords |= {"nargs": "?", "const": "true", "metavar": "true|false"}
            negative = f"--no{name.removeprefix('--')}"
            self._flags.add(negative)
            parser.add_argument(
                negative,
                dest=name.removeprefix("--"),
                action="store_const",
                const="false",
                help=argparse.SUPPRESS,
            )
        # The parser formats help texts with `%`, of which none here makes use.
        keywords["help"] = keywords.get("help", "").replace("%", "%%")
        action = parser.add_argument(name, **keywords)
        self._flags.update(action.option_strings)  # with the negative one, if any

    @property
    def _takes_arguments(self):
        return any(not name.startswith("-") for name in self._names)

    def _unknown(self, arguments):
        flags = [argument for argument in arguments if argument.startswith("-")]
        received = shortened((flags or arguments)[0])
        if not flags:
            some = "no more arguments" if self._takes_arguments else "flags only"
            return f"Expected {some}. Received: {received}"
        hint = did_you_mean(flags[0].partition("=")[0], self._names)
        return f"Expected a flag of {self.prog}. {hint}Received: {received}"


def as_flag(text: str) -> str:
    """Returns the description of a field with its values as flags have them."""
    return text.replace("`None`", "none").replace("`", "").replace('"', "")


def did_you_mean(name: str, names: list[str]) -> str:
    """Returns the hint of an error, `"Did you mean NAME? "`, or nothing.

    Args:
        name: What was received.
        names: What might have been meant. A name with a dot is also found by what
            follows the dot.
    """
    name = name[:LONGEST_ARGUMENT]
    end = name.lstrip("-")
    nearest = [each for each in names if each.endswith(f".{end}")]
    nearest = nearest or difflib.get_close_matches(name, names, n=3)
    return f"Did you mean {' or '.join(nearest)}? " if nearest else ""


def shortened(text: str, longest: int = LONGEST_ARGUMENT) -> str:
    """Returns the beginning of a text, for an error of one line.

    Args:
        text: The text.
        longest: Number of characters from which it is shortened.
    """
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[:longest]} ..."

"""What a subcommand is made of; each module of a subcommand has a `COMMAND`."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping

# Keywords of an argument that is a whole number.
NUMBER = {"type": int, "metavar": "N"}


@dataclasses.dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        run: The function of the subcommand; takes the arguments by name.
        help: What it does, in one line.
        arguments: Function that returns the name or flag of each argument with the
            keywords of `ArgumentParser.add_argument`. It is called only when the
            subcommand is used: names of formats or recipes are read from the tables of
            the package, which import TensorFlow.
        uses_keras: Whether it computes with Keras, and has the settings that Keras
            documents as its defaults, whatever the user's `keras.json`.
        continues: Whether it is a training run, which the same command continues after
            a signal.
    """

    run: Callable
    help: str
    arguments: Callable[[], Mapping[str, Mapping]]
    uses_keras: bool = True
    continues: bool = False


class CommandParser(argparse.ArgumentParser):
    """Parser of a subcommand, which adds the arguments at its first use."""

    arguments: Callable[[], Mapping[str, Mapping]] | None = None

    def parse_known_args(self, args=None, namespace=None):
        """Parses, as the base class does."""
        if self.arguments is not None:
            for name, keywords in self.arguments().items():
                self.add_argument(name, **keywords)
            self.arguments = None
        return super().parse_known_args(args, namespace)

"""The command `se-keras`; each subcommand is a module that is named like it.

Modules here import the packages that need TensorFlow only when a subcommand runs.
"""

from se_keras.cli.command_line import COMMANDS, main

__all__ = ["COMMANDS", "main"]


def __dir__():
    return __all__

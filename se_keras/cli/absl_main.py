"""Runs programs whose flags are those of absl, as the examples' are."""

import sys

from absl import app, flags

from se_keras.cli.exit import error_line
from se_keras.cli.user_modules import IMPORT_HELP, import_modules

# The flags defined here are listed as those of the program.
flags.disclaim_key_flags()


def define_import_flag() -> flags.FlagHolder:
    """Defines the flag `--import`; pass its value to `import_modules`."""
    return flags.DEFINE_string("import", None, IMPORT_HELP)


def run_main(main) -> None:
    """Runs an absl program. An error in its flags ends it with one line.

    Args:
        main: Function that takes the arguments that are not flags, after the name of
            the program.
    """

    def parse(argv):
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            sys.exit(error_line(error))

    app.run(main, flags_parser=parse)


__all__ = ["define_import_flag", "import_modules", "run_main"]

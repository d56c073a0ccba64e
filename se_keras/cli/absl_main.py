"""Runs programs whose flags are those of absl, as the examples' are."""

import sys

from absl import app, flags

from se_keras.cli.exit import ending_on_signals, error_line
from se_keras.cli.user_modules import IMPORT_HELP, import_modules

# The flags defined here are listed as those of the program.
flags.disclaim_key_flags()


def define_import_flag() -> flags.FlagHolder:
    """Defines the flag `--import`; pass its value to `import_modules`."""
    return flags.DEFINE_string("import", None, IMPORT_HELP)


def run_main(main, continues: bool = False) -> None:
    """Runs an absl program. An error in its flags or a signal ends it with one line.

    Args:
        main: Function that takes the arguments that are not flags, after the name of
            the program.
        continues: Whether the program is a training run, which the same command
            continues after a signal.
    """

    def parse(argv):
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            sys.exit(error_line(error))

    with ending_on_signals(continues):
        app.run(main, flags_parser=parse)


__all__ = ["define_import_flag", "import_modules", "run_main"]

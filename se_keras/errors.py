"""Errors that a user can mend, told in one line."""

import contextlib
import sys


class UsageError(ValueError):
    """Bad input: what was expected and what was received, complete in itself."""


@contextlib.contextmanager
def as_usage_errors(*kinds: type[Exception]):
    """Turns exceptions of `kinds` into `UsageError`, for code that checks input."""
    try:
        yield
    except UsageError:
        raise
    except kinds as error:
        raise UsageError(str(error)) from error


@contextlib.contextmanager
def exit_on_usage_error():
    """Ends the program with one line and exit code 1 on a `UsageError`."""
    try:
        yield
    except UsageError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


def run_main(main) -> None:
    """Runs an absl program whose bad flags, too, end it with one line."""
    from absl import app, flags

    def parse(argv):
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            sys.exit(f"error: {' '.join(str(error).split())}")

    app.run(main, flags_parser=parse)

"""Errors that a user can mend, told in one line."""

import contextlib
import os
import signal
import sys


class UsageError(ValueError):
    """Bad input: what was expected and what was received, complete in itself."""


class RunError(Exception):
    """A run that ended before its time and can go on: why, complete in itself.

    Attributes:
        exit_code: What the program says to whoever starts it again.
    """

    exit_code: int


class InterruptionError(RunError):
    """A signal asked the run to stop; its work is saved."""

    exit_code = os.EX_TEMPFAIL  # 75


class AbandonedError(InterruptionError):
    """The run was asked again, and ends at once; nothing is saved."""


class StorageError(RunError):
    """The disk of the work directory is full or fails; what was saved is intact."""

    exit_code = os.EX_IOERR  # 74


class WorkerLostError(RunError):
    """Another worker of the run is gone."""

    exit_code = os.EX_UNAVAILABLE  # 69


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
    """Ends the program with one line on a `UsageError`, a `RunError` or Ctrl-C.

    The exit code is 1, that of the `RunError`, or 130.
    """
    try:
        yield
    except UsageError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except RunError as stop:
        print(f"stopped: {' '.join(str(stop).split())}", file=sys.stderr, flush=True)
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(128 + signal.SIGINT)


def run_main(main) -> None:
    """Runs an absl program whose bad flags, too, end it with one line."""
    from absl import app, flags

    def parse(argv):
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            sys.exit(f"error: {' '.join(str(error).split())}")

    app.run(main, flags_parser=parse)

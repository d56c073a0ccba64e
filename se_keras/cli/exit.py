"""How a program ends: one line for the user, and an exit code for a scheduler."""

import contextlib
import sys

from se_keras.errors import (
    InterruptionError,
    RunError,
    StorageError,
    UsageError,
    WorkerLostError,
)

# The numbers of sysexits.h. Python's `os.EX_*` do not exist on Windows.
EXIT_CODES = {
    WorkerLostError: 69,  # EX_UNAVAILABLE
    StorageError: 74,  # EX_IOERR
    InterruptionError: 75,  # EX_TEMPFAIL
}
BAD_FILES = 65  # EX_DATAERR: some of many files could not be used
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports Ctrl-C


def exit_code(error: RunError) -> int:
    """Returns the exit code of a program that ends with this error."""
    return next(
        (EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1
    )


@contextlib.contextmanager
def exit_on_usage_error():
    """Ends the program with one line on a `UsageError`, a `RunError` or Ctrl-C.

    Raises:
        SystemExit: With exit code 1 for a `UsageError`, that of `EXIT_CODES` for a
            `RunError`, and 130 for Ctrl-C. Other exceptions pass unchanged.
    """
    try:
        yield
    except UsageError as error:
        sys.exit(error_line(error))
    except RunError as error:
        print(f"stopped: {_one_line(error)}", file=sys.stderr, flush=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(INTERRUPTED)


def error_line(error: Exception) -> str:
    """Returns the line to give to `sys.exit`, which prints it and exits with code 1."""
    return f"error: {_one_line(error)}"


def _one_line(error):
    return " ".join(str(error).split())

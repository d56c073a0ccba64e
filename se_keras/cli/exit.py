"""How a program ends: one line for the user, and an exit code for a scheduler."""

import atexit
import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator

from se_keras import signals
from se_keras.cli.quiet import stderr_fileno
from se_keras.errors import (
    InterruptionError,
    RunError,
    StorageError,
    UsageError,
    WorkerLostError,
    one_line,
    storage_reason,
)
from se_keras.files import abandon


@dataclasses.dataclass(frozen=True)
class Exit:
    """A way in which programs end.

    Attributes:
        meaning: What has happened.
        remedy: What the user can do.
        error: The error that ends a program in this way, if there is one.
    """

    meaning: str
    remedy: str = ""
    error: type[Exception] | None = None


# 65 to 75 are those of sysexits.h. Python's `os.EX_*` do not exist on Windows.
EXITS = {
    0: Exit("finished"),
    1: Exit(
        "bad input, or a loss or weight that is not finite; one line states which",
        "correct it",
        UsageError,
    ),
    2: Exit(
        "an unknown argument, or a missing one; the usage is printed",
        "correct it",
    ),
    65: Exit(
        "some of many files could not be used; each is reported", "correct the files"
    ),
    69: Exit("another worker is gone", "start all workers again", WorkerLostError),
    74: Exit(
        "the disk is full or fails; earlier checkpoints are intact",
        "free disk space, start again",
        StorageError,
    ),
    signals.STOPPED: Exit(
        "a training run was stopped by SIGTERM or SIGINT (Ctrl-C): the step was "
        "finished and saved, or there was nothing to save",
        "start again",
        InterruptionError,
    ),
    129: Exit("ended by SIGHUP, as a shell reports it", "start again"),
    130: Exit("another command was stopped by SIGINT (Ctrl-C)", "start again"),
    143: Exit(
        "another command was stopped by SIGTERM, as a shell reports it", "start again"
    ),
}
EXIT_CODES = {row.error: code for code, row in EXITS.items() if row.error}
BAD_FILES = 65  # EX_DATAERR: some of many files could not be used


def exit_code(error: BaseException) -> int:
    """Returns the exit code of a program that ends with this error."""
    if storage_reason(error) is not None:
        return EXIT_CODES[StorageError]
    return next(
        (EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1
    )


def exits_table() -> str:
    """Returns a Markdown table of the exit codes."""
    rows = [f"| {code} | {row.meaning} | {row.remedy} |" for code, row in EXITS.items()]
    return "\n".join(
        ["| exit code | meaning | what to do |", "| --- | --- | --- |", *rows]
    )


@contextlib.contextmanager
def exit_on_usage_error() -> Iterator[None]:
    """Ends the program with one line on a `UsageError`, a `RunError` or Ctrl-C.

    Raises:
        SystemExit: With exit code 1 for a `UsageError`, that of `EXITS` for a
            `RunError` and for an error of a full disk, and 130 for Ctrl-C. Other
            exceptions pass unchanged.
    """
    with _lines():
        try:
            yield
        except RunError as error:
            _exit("stopped", error)
        except UsageError as error:
            if storage_reason(error) is not None:
                _exit("stopped", error)
            _start_line()
            sys.exit(error_line(error))
        except KeyboardInterrupt:
            _start_line()
            print("interrupted", file=sys.stderr, flush=True)
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            if storage_reason(error) is None:
                raise
            _exit("stopped", error)


@contextlib.contextmanager
def ending_on_signals(continues: bool = False) -> Iterator[None]:
    """Ends the program with one line on SIGTERM, SIGINT or SIGHUP.

    Partly written files are removed. What handles signals within the context, such as
    the steps of a training run, does so instead.

    Args:
        continues: Whether the program is a training run, which the same command
            continues: it ends with the exit code of `InterruptionError`, not with that
            of the signal.
    """

    def end(number):
        abandon()
        # A handler may have interrupted `print`, which cannot be called again then.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            if _in_main_thread():
                _start_line()
                sys.stdout.flush()
        signals.end_process(number, continues, _stderr())

    with _lines(), signals.ending(end):
        try:
            yield
        finally:
            if _in_main_thread():
                # The last one is called first: TensorFlow may take a second to end.
                atexit.unregister(signals.ignore_at_exit)
                atexit.register(signals.ignore_at_exit)


def error_line(error: Exception) -> str:
    """Returns the line to give to `sys.exit`, which prints it and exits with code 1."""
    return f"error: {one_line(error)}"


def _exit(what, error):
    _start_line()
    print(f"{what}: {one_line(error)}", file=sys.stderr, flush=True)
    sys.exit(exit_code(error))


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


class _Lines:
    """A text stream that knows whether its last line has ended, as a progress bar's."""

    def __init__(self, stream):
        self.stream = stream
        self.ended = True

    def write(self, text):
        if text:
            self.ended = text.endswith("\n")
        return self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


@contextlib.contextmanager
def _lines():
    """A context in which `_start_line` is right about the standard output."""
    before = sys.stdout
    if before is None or isinstance(before, _Lines):
        yield
        return
    sys.stdout = _Lines(before)
    try:
        yield
    finally:
        sys.stdout = before


def _start_line():
    """Ends the line of a progress bar."""
    if not getattr(sys.stdout, "ended", True):
        with contextlib.suppress(OSError):
            print(flush=True)


def _stderr():
    """Returns the descriptor of stderr, `None` if there is none."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        return stderr_fileno()
    return None

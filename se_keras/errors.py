"""Errors that a user can correct, each complete in one line."""

import contextlib

__all__ = [
    "AbandonedError",
    "InterruptionError",
    "RunError",
    "StorageError",
    "UsageError",
    "WorkerLostError",
    "as_usage_errors",
]


class UsageError(ValueError):
    """Bad input. The message states what was expected and what was received."""


class RunError(Exception):
    """A run that stopped early and can continue. The message states why."""


class InterruptionError(RunError):
    """A signal asked the run to stop; its progress is saved."""


class AbandonedError(InterruptionError):
    """A second signal asked the run to stop at once; nothing more is saved."""


class StorageError(RunError):
    """The disk of the work directory is full or fails; earlier checkpoints are intact.

    The command can be repeated when there is space.
    """


class WorkerLostError(RunError):
    """Another worker of the run has stopped or cannot be reached."""


@contextlib.contextmanager
def as_usage_errors(*kinds: type[Exception]):
    """Raises exceptions of `kinds` as `UsageError`, around code that checks input.

    Args:
        *kinds: Classes of exceptions.

    Raises:
        UsageError: With the message of the exception.
    """
    try:
        yield
    except UsageError:
        raise
    except kinds as error:
        raise UsageError(str(error)) from error


def __dir__() -> list[str]:
    return __all__

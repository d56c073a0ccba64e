"""Errors that a user can correct, each complete in one line."""

import contextlib
import errno
import re

__all__ = [
    "InterruptionError",
    "RunError",
    "StorageError",
    "UsageError",
    "WorkerLostError",
    "as_usage_errors",
    "keras_reason",
    "one_line",
    "shortened",
    "storage_reason",
]

# What a message has at most: an error may contain a whole config.
MAX_CHARACTERS = 1000
MAX_REASON = 300
MAX_NAME = 100
# Errors of a disk that is full, over its quota, or broken.
_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_STORAGE_MESSAGES = re.compile(
    r"No space left|Disk quota exceeded|File too large|Input/output error"
    r"|Read-only file system"
)


class UsageError(ValueError):
    """Bad input. The message states what was expected and what was received."""


class RunError(Exception):
    """A run that stopped early and can continue. The message states why."""


class InterruptionError(RunError):
    """A signal asked the run to stop; its progress is saved."""


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


def one_line(message: object, longest: int = MAX_CHARACTERS) -> str:
    """Returns a message as one line of printable characters.

    Args:
        message: A text, or an exception.
        longest: Most characters to return; of a longer message the beginning and the
            end, with ` ... ` between them.
    """
    text = " ".join(str(message).split())
    if len(text) > longest:
        end = longest // 3
        text = f"{text[: longest - end - 5]} ... {text[-end:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shortened(name: str) -> str:
    """Returns a name from a file for a message; in a forged file it may be long."""
    return one_line(name, MAX_NAME)


def keras_reason(error: BaseException) -> str:
    """Returns the reason in an error of Keras, as one short line.

    Keras nests the error of an object in that of each object around it, with the config
    of each. The innermost error states the reason.
    """
    text = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())
    text = text.rpartition("Exception encountered: ")[2]
    text = re.sub(r"^Exception encountered when calling \S+ ", "", text)
    text = re.split(
        r" ?(?:Full object config: |config=\{|Arguments received by )", text
    )[0]
    return one_line(text or type(error).__name__, MAX_REASON)


def storage_reason(error: BaseException) -> str | None:
    """Returns what failed if a full or broken disk caused an error, else `None`.

    Args:
        error: The error; it may have been raised from that of the disk.
    """
    seen: BaseException | None = error
    while seen is not None:
        code = getattr(seen, "errno", None)
        if code in _STORAGE_ERRNOS or _STORAGE_MESSAGES.search(str(seen)):
            # TensorFlow names the operation first.
            reason = re.sub(r"\{\{.*?\}\} ", "", (str(seen).splitlines() or [""])[0])
            return one_line(reason, MAX_REASON)
        seen = seen.__cause__ or seen.__context__
    return None


def __dir__() -> list[str]:
    return __all__

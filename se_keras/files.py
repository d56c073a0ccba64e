"""Files and directories that are written completely or not at all."""

import contextlib
import errno
import hashlib
import importlib
import json
import os
import pathlib
import re
import shutil
import time
import warnings
from typing import Any

from se_keras.errors import UsageError

__all__ = [
    "abandon",
    "clean_up",
    "discard",
    "expect_nothing",
    "flush",
    "lock",
    "locked",
    "remove",
    "replacing",
    "safe_name",
    "size_of",
    "write_json",
]


def _module(name: str) -> Any:
    """Returns a module of Python, or `None` where the system does not have it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


fcntl = _module("fcntl")  # not on Windows
msvcrt = _module("msvcrt")  # only on Windows
# On Windows a directory cannot be opened.
_OPENS_DIRECTORIES = hasattr(os, "O_DIRECTORY")
# How often a lock is asked for where one cannot wait for it, in seconds.
_POLL = 0.1

# Longest name in characters, of up to 4 bytes each: file systems allow 255 bytes.
MAX_NAME = 60
# Names of devices on Windows, with any suffix.
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)

_directories = set()  # where this program has written by `replacing`


@contextlib.contextmanager
def replacing(path: str | pathlib.Path, overwrite: bool = True):
    """Yields a temporary path, which becomes `path` if the block raises nothing.

    Args:
        path: A file or directory. The old one stays until the new one is complete.
        overwrite: Whether `path` may exist.

    Raises:
        UsageError: If `path` exists and `overwrite` is false, also if it was created
            in the meantime.
    """
    if not overwrite:
        expect_nothing(path)
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name keeps the suffix: writers choose the format by it.
    _directories.add(final.parent)
    temporary = final.with_name(f".writing-{os.getpid()}-{final.name}")
    retired = final.with_name(f".retired-{os.getpid()}-{final.name}")
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"Nothing was written to replace {final}")
        flush(temporary)
        if not overwrite:
            expect_nothing(path)
        try:
            if final.is_dir() or (final.exists() and temporary.is_dir()):
                # Only a file can be replaced in one step, and only by a file.
                os.replace(final, retired)
            os.replace(temporary, final)
        except BaseException:
            if retired.exists() and not final.exists():
                os.replace(retired, final)
            raise
    finally:
        remove(temporary)
        remove(retired)


def expect_nothing(path: str | pathlib.Path) -> None:
    """Raises a `UsageError` if a path exists."""
    if os.path.lexists(path):
        raise UsageError(
            "Expected a path that does not exist, or overwrite=True (--overwrite). "
            f"Received: {str(path)!r}"
        )


@contextlib.contextmanager
def locked(directory: str | pathlib.Path):
    """Holds a lock on a directory, which one program at a time can have.

    Waits until the lock is free. Where the file system has no locks, a warning states
    that the directory is not locked.

    Args:
        directory: A directory that exists.
    """
    if _OPENS_DIRECTORIES:
        descriptor = os.open(directory, os.O_RDONLY)
    else:
        descriptor = os.open(pathlib.Path(directory) / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        try:
            lock(descriptor)
        except OSError as error:
            warnings.warn(
                f"{directory} cannot be locked ({error}): let one program at a time "
                "write to it.",
                stacklevel=3,
            )
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int, wait: bool = True) -> None:
    """Locks an open file until it is closed or the program ends, however it ends.

    Args:
        descriptor: Descriptor of the file, open for writing.
        wait: Whether to wait until another program frees the lock.

    Raises:
        BlockingIOError: If another program has the lock and `wait` is false.
        OSError: If the system or the file system has no locks.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return
    if msvcrt is None:
        raise OSError(errno.ENOLCK, "this system has no locks")
    while not _lock_first_byte(descriptor):
        if not wait:
            raise BlockingIOError(errno.EAGAIN, "another program has the lock")
        time.sleep(_POLL)


def _lock_first_byte(descriptor):
    """Locks a file on Windows; returns whether it was free."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def abandon() -> None:
    """Removes what this program has partly written by `replacing`, before it ends."""
    for directory in list(_directories):
        # Another thread may be writing there.
        with contextlib.suppress(OSError):
            clean_up(directory, str(os.getpid()))


def clean_up(directory: pathlib.Path, process: str = "*") -> None:
    """Removes what terminated programs have partly written by `replacing`.

    Args:
        directory: The directory. A file or directory that was about to be replaced
            gets its name back.
        process: ID of the process; `"*"` for all.
    """
    for left in directory.glob(f".retired-{process}-*"):
        final = directory / left.name.split("-", 2)[2]
        if not final.exists():
            os.replace(left, final)
        remove(left)
    for left in directory.glob(f".writing-{process}-*"):
        remove(left)


def discard(path: pathlib.Path) -> None:
    """Removes a file or directory in one step: nobody finds a part of it."""
    if path.exists():
        condemned = path.with_name(f".writing-{os.getpid()}-{path.name}")
        os.replace(path, condemned)
        remove(condemned)


def flush(path: pathlib.Path) -> None:
    """Waits until a file, or all files of a directory, are on the disk."""
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        if each.is_dir() and not _OPENS_DIRECTORIES:
            continue
        # Windows writes only what was opened for writing.
        descriptor = os.open(each, os.O_RDONLY if _OPENS_DIRECTORIES else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: str | pathlib.Path, content: dict) -> None:
    """Writes a dictionary as JSON to `path`, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def remove(path: pathlib.Path) -> None:
    """Removes a file or directory if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def safe_name(text: str, identity: str | None = None) -> str:
    """Returns a name for a file that all systems allow.

    Args:
        text: Any text. It is returned unchanged if all systems allow it; otherwise the
            characters that some do not are replaced, and a hash of the text is added,
            so that different texts have different names.
        identity: What distinguishes this from others of the same text, such as the
            whole path of a file; its hash is always added.
    """
    name = re.sub(r"[^\w.+-]+", "_", text)[:MAX_NAME].strip("._")
    name = _RESERVED.sub(r"\1_", name)
    if name == text and identity is None:
        return name
    content = (text if identity is None else identity).encode(errors="surrogatepass")
    return f"{name or 'unnamed'}-{hashlib.sha256(content).hexdigest()[:8]}"


def size_of(path: str | pathlib.Path) -> int:
    """Returns the size of a file, or of all files in a directory, in bytes."""
    path = pathlib.Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())

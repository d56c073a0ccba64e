"""Files that are written whole or not at all."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil

from se_keras.errors import UsageError

_folders = set()  # where this program has written by `replacing`


@contextlib.contextmanager
def replacing(path: str | pathlib.Path, overwrite: bool = True):
    """Gives a temporary path beside `path`, and moves it there at a good end.

    Args:
        path: A file or folder. What is there stays until the new one is complete.
        overwrite: Whether anything may be there.

    Raises:
        UsageError: If something is there, also if it came in the meantime.
    """
    if not overwrite:
        expect_nothing(path)
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name keeps the suffix: writers choose the format by it.
    _folders.add(final.parent)
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
    """Raises a `UsageError` if something is at a path."""
    if os.path.lexists(path):
        raise UsageError(
            "Expected a path where nothing is, or overwrite=True (--overwrite). "
            f"Received: {str(path)!r}"
        )


@contextlib.contextmanager
def locked(folder: str | pathlib.Path):
    """Keeps other programs that ask for the same out of a folder for a while."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def abandon() -> None:
    """Ends what this program has half done by `replacing`, before it ends itself."""
    for folder in _folders:
        clean_up(folder, str(os.getpid()))


def clean_up(folder: pathlib.Path, process: str = "*") -> None:
    """Ends what killed processes left half done in a folder by `replacing`.

    Args:
        folder: The folder.
        process: Number of the process, of all by default.
    """
    for left in folder.glob(f".retired-{process}-*"):
        final = folder / left.name.split("-", 2)[2]
        if not final.exists():
            os.replace(left, final)
        remove(left)
    for left in folder.glob(f".writing-{process}-*"):
        remove(left)


def discard(path: pathlib.Path) -> None:
    """Removes a file or folder that nobody may find half removed."""
    if path.exists():
        condemned = path.with_name(f".writing-{os.getpid()}-{path.name}")
        os.replace(path, condemned)
        remove(condemned)


def flush(path: pathlib.Path) -> None:
    """Waits until a file, or all files of a folder, would survive a power cut."""
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: str | pathlib.Path, record: dict) -> None:
    """Writes `record` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")


def remove(path: pathlib.Path) -> None:
    """Removes a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_of(path: str | pathlib.Path) -> int:
    """Returns the bytes of a file, or of all files in a folder."""
    path = pathlib.Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())

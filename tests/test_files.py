import contextlib
import errno
import json
import os
import threading

import pytest

from se_keras import files
from se_keras.errors import UsageError
from se_keras.files import (
    clean_up,
    expect_nothing,
    lock,
    locked,
    remove,
    replacing,
    size_of,
    write_json,
)


def make(path, kind, text):
    if kind == "directory":
        path.mkdir()
        path = path / "inside"
    if kind:
        path.write_text(text)


def content(path):
    return (path / "inside" if path.is_dir() else path).read_text()


KINDS = ["file", "directory"]


@pytest.mark.parametrize("new", KINDS)
@pytest.mark.parametrize("old", [None, *KINDS])
def test_replaces_at_a_good_end(old, new, tmp_path):
    path = tmp_path / "deep" / "model.tflite"
    path.parent.mkdir()
    make(path, old, "old")
    with replacing(path) as temporary:
        assert temporary.suffix == ".tflite"
        make(temporary, new, "new")
        assert not old or content(path) == "old"
    assert content(path) == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("new", [None, *KINDS])
@pytest.mark.parametrize("old", [None, *KINDS])
def test_keeps_at_a_bad_end(old, new, tmp_path):
    path = tmp_path / "model"
    make(path, old, "old")
    with contextlib.suppress(ZeroDivisionError), replacing(path) as temporary:
        make(temporary, new, "new")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == ([path] if old else [])
    assert not old or content(path) == "old"


@pytest.mark.parametrize("old", KINDS)
def test_keeps_if_nothing_was_written(old, tmp_path):
    path = tmp_path / "model"
    make(path, old, "old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert content(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("old", KINDS)
def test_keeps_if_the_last_step_fails(old, error, function, tmp_path, monkeypatch):
    path = tmp_path / "model"
    make(path, old, "old")
    original, done = getattr(os, function), []

    def fail(*arguments):
        if arguments[-1] != path or done:
            return original(*arguments)
        done.append(arguments)
        raise error

    def fail_always(*_):
        raise error

    broken = fail if function == "replace" else fail_always
    with contextlib.suppress(error), replacing(path) as temporary:
        make(temporary, "directory", "new")
        monkeypatch.setattr(os, function, broken)
    assert content(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("new", KINDS)
def test_a_link_is_replaced_and_not_what_it_leads_to(new, tmp_path):
    make(tmp_path / "real", "directory", "old")
    path = tmp_path / "model"
    path.symlink_to(tmp_path / "real")
    with replacing(path) as temporary:
        make(temporary, new, "new")
    assert (content(path), content(tmp_path / "real")) == ("new", "old")
    assert {each.name for each in tmp_path.iterdir()} == {"real", "model"}


def test_a_link_to_nothing_is_something(tmp_path):
    (tmp_path / "model").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="a path that does not exist"):
        expect_nothing(tmp_path / "model")


@pytest.mark.parametrize("late", [False, True])
def test_without_overwriting(late, tmp_path):
    """Also what another program put there in the meantime stays."""
    path = tmp_path / "model"
    make(path, None if late else "file", "old")

    def write():
        with replacing(path, overwrite=False) as temporary:
            make(temporary, "file", "new")
            if late:
                make(path, "file", "old")

    with pytest.raises(UsageError, match="a path that does not exist"):
        write()
    assert content(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_makes_directories(tmp_path):
    write_json(tmp_path / "a" / "b" / "c.json", {"x": [1, None]})
    text = (tmp_path / "a" / "b" / "c.json").read_text()
    assert json.loads(text) == {"x": [1, None]}
    assert text.endswith("}\n")


def test_json_that_cannot_be_written(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_remove(kind, tmp_path):
    make(tmp_path / "x", kind, "text")
    remove(tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "size"), [("file", 5), ("directory", 8)])
def test_size_of(kind, size, tmp_path):
    make(tmp_path / "x", kind, "bytes")
    if kind == "directory":
        make(tmp_path / "x" / "y", "directory", "123")
    assert size_of(tmp_path / "x") == size


@pytest.mark.parametrize("killed", ["before the new name", "between the two names"])
def test_what_a_killed_process_left_is_ended(killed, tmp_path):
    make(tmp_path / ".writing-123-model", "directory", "half")
    make(tmp_path / ".retired-123-model", "directory", "old")
    if killed == "before the new name":
        make(tmp_path / "model", "directory", "new")
    clean_up(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert content(tmp_path / "model") == (
        "new" if killed == "before the new name" else "old"
    )


class Msvcrt:
    """The part of Windows' `msvcrt` that locks, as its documentation describes it."""

    LK_NBLCK = 2

    def __init__(self):
        self.taken = False

    def locking(self, descriptor, mode, count):
        assert (mode, count) == (self.LK_NBLCK, 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0
        if self.taken:
            raise PermissionError(errno.EACCES, "Permission denied")
        self.taken = True


@pytest.fixture(params=["fcntl", "msvcrt"])
def system(request, monkeypatch):
    """Locks of Unix, and of Windows, where directories cannot be opened either."""
    if request.param == "msvcrt":
        monkeypatch.setattr(files, "fcntl", None)
        monkeypatch.setattr(files, "msvcrt", Msvcrt())
        monkeypatch.setattr(files, "_OPENS_DIRECTORIES", False)
    return request.param


def test_a_lock_is_taken_once(system, tmp_path):
    with (tmp_path / "lock").open("a") as first, (tmp_path / "lock").open("a") as other:
        first.write("text that moves the position")
        first.flush()
        lock(first.fileno())
        with pytest.raises(BlockingIOError):
            lock(other.fileno(), wait=False)


def test_a_lock_is_waited_for(system, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_POLL", 0.01)
    with (tmp_path / "lock").open("a") as first, (tmp_path / "lock").open("a") as other:
        lock(first.fileno())

        def free():
            first.close()
            if system == "msvcrt":
                files.msvcrt.taken = False

        threading.Timer(0.1, free).start()
        lock(other.fileno())
        assert first.closed


def test_a_directory_is_locked(system, tmp_path):
    with locked(tmp_path):
        path = tmp_path if system == "fcntl" else tmp_path / ".lock"
        descriptor = os.open(path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            lock(descriptor, wait=False)
        os.close(descriptor)


def test_a_system_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "msvcrt", None)
    message = r"cannot be locked \(.*no locks\)"
    with pytest.warns(UserWarning, match=message) as caught, locked(tmp_path):
        write_json(tmp_path / "a.json", {})
    assert caught[0].filename == __file__


def test_files_are_replaced_where_directories_cannot_be_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_OPENS_DIRECTORIES", False)
    for text in ("old", "new"):
        with replacing(tmp_path / "model") as temporary:
            make(temporary, "directory", text)
    assert content(tmp_path / "model") == "new"

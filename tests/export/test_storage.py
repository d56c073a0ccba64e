"""Exports to a disk that is full."""

import contextlib
import resource
import shutil
import types

import pytest

from se_keras import cli, create_model, export
from se_keras.errors import StorageError, UsageError
from se_keras.export import FORMATS
from tests.export.tools import with_changed_row


@contextlib.contextmanager
def files_of_at_most(size):
    """No file may grow beyond `size` bytes: writing fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="module")
def model():
    return create_model("se_resnet20", classes=3, input_shape=(16, 16, 3))


@pytest.mark.parametrize("name", ["saved_model", "tflite"])
@pytest.mark.parametrize("there", [None, "mine"])
def test_nothing_is_half_written(there, name, model, tmp_path):
    path = tmp_path / FORMATS[name].file_name()
    mine = path if FORMATS[name].suffix else path / "file"
    if there:
        mine.parent.mkdir(exist_ok=True)
        mine.write_text(there)
    with (
        files_of_at_most(100_000),
        pytest.raises(StorageError, match=r"could not be written: .*File too large"),
    ):
        getattr(export, name)(model, path, overwrite=True)
    assert [*tmp_path.iterdir()] == ([path] if there else [])
    assert not there or mine.read_text() == there


@pytest.mark.parametrize("free", [0, 2**30])
def test_a_converter_that_does_not_name_the_cause(free, model, tmp_path, monkeypatch):
    """OpenVINO's is an example."""

    def fail(*args, **options):
        raise RuntimeError("cannot write")

    with_changed_row(monkeypatch, "tflite", writer=fail)
    usage = types.SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    kind, message = (RuntimeError, "cannot") if free else (StorageError, "No space")
    with pytest.raises(kind, match=message):
        export.tflite(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_exit_code_of_the_command(tmp_path, capsys):
    arguments = ["export", "--model=se_resnet20", f"--output={tmp_path}"]
    with files_of_at_most(100_000), pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 74
    lines = capsys.readouterr().err.splitlines()
    assert "File too large" in lines[-1]
    assert not list(tmp_path.glob("*.tflite"))
    assert not list(tmp_path.glob(".*"))


def test_a_directory_that_cannot_be_made_is_no_full_disk(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        export.tflite(model, tmp_path / "file" / "model.tflite")

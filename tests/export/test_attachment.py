"""Metadata in exported files, also in damaged and in forged ones."""

import hashlib
import json
import tracemalloc
import zipfile

import pytest

from se_keras.errors import UsageError
from se_keras.export.attachment import (
    EXTRA_DIRECTORY,
    FILE_NAME,
    MOST_BYTES,
    AfterFile,
    InDirectory,
)
from se_keras.export.metadata import Metadata
from se_keras.models import Preprocessing

METADATA = Metadata(("a", "ü"), Preprocessing((3, 4), mean=(0.5,), std=(0.25,)), True)
BODY = bytes(range(256)) * 300


def write_file(path):
    path.write_bytes(BODY)
    AfterFile().write(METADATA, path)
    return AfterFile(), path


def write_directory(path):
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(BODY[::-1])
    (path / "variables" / "data").write_bytes(BODY)
    InDirectory().write(METADATA, path)
    return InDirectory(), path / "variables" / "data"


@pytest.fixture(params=[write_file, write_directory])
def attached(request, tmp_path):
    """How metadata are stored, the path of an export, and a file of it."""
    path = tmp_path / "model"
    attachment, file = request.param(path)
    return attachment, path, file


def record_of(attachment, path):
    return json.loads(attachment._text(path))


def test_metadata_come_back_and_the_model_is_as_it_was(attached):
    attachment, path, file = attached
    assert attachment.read(path) == METADATA
    assert file.read_bytes().startswith(BODY)
    sums = {each["file"]: each for each in record_of(attachment, path)["checksums"]}
    name = "" if file == path else "variables/data"
    assert sums[name]["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert sums[name]["bytes"] == len(BODY)
    assert len(sums) == (1 if file == path else 2)


@pytest.mark.parametrize("position", [0, 12_345, len(BODY) - 1])
def test_one_changed_byte(position, attached):
    attachment, path, file = attached
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    with pytest.raises(UsageError, match="which is damaged or was changed"):
        attachment.read(path)


def test_a_file_that_is_missing(tmp_path):
    attachment, file = write_directory(tmp_path / "model")
    file.unlink()
    with pytest.raises(UsageError, match=r"the file variables/data"):
        attachment.read(tmp_path / "model")


def test_bytes_that_are_missing(tmp_path):
    attachment, file = write_directory(tmp_path / "model")
    file.write_bytes(BODY[:-1])
    with pytest.raises(UsageError, match=r"the file variables/data"):
        attachment.read(tmp_path / "model")


def test_files_that_somebody_added(tmp_path):
    attachment, _ = write_directory(tmp_path / "model")
    extra = tmp_path / "model" / EXTRA_DIRECTORY / "tf_serving_warmup_requests"
    extra.write_text("something")
    assert attachment.read(tmp_path / "model") == METADATA


def store(text, path, **settings):
    """Stores a text as old versions and other programs do."""
    path.write_bytes(BODY)
    with zipfile.ZipFile(path, "a", **settings) as archive:
        archive.writestr(FILE_NAME, text)
    return path


def test_an_old_file_without_checksums(tmp_path):
    path = store(METADATA.to_json(), tmp_path / "model.tflite")
    assert AfterFile().read(path) == METADATA


def test_a_file_without_metadata(tmp_path):
    (tmp_path / "model.tflite").write_bytes(BODY)
    assert AfterFile().read(tmp_path / "model.tflite") is None
    assert InDirectory().read(tmp_path) is None


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (zipfile.ZIP_DEFLATED, rf"at most {MOST_BYTES} bytes"),
        (zipfile.ZIP_BZIP2, "stored or deflated"),
        (zipfile.ZIP_LZMA, "stored or deflated"),
    ],
    ids=["deflate", "bzip2", "lzma"],
)
def test_metadata_that_inflate_without_end(kind, message, tmp_path):
    size = 8 * MOST_BYTES
    path = store(" " * size, tmp_path / "model.tflite", compression=kind)
    assert path.stat().st_size < size / 100
    tracemalloc.start()
    with pytest.raises(UsageError, match=message):
        AfterFile().read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MOST_BYTES


def test_metadata_in_a_directory_that_do_not_end(tmp_path):
    attachment, _ = write_directory(tmp_path / "model")
    file = tmp_path / "model" / EXTRA_DIRECTORY / FILE_NAME
    with file.open("wb") as stream:
        stream.truncate(8 * MOST_BYTES)
    with pytest.raises(UsageError, match=rf"at most {MOST_BYTES} bytes"):
        attachment.read(tmp_path / "model")


def changed(**fields):
    return json.dumps({**METADATA.to_dict(), **fields})


def of_preprocessing(**fields):
    return changed(preprocessing={**METADATA.preprocessing.to_dict(), **fields})


def of_checksum(**fields):
    expected = {"file": "", "bytes": 1, "sha256": ""}
    return changed(checksums=[{**expected, **fields}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        b"\xff\xfe",
        "{}",
        changed(class_names="abc"),
        changed(class_names=[1, 2]),
        changed(class_names=[["a"]]),
        changed(normalizes="yes"),
        changed(preprocessing=True),
        changed(preprocessing={"size": [3, 4]}),
        of_preprocessing(more=1),
        of_preprocessing(size=["3", 4]),
        of_preprocessing(size=[3]),
        of_preprocessing(size=[10**9, 10**9]),
        of_preprocessing(size=[10**400, 4]),
        of_preprocessing(size=[0, 4]),
        of_preprocessing(crop="0.5"),
        of_preprocessing(crop=0),
        of_preprocessing(mean=["0.5"]),
        of_preprocessing(mean=0.5),
        of_preprocessing(mean=[float("nan")]),
        of_preprocessing(mean=[10**400]),
        of_preprocessing(std=[0.0]),
        of_preprocessing(std=[-1.0]),
        of_preprocessing(std=[0.5, 0.5]),
        of_preprocessing(interpolation="x" * 100_000),
        of_preprocessing(interpolation=["bilinear"]),
        changed(checksums=3),
        changed(checksums=[3]),
        changed(checksums=[{}]),
        of_checksum(bytes=-1),
        of_checksum(bytes=float("inf")),
        of_checksum(bytes=10**400),
        of_checksum(file="../model.tflite"),
        of_checksum(file="/etc/hostname"),
        of_checksum(file="a\0b"),
        of_checksum(file=3),
    ],
    ids=lambda text: str(text[:60]),
)
def test_forged_metadata_are_refused_in_one_line(text, tmp_path):
    path = store(text, tmp_path / "model.tflite")
    with pytest.raises(UsageError, match=r"Received: .*model\.tflite") as error:
        AfterFile().read(path)
    assert len(str(error.value)) < 700
    assert "\n" not in str(error.value)


def test_an_archive_that_is_damaged(tmp_path):
    _, path = write_file(tmp_path / "model.tflite")
    content = bytearray(path.read_bytes())
    start = content.index(b'"class_names"')
    content[start : start + 5] = b"xxxxx"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"Bad CRC-32"):
        AfterFile().read(path)

"""Where the metadata of an exported model are stored: in its directory or file."""

import abc
import hashlib
import json
import pathlib
import zipfile
from typing import Any

from se_keras.errors import UsageError, one_line
from se_keras.export.metadata import Metadata
from se_keras.export.tflite_metadata import LABELS_NAME, labels_text

FILE_NAME = "se_keras.json"
# TensorFlow's name for the directory of a user's own files in a SavedModel.
EXTRA_DIRECTORY = "assets.extra"
# Most bytes of metadata that are read: a million class names. A zip archive of a
# kilobyte can state that it has a gigabyte.
MOST_BYTES = 2**24
CHUNK = 2**20  # bytes read at once
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What Python raises on JSON of another form, or of numbers that are too large.
_WRONG = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)


class Attachment(abc.ABC):
    """How metadata are stored with an exported model.

    The stored JSON has the fields of the metadata, and `checksums`: the SHA-256 of each
    file of the model, which is `""` for a model that is a file itself, and how many
    bytes of it that is of. In a file the metadata are after these bytes.
    """

    def write(self, metadata: Metadata, path: pathlib.Path) -> None:
        """Stores metadata.

        Args:
            metadata: The metadata.
            path: The exported model, complete but for the metadata.
        """
        checksums = [_checksum(path, file) for file in self._files(path)]
        record = {**metadata.to_dict(), "checksums": checksums}
        self._append(json.dumps(record, indent=2), metadata, path)

    def read(self, path: pathlib.Path) -> Metadata | None:
        """Returns the metadata of an exported model, or `None` if it has none.

        Args:
            path: The exported model. An old one has no checksums.

        Raises:
            UsageError: If the metadata are not of the expected form, or the model is
                not the one that they were written for.
        """
        try:
            text = self._text(path)
            if text is None:
                return None
            if len(text) > MOST_BYTES:
                raise ValueError(f"Expected at most {MOST_BYTES} bytes. Received: more")
            record = json.loads(text)
            metadata = Metadata.from_dict(record)
            changed = _changed(path, record.get("checksums", []))
        except _WRONG as error:
            raise UsageError(
                f"Expected metadata as se_keras writes them. Received: {str(path)!r}, "
                f"which has others: {one_line(error, 300)}"
            ) from error
        if changed is not None:
            file = f" (the file {changed})" if changed else ""
            raise UsageError(
                "Expected a model as it was exported. "
                f"Received: {str(path)!r}, which is damaged or was changed{file}"
            )
        return metadata

    def _files(self, path: pathlib.Path) -> list[str]:
        """Returns the files of the model, relative to its path."""
        return [""]

    @abc.abstractmethod
    def _append(self, text: str, metadata: Metadata, path: pathlib.Path) -> None:
        """Adds the text that is stored, and changes none of the files."""

    @abc.abstractmethod
    def _text(self, path: pathlib.Path) -> bytes | str | None:
        """Returns the text that is stored, or `None` if there is none."""


class InDirectory(Attachment):
    """Metadata as a file in the directory of the model."""

    def _files(self, path):
        files = (file for file in path.rglob("*") if file.is_file())
        return sorted(file.relative_to(path).as_posix() for file in files)

    def _append(self, text, metadata, path):
        directory = path / EXTRA_DIRECTORY
        directory.mkdir()
        (directory / FILE_NAME).write_text(text, "utf-8")

    def _text(self, path):
        file = path / EXTRA_DIRECTORY / FILE_NAME
        if not file.exists():
            return None
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)


class InONNX(Attachment):
    """Metadata as a property of the model, which ONNX has for that.

    Protocol buffers that are written one after the other are one: the property is added
    to the end of the file.
    """

    def _append(self, text, metadata, path):
        import onnx

        model = onnx.ModelProto()
        onnx.helper.set_model_props(model, {FILE_NAME: text})
        with path.open("ab") as file:
            file.write(model.SerializeToString())

    def _text(self, path):
        import onnx

        model = onnx.load(path, load_external_data=False)
        return {p.key: p.value for p in model.metadata_props}.get(FILE_NAME)


class AfterFile(Attachment):
    """Metadata as a zip archive after a TFLite model.

    This is how TFLite's metadata store associated files, here the metadata, and the
    class names alone in `labels.txt`. Interpreters ignore it, and `unzip` opens it. The
    rest of TFLite's metadata is in the model's flatbuffer.
    """

    def _append(self, text, metadata, path):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(FILE_NAME, text)
            if metadata.class_names:
                archive.writestr(LABELS_NAME, labels_text(metadata.class_names))

    def _text(self, path):
        if not zipfile.is_zipfile(path):
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                if FILE_NAME not in archive.namelist():
                    return None
                # Python inflates the others without a limit.
                if archive.getinfo(FILE_NAME).compress_type not in _COMPRESSIONS:
                    raise ValueError(f"Expected {FILE_NAME} to be stored or deflated")
                with archive.open(FILE_NAME) as stream:
                    return stream.read(MOST_BYTES + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from error


def _checksum(path, name, size=None) -> dict[str, Any]:
    """Returns the checksum of a file of a model, or of its first bytes."""
    file = path / name if name else path
    size = file.stat().st_size if size is None else size
    digest, left = hashlib.sha256(), size
    with file.open("rb") as stream:
        while left and (chunk := stream.read(min(left, CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return {"file": name, "bytes": size - left, "sha256": digest.hexdigest()}


def _changed(path, checksums) -> str | None:
    """Returns the first file that is not as its checksum states, or `None`."""
    for expected in checksums:
        name, size = expected["file"], int(expected["bytes"])
        parts = pathlib.PurePosixPath(name).parts
        if ".." in parts or pathlib.PurePosixPath(name).is_absolute() or size < 0:
            raise ValueError("Expected checksums of files of the model")
        if not (path / name if name else path).is_file():
            return name
        if _checksum(path, name, size) != expected:
            return name
    return None

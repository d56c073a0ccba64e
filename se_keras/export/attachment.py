"""Where the metadata of an exported model are stored: in its directory or file."""

import abc
import pathlib
import zipfile

from se_keras.export.metadata import Metadata
from se_keras.export.tflite_metadata import (
    LABELS_NAME,
    labels_text,
    write_tflite_metadata,
)

FILE_NAME = "se_keras.json"
# TensorFlow's name for the directory of a user's own files in a SavedModel.
EXTRA_DIRECTORY = "assets.extra"


class Attachment(abc.ABC):
    """How metadata are stored with an exported model."""

    @abc.abstractmethod
    def write(self, metadata: Metadata, path: pathlib.Path) -> None:
        """Stores metadata.

        Args:
            metadata: The metadata.
            path: The exported model, complete but for the metadata.
        """

    @abc.abstractmethod
    def text(self, path: pathlib.Path) -> str | None:
        """Returns what is stored, or `None` if there is nothing."""

    def read(self, path: pathlib.Path) -> Metadata | None:
        """Returns the metadata of an exported model, or `None` if it has none."""
        text = self.text(path)
        return None if text is None else Metadata.from_json(text)


class InDirectory(Attachment):
    """Metadata as a file in the directory of the model."""

    def write(self, metadata: Metadata, path: pathlib.Path) -> None:
        """See `Attachment`."""
        directory = path / EXTRA_DIRECTORY
        directory.mkdir()
        (directory / FILE_NAME).write_text(metadata.to_json())

    def text(self, path: pathlib.Path) -> str | None:
        """See `Attachment`."""
        file = path / EXTRA_DIRECTORY / FILE_NAME
        return file.read_text() if file.exists() else None


class InONNX(Attachment):
    """Metadata as a property of the model, which ONNX has for that."""

    def write(self, metadata: Metadata, path: pathlib.Path) -> None:
        """See `Attachment`."""
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {FILE_NAME: metadata.to_json()})
        onnx.save(model, path)

    def text(self, path: pathlib.Path) -> str | None:
        """See `Attachment`."""
        import onnx

        model = onnx.load(path, load_external_data=False)
        return {p.key: p.value for p in model.metadata_props}.get(FILE_NAME)


class AfterFile(Attachment):
    """Metadata as a zip archive after a TFLite model.

    This is how TFLite's metadata store associated files, here the metadata, and the
    class names alone in `labels.txt`. Interpreters ignore it, and `unzip` opens it. The
    rest of TFLite's metadata is in the model's flatbuffer.
    """

    def write(self, metadata: Metadata, path: pathlib.Path) -> None:
        """See `Attachment`."""
        write_tflite_metadata(path, metadata)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(FILE_NAME, metadata.to_json())
            if metadata.class_names:
                archive.writestr(LABELS_NAME, labels_text(metadata.class_names))

    def text(self, path: pathlib.Path) -> str | None:
        """See `Attachment`."""
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            if FILE_NAME not in archive.namelist():
                return None
            return archive.read(FILE_NAME).decode()

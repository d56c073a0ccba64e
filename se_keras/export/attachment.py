"""Where the metadata of an exported model are stored: in its directory or file."""

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
ONNX_SUFFIX = ".onnx"


def attach(metadata: Metadata, path: pathlib.Path) -> None:
    """Stores metadata in a directory (SavedModel, OpenVINO), an ONNX or a TFLite file.

    A TFLite file has them, and the class names alone in `labels.txt`, as a zip archive
    after the model: this is how TFLite's metadata store associated files. Interpreters
    ignore it, and `unzip` opens it. The rest of TFLite's metadata is in the model's
    flatbuffer.

    Args:
        metadata: The metadata.
        path: The exported model, complete but for the metadata.
    """
    if path.is_dir():
        directory = path / EXTRA_DIRECTORY
        directory.mkdir()
        (directory / FILE_NAME).write_text(metadata.to_json())
        return
    if path.suffix == ONNX_SUFFIX:
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {FILE_NAME: metadata.to_json()})
        onnx.save(model, path)
        return
    write_tflite_metadata(path, metadata)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FILE_NAME, metadata.to_json())
        if metadata.class_names:
            archive.writestr(LABELS_NAME, labels_text(metadata.class_names))


def read(path: pathlib.Path) -> Metadata | None:
    """Returns the metadata of an exported model, or `None` if it has none.

    Args:
        path: The directory or file of an exported model.
    """
    text = _text(path)
    return None if text is None else Metadata.from_json(text)


def _text(path) -> str | None:
    if path.is_dir():
        file = path / EXTRA_DIRECTORY / FILE_NAME
        return file.read_text() if file.exists() else None
    if path.suffix == ONNX_SUFFIX:
        import onnx

        model = onnx.load(path, load_external_data=False)
        return {p.key: p.value for p in model.metadata_props}.get(FILE_NAME)
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if FILE_NAME not in archive.namelist():
            return None
        return archive.read(FILE_NAME).decode()

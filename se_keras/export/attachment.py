"""Where the metadata of an exported model are: in its folder or its file."""

import pathlib
import zipfile

from se_keras.export.metadata import Metadata
from se_keras.export.tflite_metadata import (
    LABELS_NAME,
    labels_text,
    write_tflite_metadata,
)

FILE_NAME = "se_keras.json"
# TensorFlow's place for a user's own files in a SavedModel.
SAVED_MODEL_FOLDER = "assets.extra"


def attach(metadata: Metadata, path: pathlib.Path) -> None:
    """Puts the record into a folder (SavedModel, OpenVINO), an ONNX or a TFLite file.

    A TFLite file carries it, and the names alone in `labels.txt`, as a zip archive
    behind the model: the form that TFLite's metadata has for associated files, which
    interpreters pass over and `unzip` opens. What those metadata say besides is in the
    model's flatbuffer.
    """
    if path.is_dir():
        folder = path / SAVED_MODEL_FOLDER
        folder.mkdir()
        (folder / FILE_NAME).write_text(metadata.to_json())
        return
    if path.suffix == ".onnx":
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
    """Returns the record of a SavedModel folder or a TFLite file, if it has one."""
    if path.is_dir():
        file = path / SAVED_MODEL_FOLDER / FILE_NAME
        return Metadata.from_json(file.read_text()) if file.exists() else None
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if FILE_NAME not in archive.namelist():
            return None
        return Metadata.from_json(archive.read(FILE_NAME).decode())

"""The formats of exported models: the only place that lists them.

Each is a row, in a module that has all that is particular to it.
"""

import pathlib

from se_keras.export.formats.format import Format
from se_keras.export.formats.onnx import ONNX
from se_keras.export.formats.openvino import OPENVINO
from se_keras.export.formats.saved_model import SAVED_MODEL
from se_keras.export.formats.tflite import TFLITE

__all__ = ["FORMATS", "Format", "format_of", "formats_with"]

FORMATS: dict[str, Format] = {
    form.name: form for form in (SAVED_MODEL, TFLITE, ONNX, OPENVINO)
}


def formats_with(option: str) -> tuple[str, ...]:
    """Returns the names of the formats that have an option."""
    return tuple(name for name, form in FORMATS.items() if option in form.options)


def format_of(path: pathlib.Path) -> Format | None:
    """Returns the format of what is at `path`, or `None` for any other."""
    return next((form for form in FORMATS.values() if form.matches(path)), None)

"""The formats of exported models, one row for each."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from se_keras.export import runtime, writers


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of exported models.

    Attributes:
        write: Writes a file or folder: takes the network in its inference form, the
            path, the `Metadata` that will travel with it, and what else the format
            has options for.
        run: Name of the function of `runtime` that opens it: takes the path, returns a
            callable of a batch of images.
        suffix: Suffix of the file, `""` for a folder.
        packages: What has to be installed beside TensorFlow.
        options: What else `write` takes, by name.
        any_size: Whether height and width may be unknown.
        details: Name of the function of `runtime` that tells more of a file, if there
            is one: takes the path, returns a record.
    """

    write: Callable
    run: str
    suffix: str = ""
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    any_size: bool = True
    details: str | None = None

    def open(self, path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
        """Returns a callable of a batch of images that runs what is at `path`."""
        return getattr(runtime, self.run)(path)

    def describe(self, path: pathlib.Path) -> dict:
        """Returns what else there is to say of the file at `path`."""
        return getattr(runtime, self.details)(path) if self.details else {}


_ONNX = ("onnx", "tf2onnx", "onnxruntime")

FORMATS = {
    "saved_model": Format(
        writers.write_saved_model, "run_saved_model", options=("frozen",)
    ),
    "tflite": Format(
        writers.write_tflite,
        "run_tflite",
        ".tflite",
        options=("quantization", "calibration", "dynamic_batch"),
        any_size=False,
        details="describe_tflite",
    ),
    "onnx": Format(
        writers.write_onnx, "run_onnx", ".onnx", _ONNX, options=("dynamic_batch",)
    ),
    "openvino": Format(
        writers.write_openvino,
        "run_openvino",
        packages=(*_ONNX, "openvino"),
        options=("dynamic_batch",),
    ),
}

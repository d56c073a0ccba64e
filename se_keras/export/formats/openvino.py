"""OpenVINO, the fastest format on a CPU."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from se_keras.export.attachment import InDirectory
from se_keras.export.formats import onnx
from se_keras.export.formats.format import Format, Run, one_by_one
from se_keras.export.metadata import Metadata

if TYPE_CHECKING:
    import keras

FILE_NAME = "model.xml"


def write(
    network: "keras.Model",
    path: pathlib.Path,
    metadata: Metadata,
    dynamic_batch: bool = True,
) -> None:
    """Writes a directory with OpenVINO's two files, converted from ONNX.

    Keras's own exporter leaves the padding of the stem's pool to a slow kernel.
    """
    import openvino

    path.mkdir()
    onnx_file = path / "model.onnx"
    onnx.write(network, onnx_file, metadata, dynamic_batch)
    model = openvino.convert_model(onnx_file)
    openvino.save_model(model, path / FILE_NAME, compress_to_fp16=False)
    onnx_file.unlink()


def run(path: pathlib.Path) -> Run:
    """Returns a callable of a batch of images that runs an OpenVINO directory."""
    import openvino

    # Else it computes in bfloat16 on processors that have it.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    compiled = core.compile_model(str(path / FILE_NAME), "CPU", settings)

    def run(images):
        return compiled(np.asarray(images, "float32"))[0]

    is_fixed = compiled.input(0).partial_shape[0].is_static
    return one_by_one(run) if is_fixed else run


OPENVINO = Format(
    "openvino",
    "OpenVINO on Intel's processors",
    writer=write,
    opener=run,
    attachment=InDirectory(),
    marker=FILE_NAME,
    converters=("onnx", "tf2onnx"),
    runtimes=("openvino",),
    any_backend=True,
)

"""ONNX, which ONNX Runtime and many other programs read."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from se_keras.errors import UsageError
from se_keras.export.attachment import InONNX
from se_keras.export.formats.format import Format, Run, one_by_one
from se_keras.export.metadata import Metadata

if TYPE_CHECKING:
    import keras


def write(
    network: "keras.Model",
    path: pathlib.Path,
    metadata: Metadata,
    dynamic_batch: bool = True,
) -> None:
    """Writes an ONNX file."""
    import onnx
    import tf2onnx

    from se_keras.export import onnx_graph, tensorflow_graph

    batch = None if dynamic_batch else 1
    with tensorflow_graph.inlined():
        function = tensorflow_graph.with_named_scores(
            tensorflow_graph.function_of(
                network,
                metadata.input_name,
                frozen=True,
                batch=batch,
                change=tensorflow_graph.erfc_as_erf,
            )
        )
        model, _ = tf2onnx.convert.from_function(function, function.input_signature)
    unknown = onnx_graph.unknown_operations(model)
    if unknown:
        raise UsageError(
            "Expected layers that ONNX has operations for. "
            f"Received: a model with others ({', '.join(unknown)})"
        )
    onnx_graph.simplify(model)
    onnx_graph.name_axes(model)
    onnx.save(model, path)


def run(path: pathlib.Path) -> Run:
    """Returns a callable of a batch of images that runs an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    (source,) = session.get_inputs()

    def run(images):
        return session.run(None, {source.name: np.asarray(images, "float32")})[0]

    return one_by_one(run) if source.shape[0] == 1 else run


ONNX = Format(
    "onnx",
    "ONNX Runtime and what else reads ONNX",
    writer=write,
    opener=run,
    attachment=InONNX(),
    suffix=".onnx",
    converters=("tf2onnx",),
    runtimes=("onnx", "onnxruntime"),
    any_backend=True,
)

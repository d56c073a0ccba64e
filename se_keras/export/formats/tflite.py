"""TFLite, the format of phones, microcontrollers and browsers."""

import os
import pathlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from se_keras.backend import require_tensorflow
from se_keras.errors import UsageError
from se_keras.export.attachment import AfterFile
from se_keras.export.formats.format import Format, Run, one_by_one
from se_keras.export.metadata import Metadata
from se_keras.export.quantization import QUANTIZATIONS
from se_keras.export.tflite_metadata import write_tflite_metadata

if TYPE_CHECKING:
    import keras

# How an interpreter names the operation that represents a part of the graph.
DELEGATE = "DELEGATE"


def write(
    network: "keras.Model",
    path: pathlib.Path,
    metadata: Metadata,
    quantization: str | None = None,
    calibration: np.ndarray | None = None,
    dynamic_batch: bool = False,
) -> None:
    """Writes a TFLite file of built-in operations, with TFLite's own metadata."""
    from se_keras.export import quantize

    batch = None if dynamic_batch else 1
    convert = quantize.converter(network, metadata.input_name, batch)
    if calibration is None:
        content = convert(QUANTIZATIONS[quantization] if quantization else None)
    else:
        content = quantize.to_int8(
            quantize.calibrate(convert, calibration, pixels=metadata.normalizes)
        )
    path.write_bytes(content)
    write_tflite_metadata(path, metadata)


def check(
    quantization: str | None = None, calibration: Any = None, **others: Any
) -> None:
    """Raises a `UsageError` if a quantization is unknown, or calibration is missing."""
    choices = (None, *QUANTIZATIONS)
    if quantization not in choices:
        raise UsageError(
            f"Expected a quantization in {choices}. "
            f"Received: quantization={quantization!r}"
        )
    calibrated = [name for name, row in QUANTIZATIONS.items() if row.needs_calibration]
    if (quantization in calibrated) != (calibration is not None):
        raise UsageError(
            "Expected calibration images with quantization="
            f"{' or '.join(map(repr, calibrated))}, and only then. "
            f"Received: quantization={quantization!r}, "
            f"calibration={'None' if calibration is None else 'images'}"
        )


def run(path: pathlib.Path) -> Run:
    """Returns a callable of a batch of images that runs a TFLite file.

    Images are given as the float model takes them, also to a file of integers.
    """
    interpreter = _interpreter(path)
    interpreter.allocate_tensors()
    (source,), (target,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )

    def run(images):
        images = np.asarray(images, "float32")
        if len(images) != interpreter.get_input_details()[0]["shape"][0]:
            interpreter.resize_tensor_input(source["index"], images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], _to_tensor(images, source))
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    return run if source["shape_signature"][0] == -1 else one_by_one(run)


def describe(path: pathlib.Path) -> dict[str, int]:
    """Returns how many operations a TFLite file has, and how many XNNPACK leaves out.

    Returns:
        `operations`, and `outside_xnnpack`: how many of them TensorFlow Lite's plain
        kernels run.
    """
    interpreter = _interpreter(path)
    interpreter.allocate_tensors()
    # There is no public way to ask; the names are those of `tf.lite.experimental`'s
    # analyzer.
    nodes = interpreter._get_ops_details()
    delegates = [node for node in nodes if node["op_name"] == DELEGATE]
    operations = [node for node in nodes if node["op_name"] != DELEGATE]
    writer = {t: node["index"] for node in operations for t in node["outputs"]}
    inputs = {node["index"]: node["inputs"] for node in operations}
    taken = set()
    for delegate in delegates:
        left = list(delegate["outputs"])
        while left:
            tensor = left.pop()
            node = writer.get(tensor)
            if tensor not in delegate["inputs"] and node not in (None, *taken):
                taken.add(node)
                left += list(inputs[node])
    return {
        "operations": len(operations),
        "outside_xnnpack": len(operations) - len(taken),
    }


def _interpreter(path):
    require_tensorflow("TFLite")
    import tensorflow as tf

    with warnings.catch_warnings():
        # Its successor, ai_edge_litert, is no dependency of tensorflow.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter.*")
        return tf.lite.Interpreter(str(path), num_threads=os.cpu_count())


def _to_tensor(images, detail):
    """Returns images in the type of an input, with its scale."""
    if detail["dtype"] == np.float32:
        return images
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    steps = np.round(images / scale) + zero
    return np.clip(steps, limits.min, limits.max).astype(detail["dtype"])


TFLITE = Format(
    "tflite",
    "Android, iOS, microcontrollers and browsers",
    writer=write,
    opener=run,
    attachment=AfterFile(),
    describer=describe,
    checker=check,
    suffix=".tflite",
    any_size=False,
)

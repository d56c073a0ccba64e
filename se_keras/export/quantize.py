"""TFLite in fewer bits: float16, dynamic range, and int8 in all of the network."""

import csv
import io
import re
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import convert, schema_py_generated
from tensorflow.lite.tools import flatbuffer_utils

from se_keras.errors import UsageError
from se_keras.export.quantization import INT8, Quantization
from se_keras.export.tensorflow_graph import (
    function_of,
    inlined,
    with_named_scores,
)

# Operations whose accumulator holds products of activations and weights.
_PRODUCTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
# Operations of the normalization that a network of pixels begins with.
_ELEMENTWISE = {"ADD", "MUL", "SUB"}
# Operations that a classifier ends with.
_PROBABILITIES = {"LOGISTIC", "SOFTMAX"}


def converter(
    network: keras.Model, input_name: str, batch: int | None = 1
) -> Callable[..., bytes]:
    """Returns a function that converts a network to TFLite.

    Args:
        network: A model of one image.
        input_name: Name of the images in the signature.
        batch: Size of the batches; `None` for any.

    Returns:
        A callable of a `Quantization` or `None`, and, as keyword arguments, more
        settings of `tf.lite.TFLiteConverter`, that returns the content of a file.
    """

    def convert(quantization=None, **more):
        module = tf.Module()
        with inlined():
            module.serve = with_named_scores(
                function_of(network, input_name, frozen=False, batch=batch)
            )
            module.serve.get_concrete_function()
        with tempfile.TemporaryDirectory() as directory:
            tf.saved_model.save(module, directory, {"serving_default": module.serve})
            converter = tf.lite.TFLiteConverter.from_saved_model(directory)
            for name, value in (_settings(quantization) | more).items():
                setattr(converter, name, value)
            try:
                return converter.convert()
            except Exception as error:
                if type(error).__name__ != "ConverterError":  # the class is not public
                    raise
                raise UsageError(
                    "Expected layers that TFLite has operations for. Received: a model "
                    f"with others ({_operations_without(error)})"
                ) from error

    return convert


def _settings(quantization: Quantization | None) -> dict[str, Any]:
    """Returns the settings of `tf.lite.TFLiteConverter` for a quantization."""
    target = tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS])
    if quantization is None:
        return {"target_spec": target}
    if quantization.float_types:
        target.supported_types = [*map(tf.as_dtype, quantization.float_types)]
    calibrates = {"_experimental_calibrate_only": True}
    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "target_spec": target,
        **(calibrates if quantization.needs_calibration else {}),
    }


def _operations_without(error) -> str:
    """Returns the names of the operations that the converter has no form for.

    If its message has none, the reason in the message.
    """
    found = re.findall(r"tf\.([A-Z]\w+)", str(error))
    reason = re.search(r"'tfl\.\w+' op .*", str(error))
    first_line = str(error).partition("\n")[0]
    return ", ".join(sorted(set(found))) or (reason[0] if reason else first_line)


def calibrate(convert: Callable, images: np.ndarray, pixels: bool) -> bytes:
    """Returns a float32 TFLite model that holds the range of each activation.

    Args:
        convert: What `converter` returned.
        images: Images from which the ranges are taken, `(n, height, width, channels)`.
        pixels: Whether the model takes pixels. The range of its input is then 0..255,
            whatever that of the images is.
    """
    content = convert(
        INT8, representative_dataset=lambda: ([image[None]] for image in images)
    )
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,) = model.subgraphs
    if pixels:
        _set_range(graph.tensors[graph.inputs[0]], 0.0, 255.0)
    _widen_dead_ranges(model, graph)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def to_int8(calibrated: bytes, **settings) -> bytes:
    """Returns an int8 model with uint8 images as input and float32 scores as output.

    The normalization of the pixels and the softmax stay in float32. They take little
    time and are the most sensitive to rounding, and XNNPACK, which has no int8 softmax
    and no conversion of uint8 to int8, then runs the whole graph.

    Args:
        calibrated: What `calibrate` returned.
        **settings: More arguments of `mlir_quantize`.
    """
    return bytes(
        convert.mlir_quantize(
            calibrated,
            **{"input_data_type": tf.uint8, "output_data_type": tf.float32, **settings},
            denylisted_nodes=_float_nodes(calibrated),
        )
    )


def errors(calibrated: bytes, images: np.ndarray) -> list[dict]:
    """Returns the error of each operation; see `export.quantization_errors`.

    Args:
        calibrated: What `calibrate` returned.
        images: Images that the operations are run on, `(n, height, width, channels)`.
    """
    with warnings.catch_warnings():
        # It uses TensorFlow's own interpreter, which is deprecated.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter.*")
        debugger = tf.lite.experimental.QuantizationDebugger(
            quant_debug_model_content=to_int8(
                calibrated, input_data_type=tf.float32, enable_numeric_verify=True
            ),
            debug_dataset=lambda: ([image[None]] for image in images),
        )
    debugger.run()
    file = io.StringIO()
    debugger.layer_statistics_dump(file)
    file.seek(0)
    return [
        {
            "layer": _layer(row["tensor_name"]),
            "operation": row["op_name"],
            "scale": float(row["scale"]),
            "mean_squared_error": float(row["mean_squared_error"]),
            "steps": float(row["mean_squared_error"]) ** 0.5 / float(row["scale"]),
        }
        for row in csv.DictReader(file)
    ]


def _layer(tensor_name) -> str:
    """Returns the layer of `model_1/layer_1/Operation;...`."""
    scope = tensor_name.split(";")[0].split("/")[-2:]
    return scope[0].removesuffix("_1")


def _float_nodes(calibrated) -> list[str]:
    """Returns the names of the tensors whose operations stay in float32."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(calibrated))
    (graph,) = model.subgraphs
    found, ready = [], set(graph.inputs)
    for operation in graph.operators:
        name = _name(model, operation)
        first = name in _ELEMENTWISE and ready & set(operation.inputs)
        last = name in _PROBABILITIES and set(operation.outputs) <= set(graph.outputs)
        if first:
            ready |= set(operation.outputs)
        if first or last:
            found += [graph.tensors[i].name.decode() for i in operation.outputs]
    return found


def _widen_dead_ranges(model, graph):
    """Gives activations that were 0 on all calibration images a usable range.

    A narrow gate can have hidden units that are 0 for all of the images. Their range is
    empty, the scale then 1e-8, and XNNPACK refuses the model. A step of the activation
    that is as large as a step of the accumulator loses no precision.
    """
    for operation in graph.operators:
        if _name(model, operation) not in _PRODUCTS:
            continue
        source, weight, target = (
            graph.tensors[i]
            for i in (operation.inputs[0], operation.inputs[1], operation.outputs[0])
        )
        ranges = _range(source), _range(target)
        data = model.buffers[weight.buffer].data
        if None in ranges or data is None:
            continue
        (least, most), (low, high) = ranges
        step = (max(most, 0) - min(least, 0)) / 255 * np.abs(_floats(data)).max() / 127
        if high - low < 255 * step:
            _set_range(target, low, low + 255 * step)


def _name(model, operation) -> str:
    return flatbuffer_utils.opcode_to_name(model, operation.opcodeIndex)


def _floats(data) -> np.ndarray:
    return np.frombuffer(bytes(data), "float32")


def _range(tensor) -> tuple[float, float] | None:
    found = tensor.quantization
    if found is None or found.min is None or not len(found.min):
        return None
    return float(found.min[0]), float(found.max[0])


def _set_range(tensor, low, high):
    if tensor.quantization is None:
        tensor.quantization = schema_py_generated.QuantizationParametersT()
    tensor.quantization.min, tensor.quantization.max = [low], [high]

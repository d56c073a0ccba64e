"""Running exported models.

TensorFlow and the other runtimes are imported by the function that needs them.
"""

import importlib
import os
import pathlib
import warnings
from collections.abc import Callable

import numpy as np

from se_keras.backend import require_tensorflow
from se_keras.errors import UsageError

OPENVINO_FILE = "model.xml"
# How an interpreter names the operation that represents a part of the graph.
DELEGATE = "DELEGATE"


def require(*packages: str) -> None:
    """Raises a `UsageError` if a package of the extra `export` is missing."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise UsageError(
                f"Expected the package {package}: pip install 'se-keras[export]'. "
                f"Received: {error}"
            ) from error


def run_saved_model(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a callable of a batch of images that runs a SavedModel."""
    require_tensorflow("SavedModel")
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda images: loaded.serve(tf.constant(images, tf.float32)).numpy()


def run_tflite(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
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

    return run if source["shape_signature"][0] == -1 else _one_by_one(run)


def describe_tflite(path: pathlib.Path) -> dict[str, int]:
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


def run_onnx(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a callable of a batch of images that runs an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    (source,) = session.get_inputs()

    def run(images):
        return session.run(None, {source.name: np.asarray(images, "float32")})[0]

    return _one_by_one(run) if source.shape[0] == 1 else run


def _one_by_one(run):
    """Returns a callable of a batch for a model of one image."""
    return lambda images: np.concatenate([run(image[None]) for image in images])


def run_openvino(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a callable of a batch of images that runs an OpenVINO directory."""
    import openvino

    # Else it computes in bfloat16 on processors that have it.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    compiled = core.compile_model(str(path / OPENVINO_FILE), "CPU", settings)

    def run(images):
        return compiled(np.asarray(images, "float32"))[0]

    is_fixed = compiled.input(0).partial_shape[0].is_static
    return _one_by_one(run) if is_fixed else run

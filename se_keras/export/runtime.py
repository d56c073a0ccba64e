"""Running exported models."""

import importlib
import pathlib
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError

OPENVINO_FILE = "model.xml"


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
    loaded = tf.saved_model.load(str(path))
    return lambda images: loaded.serve(tf.constant(images, tf.float32)).numpy()


def run_tflite(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a callable of a batch of images that runs a TFLite file on each."""
    with warnings.catch_warnings():
        # Its successor, ai_edge_litert, is no dependency of tensorflow.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter.*")
        interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (source,), (target,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )

    def run(images):
        scores = []
        for image in np.asarray(images, "float32"):
            interpreter.set_tensor(source["index"], image[None])
            interpreter.invoke()
            scores.append(interpreter.get_tensor(target["index"])[0])
        return np.stack(scores)

    return run


def run_onnx(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a callable of a batch of images that runs an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    (source,) = session.get_inputs()
    return lambda images: session.run(
        None, {source.name: np.asarray(images, "float32")}
    )[0]


def run_openvino(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a callable of a batch of images that runs an OpenVINO folder."""
    import openvino

    # Else it computes in bfloat16 on processors that have it.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    compiled = core.compile_model(str(path / OPENVINO_FILE), "CPU", settings)
    return lambda images: compiled(np.asarray(images, "float32"))[0]

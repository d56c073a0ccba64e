"""Running exported models."""

import pathlib
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf


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

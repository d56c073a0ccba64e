"""What the tests of rewriting share."""

import keras
import numpy as np

from se_keras.layers.gate import Gate
from tests.helpers import to_numpy


def gates(model) -> list[Gate]:
    return [layer for layer in model.layers if isinstance(layer, Gate)]


def arguments(model, batch: int = 2):
    """Returns random arrays in the structure of the model's inputs."""
    rng = np.random.default_rng(0)
    return keras.tree.map_structure(
        lambda x: rng.uniform(0, 5, (batch, *x.shape[1:])).astype(x.dtype), model.input
    )


def outputs(model, inputs=None) -> list[np.ndarray]:
    """Returns what the model makes of `inputs`, by default of `arguments(model)`."""
    if inputs is None:
        inputs = arguments(model)
    # NumPy has no bfloat16.
    return [
        to_numpy(keras.ops.cast(output, "float32"))
        for output in keras.tree.flatten(model(inputs, training=False))
    ]


def randomize(model):
    """Draws all weights, batch-norm statistics and biases too."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def as_in_a_file(config):
    """Returns a config in which lists stand for tuples."""
    if isinstance(config, dict):
        return {key: as_in_a_file(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [as_in_a_file(value) for value in config]
    return config

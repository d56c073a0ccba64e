"""What the tests of networks share."""

import keras
import numpy as np

from tests.helpers import to_numpy

SHAPE = (40, 56, 3)


def images(*shape: int):
    """Returns `(batch, height, width, channels)` float32 images that differ a lot."""
    rng = np.random.default_rng(0)
    tint = rng.normal(size=(shape[0], 1, 1, shape[-1]))
    return (rng.normal(size=shape) + 2 * tint).astype("float32")


def randomize(model):
    """Draws all weights, batch-norm statistics and biases too.

    The gammas are small, so that a hundred residual blocks stay within range.
    """
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.1, 0.5, weight.shape)
        else:
            fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 100
            value = rng.standard_normal(weight.shape, "float32")
            value *= np.float32((2 / fan_in) ** 0.5)
        weight.assign(value)
    return model


def outputs(model, x, layer: str | None = None):
    """Returns what the model, or one of its layers, makes of `x`."""
    if layer:
        model = keras.Model(model.input, model.get_layer(layer).output)
    return to_numpy(model(x, training=False))

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
    """Draws all weights and statistics, the same ones in each call.

    With them a deep network still shows which image it saw.
    """
    rng = np.random.default_rng(1)
    for layer in model.layers:
        # A depthwise kernel sees one channel.
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        for weight in layer.weights:
            if "seed" in weight.name:
                continue
            if weight.name in ("gamma", "moving_variance"):
                value = rng.uniform(0.5, 1.2, weight.shape)
            elif len(weight.shape) > 1:
                fan_in = np.prod(weight.shape[: 2 if depthwise else -1])
                value = rng.standard_normal(weight.shape, "float32")
                value *= np.float32((2 / fan_in) ** 0.5)
            else:
                # Gates near 1: ten of 1/2 would leave nothing of an image.
                mean = 2 if weight.path.endswith("fc2/bias") else 0
                value = rng.normal(mean, 0.02, weight.shape)
            weight.assign(value)
    return model


def outputs(model, x, layer: str | None = None):
    """Returns what the model, or one of its layers, makes of `x`."""
    if layer:
        model = keras.Model(model.input, model.get_layer(layer).output)
    return to_numpy(model(x, training=False))

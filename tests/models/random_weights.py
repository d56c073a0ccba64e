"""Random weights with which a deep network still shows which image it saw."""

import keras
import numpy as np


def draw_weights(model):
    """Draws all weights and statistics of a model, the same ones in each call."""
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

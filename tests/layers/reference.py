"""The gates in float64 NumPy, spelled out as their papers define them.

Inputs are `(batch, ..., channels)` arrays and the weights of a layer in its order;
each function returns one gate per element of the input.
"""

import numpy as np


def relu(x):
    return np.where(x > 0, x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(x + 3, 0, 6) / 6


def squeezed(image, squeeze=np.mean):
    """One number per channel of one image: equation 2 of Hu et al."""
    channels = range(image.shape[-1])
    return np.array([squeeze(image[..., c].astype("float64")) for c in channels])


def squeeze_excite(images, weights, squeeze=np.mean):
    """Hu et al. 2018, equation 3."""
    kernel1, bias1, kernel2, bias2 = weights
    gates = np.empty(images.shape)
    for n, image in enumerate(images):
        hidden = relu(kernel1.T @ squeezed(image, squeeze) + bias1)
        gates[n] = sigmoid(kernel2.T @ hidden + bias2)
    return gates


def effective_squeeze_excite(images, weights):
    """Lee and Park 2020, section 3.3."""
    kernel, bias = weights
    gates = np.empty(images.shape)
    for n, image in enumerate(images):
        gates[n] = hard_sigmoid(kernel.T @ squeezed(image) + bias)
    return gates


def efficient_channel_attention(images, weights):
    """Wang et al. 2020, equation 7: a channel sees its k neighbors, zeros outside."""
    kernel = np.ravel(weights[0])
    reach = len(kernel) // 2
    gates = np.empty(images.shape)
    for n, image in enumerate(images):
        means = squeezed(image)
        for c in range(len(means)):
            neighbors = range(c - reach, c + reach + 1)
            gates[n, ..., c] = sigmoid(
                sum(
                    weight * means[i]
                    for weight, i in zip(kernel, neighbors, strict=True)
                    if 0 <= i < len(means)
                )
            )
    return gates


def spatial_squeeze_excite(images, weights):
    """Roy et al. 2018, section 2.2: one gate for all channels of a position."""
    kernel, bias = weights
    gates = np.empty(images.shape)
    for position in np.ndindex(images.shape[:-1]):
        pixel = images[position].astype("float64")
        gates[position] = sigmoid(pixel @ kernel + bias)
    return gates

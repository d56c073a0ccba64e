"""Weights for color images in networks for images with other channels."""

import math

import numpy as np


def adapt_input_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Returns the kernel of a first convolution for another number of channels.

    One channel gets the sum of all; more are repeated and scaled, so that the sum over
    channels stays what it was.

    Args:
        kernel: `(height, width, channels, filters)`.
        channels: Channels of the images.

    Reference:
        timm's `adapt_input_conv`.
    """
    source = kernel.shape[2]
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    repeated = np.tile(kernel, (1, 1, math.ceil(channels / source), 1))
    return repeated[:, :, :channels] * np.float32(source / channels)


def adaptation(received: int, channels: int) -> str:
    """Returns what `adapt_input_channels` does, in words for a report."""
    how = "summed" if channels == 1 else "repeated and scaled"
    return f"{received} input channels in the file, {how} to {channels}"

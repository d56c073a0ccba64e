"""Means over positions with a fast gradient on TensorFlow."""

import math

import keras
from keras import ops


def mean(x, axes: tuple[int, ...], dtype: str):
    """Returns the mean of `x` over some axes, accumulated in `dtype`."""
    return ops.cast(ops.mean(ops.cast(x, dtype), axis=axes), x.dtype)


def with_mean(x, axes: tuple[int, ...], dtype: str):
    """Returns `x` and its mean, for training something that needs both.

    The gradient of a mean is one number for all positions. TensorFlow broadcasts it to
    a feature map, divides that, and adds it to the other gradient of `x`. Here it is
    divided first, and the addition broadcasts it.

    Args:
        x: A tensor. Everything else that needs it must take the returned one.
        axes: The axes that the mean is over.
        dtype: What the mean accumulates in.

    Returns:
        `x` and its mean in the dtype of `x`.
    """
    if keras.backend.backend() != "tensorflow":
        return x, mean(x, axes, dtype)

    @ops.custom_gradient
    def both(x):
        count = math.prod(ops.shape(x)[axis] for axis in axes)

        def gradient(of_x, of_mean):
            each = ops.cast(of_mean, dtype) / ops.cast(count, dtype)
            return of_x + ops.cast(ops.expand_dims(each, axes), x.dtype)

        return (ops.copy(x), mean(x, axes, dtype)), gradient

    return both(x)

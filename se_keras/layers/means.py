"""Means and maxima over positions, with a fast gradient of means on TensorFlow."""

import math

import keras
from keras import ops


def mean(x, axes: tuple[int, ...], dtype: str, mask=None):
    """Returns the mean of `x` over some axes, accumulated in `dtype`.

    Args:
        x: A tensor.
        axes: The axes that the mean is over.
        dtype: What the mean accumulates in.
        mask: Boolean tensor of the rank of `x`, 1 on all other axes than the batch and
            `axes`: whether a position counts. Without any position the mean is 0.
    """
    if mask is None:
        return ops.cast(ops.mean(ops.cast(x, dtype), axis=axes), x.dtype)
    sizes = ops.shape(x)
    positions = [size if axis in (0, *axes) else 1 for axis, size in enumerate(sizes)]
    mask = ops.broadcast_to(mask, positions)
    total = ops.sum(ops.where(mask, ops.cast(x, dtype), 0), axis=axes)
    count = ops.sum(ops.cast(mask, dtype), axis=axes)
    # Without any position the total is 0 as well.
    count = ops.where(ops.equal(count, 0), 1, count)
    return ops.cast(total / count, x.dtype)


def maximum(x, axes: tuple[int, ...], mask=None):
    """Returns the maximum of `x` over some axes.

    Args:
        x: A tensor.
        axes: The axes that the maximum is over.
        mask: See `mean`. Without any position the maximum is 0.
    """
    if mask is None:
        return ops.max(x, axis=axes)
    largest = ops.max(ops.where(mask, x, -float("inf")), axis=axes)
    return ops.where(ops.any(mask, axis=axes), largest, 0)


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

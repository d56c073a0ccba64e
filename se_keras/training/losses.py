"""Losses of a classifier that returns logits, one number for each image."""

import keras
import tensorflow as tf


def targets(
    labels: tf.Tensor,
    classes: int,
    smoothing: float = 0.0,
    threshold: float | None = None,
) -> tf.Tensor:
    """Returns what the outputs should be, `(batch, classes)`, float32.

    Args:
        labels: Integers `(batch,)`, or shares of the classes `(batch, classes)`.
        classes: Number of classes.
        smoothing: Share of each label that is spread over all classes.
        threshold: If given, a class is present, 1, where its share is larger, else
            absent, 0: an image mixed of two is of both.

    Reference:
        [Wightman et al. 2021](https://arxiv.org/abs/2110.00476), section 2, and timm.
    """
    shares = labels if labels.dtype.is_floating else tf.one_hot(labels, classes)
    shares = tf.cast(shares, tf.float32) * (1 - smoothing) + smoothing / classes
    return shares if threshold is None else tf.cast(shares > threshold, tf.float32)


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the cross-entropy of the softmax of each image's logits."""
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True)


def binary_cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the mean over classes of the cross-entropy of each one's sigmoid."""
    return keras.losses.binary_crossentropy(targets, logits, from_logits=True)


LOSSES = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}

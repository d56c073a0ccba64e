"""Losses of a classifier that returns logits, one value per image."""

import keras
import tensorflow as tf


def targets_of(
    labels: tf.Tensor,
    classes: int,
    smoothing: float = 0.0,
    threshold: float | None = None,
) -> tf.Tensor:
    """Returns the targets of a batch from its labels.

    Args:
        labels: Integers `(batch,)`, or fractions of the classes `(batch, classes)`.
        classes: Number of classes.
        smoothing: Fraction of each label that is spread over all classes.
        threshold: If given, a class is present, 1, where its fraction is larger, else
            absent, 0: an image mixed from two classes has both.

    Returns:
        Targets `(batch, classes)`, float32.

    Reference:
        [Wightman et al. 2021](https://arxiv.org/abs/2110.00476), section 2, and timm.
    """
    targets = labels if labels.dtype.is_floating else tf.one_hot(labels, classes)
    targets = tf.cast(targets, tf.float32) * (1 - smoothing) + smoothing / classes
    return targets if threshold is None else tf.cast(targets > threshold, tf.float32)


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the cross-entropy of the softmax of each image's logits, `(batch,)`."""
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True)


def binary_cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the mean over classes of the binary cross-entropy, `(batch,)`."""
    return keras.losses.binary_crossentropy(targets, logits, from_logits=True)

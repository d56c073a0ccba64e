"""Losses of a classifier that returns logits, one value per image; class weights."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError


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


def class_counts(labels: np.ndarray, class_names: Sequence[str]) -> list[int]:
    """Returns the number of training images of each class.

    Args:
        labels: Labels of all training images; others than those of the classes, which
            belong to bad records, are left out.
        class_names: Names of the classes.

    Raises:
        UsageError: If a class has no images.
    """
    labels = labels[(labels >= 0) & (labels < len(class_names))]
    counts = np.bincount(labels, minlength=len(class_names))
    empty = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if empty:
        more = ", ..." if len(empty) > 3 else ""
        raise UsageError(
            "Expected training images of all classes, to balance them. Received: none "
            f"of {len(empty)} classes ({', '.join(map(repr, empty[:3]))}{more})"
        )
    return counts.tolist()


def class_weights(
    wanted: Sequence[float] | str | None,
    counts: Sequence[int] | None,
    class_names: Sequence[str],
) -> np.ndarray | None:
    """Returns the factor of the loss of each class, `(classes,)`, float32.

    Args:
        wanted: The field `class_weights` of a recipe.
        counts: Number of training images of each class, for `"balanced"`.
        class_names: Names of the classes.

    Returns:
        The factors; with `"balanced"` those of scikit-learn's `compute_class_weight`,
        whose mean over the training images is 1. `None` if there are none.

    Raises:
        UsageError: If there is not one number for each class.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        images = np.array(counts)
        return (images.sum() / (len(images) * images)).astype("float32")
    if len(wanted) != len(class_names):
        first = ", ".join(map(repr, class_names[:3]))
        more = ", ..." if len(class_names) > 3 else ""
        raise UsageError(
            f"Expected {len(class_names)} class_weights, one for each class ({first}"
            f"{more}). Received: {len(wanted)} class_weights"
        )
    return np.array(wanted, "float32")


def weights_of(labels: tf.Tensor, factors: np.ndarray) -> tf.Tensor:
    """Returns the factor of the loss of each image, `(batch,)`, float32.

    Args:
        labels: Integers `(batch,)`, or fractions of the classes `(batch, classes)`: an
            image that is mixed from two classes has the mean of their factors.
        factors: `(classes,)`.
    """
    if labels.dtype.is_floating:
        return tf.linalg.matvec(tf.cast(labels, tf.float32), factors)
    return tf.gather(tf.constant(factors), labels)

import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from se_keras.errors import UsageError
from se_keras.training.choices import LOSSES
from se_keras.training.losses import (
    class_counts,
    class_weights,
    targets_of,
    weights_of,
)

CLASSES = 5
LABELS = np.array([3, 0, 4])
MIXED = np.array([[0.3, 0, 0.7, 0, 0], [0, 0.9, 0, 0.1, 0], [0, 0, 0, 0, 1]], "float32")
LOGITS = np.random.default_rng(0).normal(size=(3, CLASSES), scale=4)


@pytest.mark.parametrize("labels", [LABELS, MIXED], ids=["integers", "shares"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_targets(labels, smoothing):
    shares = np.eye(CLASSES)[labels] if labels.ndim == 1 else labels
    expected = (1 - smoothing) * shares + smoothing / CLASSES
    actual = targets_of(tf.constant(labels), CLASSES, smoothing)
    assert actual.dtype == "float32"
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_threshold_makes_classes_present_or_absent():
    actual = targets_of(tf.constant(MIXED), CLASSES, threshold=0.2)
    expected = [[1, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(actual, expected)


def test_losses_match_numpy():
    shares = tf.constant(MIXED)
    logits = tf.constant(LOGITS, "float32")
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
    np.testing.assert_allclose(
        LOSSES["cross_entropy"](shares, logits),
        -(MIXED * log_softmax).sum(-1),
        rtol=1e-5,
    )
    sigmoid = 1 / (1 + np.exp(-LOGITS))
    each = -MIXED * np.log(sigmoid) - (1 - MIXED) * np.log(1 - sigmoid)
    np.testing.assert_allclose(
        LOSSES["binary_cross_entropy"](shares, logits), each.mean(-1), rtol=1e-5
    )


def test_balanced_class_weights_are_those_of_scikit_learn():
    labels = np.repeat([0, 1, 2, -1], [50, 7, 13, 2])
    names = ["a", "b", "c"]
    counts = class_counts(labels, names)
    assert counts == [50, 7, 13]
    expected = compute_class_weight(
        "balanced", classes=np.arange(3), y=labels[labels >= 0]
    )
    found = class_weights("balanced", counts, names)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(class_weights((1, 2.5, 3), None, names), [1, 2.5, 3])
    assert class_weights(None, None, names) is None


def test_class_weights_need_all_classes():
    with pytest.raises(UsageError, match=r"none of 1 classes \('b'\)"):
        class_counts(np.array([0, 2]), ["a", "b", "c"])
    with pytest.raises(UsageError, match=r"3 class_weights.*'a', 'b', 'c'.*2 class"):
        class_weights((1.0, 2.0), None, ["a", "b", "c"])


def test_a_mixed_image_has_the_mean_of_the_weights():
    factors = np.array([1, 4, 2], "float32")
    labels = tf.constant([1, 2, 0])
    np.testing.assert_array_equal(weights_of(labels, factors), [4, 2, 1])
    mixed = tf.constant([[0.25, 0.75, 0], [0, 0.5, 0.5], [0, 0, 1]])
    np.testing.assert_allclose(weights_of(mixed, factors), [3.25, 3, 2])

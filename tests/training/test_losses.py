import numpy as np
import pytest
import tensorflow as tf

from se_keras.training.choices import LOSSES
from se_keras.training.losses import targets_of

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

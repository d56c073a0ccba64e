"""From the scores of a classifier to probabilities."""

import numpy as np

from se_keras.errors import UsageError

# By how much the sum of probabilities may differ from 1: float16 and int8 round them.
TOLERANCE = 0.02

PROBABILITIES, LOGITS = "probabilities", "logits"


def form_of(scores: np.ndarray, logits: bool | None = None) -> str:
    """Returns whether scores are `"probabilities"` or `"logits"`.

    Args:
        scores: `(images, classes)`.
        logits: Whether they are logits. By default they are where a number is not in
            0..1.

    Raises:
        UsageError: If a score is not finite, or the scores are neither: in 0..1, with
            another sum.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise UsageError(
            "Expected a model that returns a score for each class, 2 or more. "
            f"Received: scores of the shape {scores.shape[1:]} for an image"
        )
    if not np.isfinite(scores).all():
        raise UsageError(
            "Expected finite scores. Received: scores that are nan or infinite"
        )
    outside = scores.min(initial=0) < 0 or scores.max(initial=0) > 1 + TOLERANCE
    if logits or (outside and logits is None):
        return LOGITS
    sums = scores.sum(-1)
    if np.abs(sums - 1).max(initial=0) > TOLERANCE:
        worst = sums[np.abs(sums - 1).argmax()]
        raise UsageError(
            "Expected a model that returns probabilities, whose sum is 1, or logits. "
            f"Received: scores whose sum is {worst:.4g}"
        )
    return PROBABILITIES


def probabilities(
    scores: np.ndarray, logits: bool | None = None
) -> tuple[np.ndarray, str]:
    """Returns the probabilities that scores stand for, and the form of the scores.

    Args:
        scores: `(images, classes)`: probabilities, or logits, which get a softmax.
        logits: Whether they are logits. By default the numbers decide.

    Returns:
        Probabilities `(images, classes)`, float64, each row with the sum 1, and
        `"probabilities"` or `"logits"`.

    Raises:
        UsageError: As `form_of`.
    """
    form = form_of(np.asarray(scores), logits)
    values = np.asarray(scores, "float64")
    if form == LOGITS:
        values = np.exp(values - values.max(-1, keepdims=True))
    return values / values.sum(-1, keepdims=True), form

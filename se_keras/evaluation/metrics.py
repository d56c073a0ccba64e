"""The figures of a classifier, computed by scikit-learn from batches of predictions."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from se_keras.errors import UsageError

# Bins of equal width of the confidence, as in Guo et al. 2017.
BINS = 15
TOP = 5
MOST_CONFUSED = 25


def require_sklearn() -> None:
    """Raises a `UsageError` if scikit-learn is missing."""
    try:
        import sklearn.metrics  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Expected the package scikit-learn: pip install 'se-keras[train]'. "
            f"Received: {error}"
        ) from error


class Tally:
    """Sums up the predictions of a classifier batch by batch.

    The memory does not grow with the number of classes times the number of images:
    of each image its label, its prediction and its confidence are kept.

    Args:
        class_names: Names of the classes in the order of the labels.

    Example:

    >>> tally = Tally(["cat", "dog"])
    >>> tally.add(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    >>> round(tally.figures()["accuracy"], 4)
    0.6667
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        require_sklearn()
        self._class_names = tuple(class_names)
        self._classes = np.arange(len(self._class_names))
        self._columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._loss = 0.0
        self._in_top = 0.0

    def add(self, labels: np.ndarray, probabilities: np.ndarray) -> None:
        """Adds the predictions of some images.

        Args:
            labels: Numbers of the classes, integers `(images,)`.
            probabilities: `(images, classes)`; each row has the sum 1.
        """
        from sklearn.metrics import log_loss, top_k_accuracy_score

        if not len(labels):
            return
        options = {"labels": self._classes, "normalize": False}
        self._loss += log_loss(labels, probabilities, **options)
        if len(self._classes) > TOP:
            self._in_top += top_k_accuracy_score(
                labels, probabilities, k=TOP, **options
            )
        column = (labels, probabilities.argmax(-1), probabilities.max(-1))
        self._columns.append(column)

    @property
    def examples(self) -> int:
        """Number of images."""
        return len(self._labels)

    @property
    def _labels(self) -> np.ndarray:
        return self._column(0, "int64")

    @property
    def _predicted(self) -> np.ndarray:
        return self._column(1, "int64")

    def _column(self, index, dtype):
        parts = [columns[index] for columns in self._columns]
        return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)

    def confusion(self) -> np.ndarray:
        """Returns how many images of each class were taken for each class.

        Returns:
            Integers `(classes, classes)`: rows are the true classes, columns the
            predicted ones.
        """
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self._labels, self._predicted, labels=self._classes)

    def figures(self) -> dict[str, Any]:
        """Returns the figures over all images, for JSON.

        Returns:
            `examples`, the number of images; `accuracy` and, with more than 5 classes,
            `top5_accuracy`; `loss`, the mean cross-entropy in nats; `macro`, the means
            over the classes of `precision`, `recall` and `f1`; `calibration`, see
            `calibration`; `classes`, for each class `name`, `precision`, `recall`,
            `f1`, `support`, the number of its images, and `predicted`, the number of
            images taken for it; and `most_confused`, the pairs of classes with the most
            mistakes. As in scikit-learn, the precision of a class that was never
            predicted, and the recall of a class without images, are 0.
        """
        from sklearn.metrics import accuracy_score, precision_recall_fscore_support

        labels, predicted = self._labels, self._predicted
        scores = functools.partial(
            precision_recall_fscore_support,
            labels,
            predicted,
            labels=self._classes,
            zero_division=0,
        )
        examples = self.examples
        top5 = {"top5_accuracy": self._in_top / examples}
        names = ("precision", "recall", "f1")
        means = scores(average="macro")[:3]
        return {
            "examples": examples,
            "accuracy": float(accuracy_score(labels, predicted)),
            **(top5 if len(self._classes) > TOP else {}),
            "loss": self._loss / examples,
            "macro": dict(zip(names, map(float, means), strict=True)),
            "calibration": calibration(self._column(2, "float64"), labels == predicted),
            "classes": self._by_class(scores(), predicted),
            "most_confused": self._most_confused(),
        }

    def _by_class(self, scores, predicted):
        counts = np.bincount(predicted, minlength=len(self._classes))
        return [
            {
                "name": name,
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
                "predicted": int(count),
            }
            for name, precision, recall, f1, support, count in zip(
                self._class_names, *scores, counts, strict=True
            )
        ]

    def _most_confused(self):
        confusion = self.confusion()
        np.fill_diagonal(confusion, 0)
        # A stable order: of pairs with as many images, the first classes.
        order = np.argsort(-confusion, axis=None, kind="stable")[:MOST_CONFUSED]
        pairs = zip(*np.unravel_index(order, confusion.shape), strict=True)
        return [
            {
                "true": self._class_names[true],
                "predicted": self._class_names[predicted],
                "images": int(confusion[true, predicted]),
            }
            for true, predicted in pairs
            if confusion[true, predicted]
        ]


def calibration(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    """Returns how well the confidence of a classifier agrees with its accuracy.

    Args:
        confidence: The largest probability of each image, `(images,)`.
        correct: Whether its class is the true one, `(images,)`.

    Returns:
        `ece`, the expected calibration error: the mean over all images of the absolute
        difference between accuracy and mean confidence of the bin of the image; and
        `bins`, 15 bins of the same width: `low` and `high`, where the bin
        contains `high`; `images`, `confidence`, the mean, and `accuracy`. The last two
        are `None` for an empty bin.

    Reference:
        [Guo et al. 2017](https://arxiv.org/abs/1706.04599), section 2, equation 3.
    """
    edges = np.linspace(0, 1, BINS + 1)
    places = np.searchsorted(edges[1:-1], confidence)
    images = np.bincount(places, minlength=BINS)
    sums = [
        np.bincount(places, weights=values, minlength=BINS)
        for values in (confidence, correct)
    ]
    ece = np.abs(sums[0] - sums[1]).sum() / len(confidence)
    means = [np.divide(values, np.maximum(images, 1)) for values in sums]
    return {
        "ece": float(ece),
        "bins": [
            {
                "low": round(float(low), 4),
                "high": round(float(high), 4),
                "images": int(count),
                "confidence": float(mean) if count else None,
                "accuracy": float(accuracy) if count else None,
            }
            for low, high, count, mean, accuracy in zip(
                edges, edges[1:], images, *means, strict=False
            )
        ],
    }

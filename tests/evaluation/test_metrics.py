"""The figures against scikit-learn on whole arrays, and loops in float64."""

import fractions
import itertools
import math

import numpy as np
import pytest
from sklearn import metrics

from se_keras.errors import UsageError
from se_keras.evaluation import Tally
from se_keras.evaluation.classes import match_classes
from se_keras.evaluation.metrics import calibration
from se_keras.evaluation.scores import probabilities
from se_keras.evaluation.text import shortened


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def drawn(images, classes, labeled=None, seed=0):
    """Returns labels of the first `labeled` classes, and probabilities."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, labeled or classes, images)
    logits = rng.normal(size=(images, classes))
    logits[np.arange(images), labels] += 1.5
    return labels, softmax(logits)


def tied():
    labels, values = drawn(200, 8)
    return labels, softmax(np.round(np.log(values)))


def never_predicted():
    labels, values = drawn(60, 6)
    values[:, 2] = 0
    return labels, values / values.sum(-1, keepdims=True)


CASES = {
    "two classes": drawn(50, 2),
    "ten classes": drawn(333, 10),
    "five classes": drawn(100, 5),
    "a class without images": drawn(100, 7, labeled=5),
    "a class that is never predicted": never_predicted(),
    "one image": drawn(1, 6),
    "one image of two classes": drawn(1, 2),
    "ties": tied(),
    "certain": (np.array([0, 1, 2]), np.eye(3)[[0, 1, 1]]),
}


def figures_of(labels, values, batch=64):
    tally = Tally([f"class {n}" for n in range(values.shape[1])])
    for first in range(0, len(labels), batch):
        tally.add(labels[first : first + batch], values[first : first + batch])
    return tally.figures(), tally.confusion()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("batch", [7, 64])
@pytest.mark.parametrize("case", CASES)
def test_figures_are_those_of_sklearn(case, batch):
    labels, values = CASES[case]
    classes = np.arange(values.shape[1])
    figures, confusion = figures_of(labels, values, batch)
    predicted = values.argmax(-1)
    assert figures["examples"] == len(labels)
    assert figures["accuracy"] == metrics.accuracy_score(labels, predicted)
    np.testing.assert_allclose(
        figures["loss"],
        metrics.log_loss(labels, values, labels=classes),
        rtol=1e-12,
        atol=1e-12,
    )
    if len(classes) > 5:
        top5 = metrics.top_k_accuracy_score(labels, values, k=5, labels=classes)
        assert figures["top5_accuracy"] == pytest.approx(top5, abs=1e-12)
    else:
        assert "top5_accuracy" not in figures
    expected = metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes
    )
    keys = ("precision", "recall", "f1", "support")
    for key, column in zip(keys, expected, strict=True):
        assert [row[key] for row in figures["classes"]] == column.tolist()
    macro = metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes, average="macro"
    )
    assert [*figures["macro"].values()] == pytest.approx(macro[:3], abs=1e-12)
    matrix = metrics.confusion_matrix(labels, predicted, labels=classes)
    np.testing.assert_array_equal(confusion, matrix)
    counts = [row["predicted"] for row in figures["classes"]]
    assert counts == matrix.sum(0).tolist()


def test_loss_of_a_wrong_certainty_is_large_and_finite():
    figures, _ = figures_of(np.array([1]), np.array([[1.0, 0.0]]))
    assert figures["loss"] == pytest.approx(-math.log(np.finfo("float64").eps))


def test_most_confused():
    labels = np.array([0] * 5 + [1] * 5 + [2] * 2)
    values = np.eye(3)[[0, 0, 1, 1, 1, 1, 2, 1, 1, 0, 2, 2]]
    figures, _ = figures_of(labels, values)
    assert [tuple(pair.values()) for pair in figures["most_confused"]] == [
        ("class 0", "class 1", 3),
        ("class 1", "class 0", 1),
        ("class 1", "class 2", 1),
    ]


def ece_of_a_loop(confidence, correct):
    """Guo et al. 2017, equation 3, image by image, without NumPy's histograms."""
    total = fractions.Fraction(0)
    edges = [float(edge) for edge in np.linspace(0, 1, 16)]
    for low, high in itertools.pairwise(edges):
        members = [
            (fractions.Fraction(float(c)), bool(right))
            for c, right in zip(confidence, correct, strict=True)
            if low < c <= high
        ]
        if members:
            accuracy = fractions.Fraction(sum(right for _, right in members))
            total += abs(accuracy - sum(c for c, _ in members))
    return float(total / len(confidence))


@pytest.mark.parametrize("case", CASES)
def test_calibration_error(case):
    labels, values = CASES[case]
    confidence, correct = values.max(-1), values.argmax(-1) == labels
    expected = ece_of_a_loop(confidence, correct)
    assert figures_of(labels, values)[0]["calibration"]["ece"] == pytest.approx(
        expected, abs=1e-12
    )


def test_bins_of_the_calibration():
    """A bin contains its upper edge: 1/3 and 2/3, which 15 bins have as edges."""
    edges = np.linspace(0, 1, 16)
    result = calibration(edges[[5, 10, 15, 15]], np.array([True, False, True, True]))
    counts = [each["images"] for each in result["bins"]]
    assert counts == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2]
    filled = [result["bins"][n] for n in (4, 9, 14)]
    assert [each["accuracy"] for each in filled] == [1, 0, 1]
    assert result["bins"][0]["accuracy"] is None
    assert result["ece"] == pytest.approx((2 / 3 + 2 / 3) / 4)


def test_logits_get_a_softmax():
    from scipy.special import softmax as reference

    logits = np.random.default_rng(0).normal(0, 300, (5, 4)).astype("float32")
    values, form = probabilities(logits)
    assert form == "logits"
    np.testing.assert_allclose(values, reference(logits.astype("float64"), -1))
    np.testing.assert_array_equal(values.argmax(-1), logits.argmax(-1))


def test_logits_of_a_model_that_is_known_to_return_them():
    """Logits may all be in 0..1."""
    values, form = probabilities(np.array([[0.2, 0.9]]), logits=True)
    assert form == "logits"
    assert values[0, 1] == pytest.approx(1 / (1 + np.exp(-0.7)))
    with pytest.raises(UsageError, match="that returns probabilities"):
        probabilities(np.array([[0.2, 3.0]]), logits=False)


def test_rounded_probabilities_are_no_logits():
    exact = softmax(np.random.default_rng(0).normal(size=(9, 1000)))
    values, form = probabilities(exact.astype("float16"))
    assert form == "probabilities"
    np.testing.assert_allclose(values.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(values, exact, rtol=1e-2)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[0.5, np.nan]], "finite"),
        ([[np.inf, 0.0]], "finite"),
        ([[0.9, 0.8]], r"whose sum is 1\.7"),
        ([[1.0]], "a score for each class"),
        ([[[1.0, 2.0]]], "a score for each class"),
    ],
)
def test_scores_that_are_refused(scores, message):
    with pytest.raises(UsageError, match=message):
        probabilities(np.array(scores))


def test_classes_are_matched_by_name():
    matching = match_classes(("dog", "cat", "bee"), ("bee", "cat", "dog"))
    assert matching.order.tolist() == [2, 1, 0]
    assert "reordered" in matching.remark
    same = match_classes(("cat", "dog"), ["cat", "dog"])
    assert (same.order.tolist(), same.remark) == ([0, 1], "")


def test_classes_without_names():
    matching = match_classes(None, ("cat", "dog"))
    assert matching.order.tolist() == [0, 1]
    assert "no class names" in matching.remark
    with pytest.raises(UsageError, match=r"each of the 2 classes.*Received: 3"):
        matching.check(np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("model", "dataset", "message"),
    [
        (("a", "b"), ("a", "c"), "only the model has 'b'; only the data set has 'c'"),
        (("a", "b", "c"), ("a", "b"), "3 classes of the model and 2 .*model has 'c'"),
        (("a", "a"), ("a", "b"), "only the data set has 'b'"),
        (tuple("abcde"), tuple("fghij"), "'a', 'b', 'c', ...; only .* 'f', 'g', 'h',"),
        (("x" * 999, "b"), ("a", "b"), "xx…'"),
    ],
)
def test_classes_that_differ(model, dataset, message):
    with pytest.raises(UsageError, match=message) as error:
        match_classes(model, dataset)
    assert len(str(error.value)) < 600
    if len(model) == len(dataset):
        matching = match_classes(model, dataset, by_number=True)
        assert matching.order.tolist() == [*range(len(dataset))]
        assert matching.class_names == dataset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("0123456789", "0123456789"),
        ("0123456789a", "012345678…"),
        ("a\nb\x1b[31m", "a\ufffdb\ufffd[31m"),
        ("漢字漢字漢字", "漢字漢字…"),
        ("a\udcff", "a\ufffd"),
        ("$x$", "$x$"),
    ],
)
def test_shortened(text, expected):
    assert shortened(text, 10) == expected

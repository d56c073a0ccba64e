"""Evaluates a classifier on a data set, and writes what came out."""

import csv
import dataclasses
import heapq
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from se_keras.data import (
    BadImages,
    ImageSource,
    evaluation_batches,
    naming_bad_images,
    open_source,
)
from se_keras.data.splits import Splits
from se_keras.errors import UsageError
from se_keras.evaluation import plots
from se_keras.evaluation.classes import match_classes
from se_keras.evaluation.metrics import Tally, require_sklearn
from se_keras.evaluation.progress import Progress
from se_keras.evaluation.scores import probabilities
from se_keras.export.classifier import Classifier, as_classifier
from se_keras.files import expect_nothing, replacing, write_json
from se_keras.models.preprocessing import Preprocessing

REPORT = "report.json"
CLASSES = "classes.csv"
CONFUSION = "confusion.csv"
CONFUSION_PLOT = "confusion.png"
CALIBRATION_PLOT = "calibration.png"
MISTAKES = "mistakes.csv"
MISTAKES_PLOT = "mistakes.png"
# What an evaluation writes.
FILES = (
    REPORT,
    CLASSES,
    CONFUSION,
    CONFUSION_PLOT,
    CALIBRATION_PLOT,
    MISTAKES,
    MISTAKES_PLOT,
)
ALL = "all"  # instead of the name of a split
WORST = 36  # mistakes on the contact sheet


@dataclasses.dataclass(frozen=True)
class Mistake:
    """An image whose predicted class is not the true one.

    Attributes:
        path: Name of the record, in a folder the path of the file.
        true: Name of the true class.
        predicted: Name of the class with the largest probability.
        score: Its probability.
        true_score: The probability of the true class.
    """

    path: str
    true: str
    predicted: str
    score: float
    true_score: float


def evaluate(
    model: str | pathlib.Path | keras.Model | Classifier,
    dataset: str | ImageSource,
    *,
    split: str | None = None,
    data_dir: str | None = None,
    splits: Splits | None = None,
    batch_size: int = 64,
    on_bad_image: str = "fail",
    by_number: bool = False,
    output: str | pathlib.Path | None = None,
    overwrite: bool = False,
    verbose: bool = True,
) -> dict[str, Any]:
    """Evaluates a classifier of images on a split of a data set.

    Every image counts once, cropped as the model states. The figures are computed by
    scikit-learn.

    Args:
        model: Path of a `.keras` file or of an export, a model of Keras with
            `preprocessing`, or what `load_classifier` returned. Where it returns
            logits, their softmax is evaluated.
        dataset: A name, as in `open_source`, or a data set.
        split: Name of the split, or `"all"` for the images of all splits. Defaults to
            the evaluation split of the data set.
        data_dir: As in `open_source`.
        splits: As in `open_source`.
        batch_size: Number of images of a batch.
        on_bad_image: What to do with a record that is not an image: `"fail"` raises an
            error, `"skip"` leaves it out and counts it.
        by_number: Whether a model whose class names differ from those of the data set
            has the same classes in the same order.
        output: Directory for the report, the tables and the pictures; it is written
            completely or not at all. `None` writes nothing.
        overwrite: Whether an earlier evaluation in `output` is replaced.
        verbose: Whether to print the progress, to the error output, and a line where
            class names decide nothing.

    Returns:
        The report, as in `report.json`: `model`, `dataset`, `evaluation_split`,
        `scores`, which are `"probabilities"` or `"logits"`; the figures of
        `Tally.figures`; `bad_images`, the number of those left out; and `mistakes`, the
        worst ones: those with the largest probability of a wrong class.

    Raises:
        UsageError: If there is no such model, data set or split, their classes differ,
            an image is damaged, the scores are not finite, or `output` exists.

    Example:

    ```python
    report = evaluation.evaluate("model.tflite", "folder:flowers", output="evaluated")
    report["accuracy"], report["calibration"]["ece"]
    ```
    """
    bad_images = BadImages(on_bad_image)
    _check_batch_size(batch_size)
    require_sklearn()
    if output is not None:
        plots.require_matplotlib()
        check_output(output, overwrite)
    classifier = as_classifier(model)
    if isinstance(dataset, str):
        source = open_source(dataset, data_dir, splits)
    else:
        source = dataset
    split = split or source.evaluation_split
    names = tuple(dict.fromkeys(source.splits)) if split == ALL else (split,)
    examples = sum(_number_of_examples(source, name) for name in names)
    matching = match_classes(classifier.class_names, source.class_names, by_number)
    if verbose and matching.remark:
        print(matching.remark)

    tally = Tally(matching.class_names)
    mistakes, worst, form = [], _Worst(WORST), ""
    progress = Progress(examples, "images", verbose)
    for pixels, labels, paths in _batches(
        source, names, classifier.preprocessing, batch_size, bad_images
    ):
        scores = classifier.predict(pixels)
        matching.check(scores)
        values, form = probabilities(scores, classifier.logits)
        values = values[: len(labels), matching.order]
        tally.add(labels, values)
        for index in np.flatnonzero(values.argmax(-1) != labels):
            mistake = _mistake(
                paths[index], labels[index], values[index], matching.class_names
            )
            mistakes.append(mistake)
            worst.add(mistake, pixels[index])
        progress.add(len(labels))
    progress.close()
    if not tally.examples:
        raise UsageError(
            f"Expected images to evaluate. Received: {source.name}, split {split}, "
            "without any that can be read"
        )
    mistakes.sort(key=lambda mistake: -mistake.score)
    report = {
        "model": _name_of(model),
        "dataset": source.name,
        "evaluation_split": split,
        "scores": form,
        "bad_images": len(bad_images),
        **tally.figures(),
        "mistakes": [dataclasses.asdict(mistake) for mistake in mistakes[:WORST]],
    }
    if output is not None:
        with replacing(output) as directory:
            directory.mkdir()
            _write(directory, report, tally.confusion(), mistakes, worst)
    return report


def _check_batch_size(batch_size):
    if not isinstance(batch_size, int) or batch_size < 1:
        raise UsageError(
            f"Expected batch_size to be positive. Received: batch_size={batch_size!r}"
        )


def check_output(output: str | pathlib.Path, overwrite: bool) -> None:
    """Checks the directory of an evaluation before the work.

    Args:
        output: The directory.
        overwrite: Whether it may exist.

    Raises:
        UsageError: If it exists and `overwrite` is false, or has other files than an
            evaluation, or cannot be written.
    """
    path = pathlib.Path(output)
    if not overwrite:
        expect_nothing(path)
    if os.path.lexists(path):
        is_own = path.is_dir() and not path.is_symlink()
        if not is_own or {each.name for each in path.iterdir()} - set(FILES):
            raise UsageError(
                "Expected a directory that has nothing but an earlier evaluation, with "
                f"overwrite=True (--overwrite). Received: {str(output)!r}"
            )
    nearest = next(p for p in path.absolute().parents if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(
            "Expected an output directory that can be written. "
            f"Received: {str(output)!r}"
        )


def _number_of_examples(source, split):
    try:
        return source.num_examples(split)
    except (KeyError, ValueError) as error:
        names = ", ".join(dict.fromkeys((*source.splits, ALL)))
        raise UsageError(
            f"Expected a split of {source.name}, such as {names}. "
            f"Received: split={split!r}"
        ) from error


def _batches(
    source: ImageSource,
    splits: Sequence[str],
    preprocessing: Preprocessing,
    batch_size: int,
    bad_images: BadImages,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields pixels in 0..255, and labels and names of the images that count.

    All batches of pixels have one size; those that do not count are at the end.
    """
    channels = preprocessing.channels
    # A normalization that does nothing.
    as_pixels = dataclasses.replace(
        preprocessing, mean=(0.0,) * channels, std=(1 / 255,) * channels
    )
    for split in splits:
        batches = evaluation_batches(
            source,
            as_pixels,
            batch_size=batch_size,
            split=split,
            bad_images=bad_images,
            with_names=True,
        )
        with naming_bad_images(source, [split]):
            for pixels, labels, weights, names in batches.as_numpy_iterator():
                counted = weights > 0
                order = np.argsort(~counted, kind="stable")
                yield pixels[order], labels[counted], names[counted]


def _mistake(name, label, values, class_names):
    predicted = int(values.argmax())
    return Mistake(
        os.fsdecode(name),
        class_names[label],
        class_names[predicted],
        float(values[predicted]),
        float(values[label]),
    )


class _Worst:
    """The mistakes with the largest scores, and their images."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[float, int, Mistake, np.ndarray]] = []
        self._added = 0

    def add(self, mistake: Mistake, pixels: np.ndarray) -> None:
        """Adds a mistake, if it is one of the worst so far."""
        self._added += 1
        # Of mistakes with the same score the first ones stay.
        item = (mistake.score, -self._added, mistake, pixels.copy())
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, item)
        elif item[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, item)

    def items(self) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
        """Returns the mistakes, the worst first, and the pixels of their images."""
        ordered = sorted(self._heap, key=lambda item: item[:2], reverse=True)
        return (
            [dataclasses.asdict(item[2]) for item in ordered],
            [item[3] for item in ordered],
        )


def _name_of(model):
    if isinstance(model, str | pathlib.Path):
        return str(model)
    return getattr(model, "name", type(model).__name__)


def _write(directory, report, confusion, mistakes, worst):
    """Writes all files of an evaluation."""
    write_json(directory / REPORT, report)
    class_names = [row["name"] for row in report["classes"]]
    _write_rows(
        directory / CLASSES,
        list(report["classes"][0]),
        (row.values() for row in report["classes"]),
    )
    _write_rows(
        directory / CONFUSION,
        ["true", *class_names],
        ([name, *row] for name, row in zip(class_names, confusion, strict=True)),
    )
    _write_rows(
        directory / MISTAKES,
        [field.name for field in dataclasses.fields(Mistake)],
        map(dataclasses.astuple, mistakes),
    )
    title = (
        f"{_last(report['model'])} on {_last(report['dataset'])}, "
        f"{report['evaluation_split']}"
    )
    accuracy = f"{report['accuracy']:.2%} of {report['examples']} images"
    plots.plot_confusion(
        confusion,
        class_names,
        report["most_confused"],
        directory / CONFUSION_PLOT,
        f"{title}: {accuracy}",
    )
    plots.plot_calibration(report["calibration"], directory / CALIBRATION_PLOT, title)
    shown, pixels = worst.items()
    plots.plot_mistakes(
        shown,
        pixels,
        directory / MISTAKES_PLOT,
        f"{len(shown)} of {len(mistakes)} mistakes, the most confident first\n"
        "true class green, predicted class red",
    )


def _last(path):
    return plots.shortened(path.rstrip("/").rpartition("/")[2], 40)


def _write_rows(path, header, rows):
    with path.open("w", newline="", encoding="utf8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)

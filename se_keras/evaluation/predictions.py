"""Classifies image files, as many as there are, in a memory of one batch."""

import collections
import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from se_keras.data import read_image
from se_keras.data.images import decode_whole, resize_and_crop
from se_keras.data.layout import SYSTEM_FOLDERS, is_image
from se_keras.errors import UsageError
from se_keras.evaluation.progress import Progress
from se_keras.evaluation.scores import probabilities
from se_keras.export.classifier import Classifier, as_classifier

Path = str | bytes | os.PathLike


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a classifier makes of a file.

    Attributes:
        path: Path of the file.
        class_names: Names of the most probable classes, the first one first. Of classes
            with the same probability the one with the lowest number is first.
        scores: Their probabilities.
        error: Why there are none, in one line; `None` where there are.
    """

    path: str
    class_names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    error: str | None = None


def predict(
    model: str | pathlib.Path | keras.Model | Classifier,
    paths: Iterable[Path],
    *,
    top: int = 5,
    batch_size: int = 64,
    left_out: collections.Counter[str] | None = None,
    verbose: bool = False,
) -> Iterator[Prediction]:
    """Classifies image files and the image files of folders.

    Args:
        model: As in `evaluate`. Where it returns logits, their softmax is taken.
        paths: Files and folders. In a folder the files count that have the suffix of an
            image, at any depth, in the order of their paths.
        top: Number of classes of each image; all, if there are fewer.
        batch_size: Number of images that are read and classified at once.
        left_out: Where the number of other files in the folders is added, by suffix.
        verbose: Whether to print the progress, to the error output.

    Yields:
        A `Prediction` of each file, in the order of `paths`: also of a file that cannot
        be read, with its `error`.

    Raises:
        UsageError: If there is no such model, or its scores are not finite.

    Example:

    ```python
    for prediction in evaluation.predict("model.tflite", ["photos"], top=1):
        print(prediction.path, prediction.class_names, prediction.error)
    ```
    """
    for name, value in (("top", top), ("batch_size", batch_size)):
        if not isinstance(value, int) or value < 1:
            raise UsageError(
                f"Expected {name} to be positive. Received: {name}={value!r}"
            )
    return _predict(
        as_classifier(model),
        image_files(paths, left_out),
        top,
        batch_size,
        Progress(None, "images", verbose),
    )


def image_files(
    paths: Iterable[Path], left_out: collections.Counter[str] | None = None
) -> Iterator[str]:
    """Yields files, and the image files of folders, as they are found.

    Args:
        paths: Files, which need not exist, and folders.
        left_out: Where the number of other files in the folders is added, by suffix.
    """
    for path in map(os.fsdecode, paths):
        if os.path.isdir(path):
            # A folder without images is yielded itself: reading it is an error.
            yield from _in_folder(path, left_out) or [path]
        else:
            yield path


def _in_folder(folder, left_out):
    """Returns an iterator of the image files of a folder, or `None` without any."""
    files = _walk(folder, left_out)
    first = next(files, None)
    return None if first is None else _chain(first, files)


def _chain(first, others):
    yield first
    yield from others


def _walk(folder, left_out):
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder that was visited before
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in SYSTEM_FOLDERS
        )
        for name in sorted(names):
            if name.startswith("."):
                continue
            if is_image(name):
                yield os.path.join(place, name)
            elif left_out is not None:
                left_out[os.path.splitext(name)[1].lower()] += 1


def _predict(classifier, files, top, batch_size, progress):
    for paths, pixels, good in _batches(files, classifier.preprocessing, batch_size):
        values = iter(())
        if good.any():
            scores = classifier.predict(pixels[good])
            values = iter(probabilities(scores, classifier.logits)[0])
        for path, is_good in zip(map(os.fsdecode, paths), good, strict=True):
            if is_good:
                yield _prediction(path, next(values), top, classifier)
            else:
                yield _failure(path, classifier.preprocessing)
        progress.add(len(paths))
    progress.close()


def _batches(files, preprocessing, batch_size):
    """Yields paths, pixels, and whether these are an image's, for each batch."""
    read = functools.partial(_read, preprocessing=preprocessing)
    encoded = (os.fsencode(path) for path in files)
    dataset = (
        tf.data.Dataset.from_generator(
            lambda: encoded, output_signature=tf.TensorSpec((), tf.string)
        )
        .map(read, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )
    options = tf.data.Options()
    options.deterministic = True
    yield from dataset.with_options(options).as_numpy_iterator()


def _read(path, preprocessing):
    """Returns path, pixels, and whether they are those of an image."""
    encoded = tf.numpy_function(_bytes_of, [path], tf.string, stateful=False)
    encoded = tf.ensure_shape(encoded, ())
    pixels, good = decode_whole(encoded, preprocessing.channels, tolerant=True)
    return path, resize_and_crop(pixels, preprocessing), good


def _bytes_of(path):
    """Returns what is in a file; nothing, if it cannot be read."""
    try:
        return pathlib.Path(os.fsdecode(path)).read_bytes()
    except OSError:
        return b""


def _prediction(path, values, top, classifier):
    order = np.argsort(-values, kind="stable")[:top]
    return Prediction(
        path,
        tuple(classifier.name_of(int(index)) for index in order),
        tuple(round(float(value), 6) for value in values[order]),
    )


def _failure(path, preprocessing):
    if os.path.isdir(path):
        error = "Expected an image file, or a directory with image files."
        return Prediction(path, error=f"{error} Received: {path!r} without any")
    try:
        read_image(path, preprocessing)
    except UsageError as error:
        return Prediction(path, error=" ".join(str(error).split()))
    # It was damaged or missing, and is not any more.
    return Prediction(path, error=f"Expected an image file. Received: {path!r}")

"""Folders of images, with one subfolder for each class."""

import collections
import dataclasses
import hashlib
import os
import pathlib

import numpy as np
import tensorflow as tf

from se_keras.data.image_source import EVALUATION_SPLITS, ImageSource
from se_keras.errors import UsageError

FOLDER = "folder:"  # before the path, where data sets have names
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
TRAIN = "train"
# Names of the subfolder with the evaluation images, and of the split.
EVALUATION_FOLDERS = {"val": "validation"} | {name: name for name in EVALUATION_SPLITS}
EVALUATION_FRACTION = 0.2  # of the images, if the folder is not split


@dataclasses.dataclass(frozen=True)
class FolderSource(ImageSource):
    """Image files in a folder.

    Attributes:
        name: `"folder:"` and the path.
        class_names: Names of the classes, sorted.
        files: Paths of the images and their labels, by split.
        train_split: Name of the training split.
        evaluation_split: Name of the evaluation split.
    """

    name: str
    class_names: tuple[str, ...]
    files: dict[str, tuple[list[str], list[int]]]
    train_split: str
    evaluation_split: str
    image_shape = (None, None, 3)

    def num_examples(self, split: str) -> int:
        """Returns the number of images of a split."""
        return len(self.files[split][0])

    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the encoded images, labels and paths of a split.

        With a `shuffle_seed` the order is drawn from all images.
        """
        paths, labels = (np.array(column) for column in self.files[split])
        if shuffle_seed is not None:
            order = np.random.default_rng(shuffle_seed).permutation(len(paths))
            paths, labels = paths[order], labels[order]
        return tf.data.Dataset.from_tensor_slices((paths, labels)).map(
            lambda path, label: (tf.io.read_file(path), label, path),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    def labels(self, split: str) -> np.ndarray:
        """Returns the labels of a split in its stored order, `(images,)`, int64."""
        return np.array(self.files[split][1], "int64")

    def limited(self, count: int) -> "FolderSource":
        """Returns a data set with some images of each split.

        They are the first of each class, in proportion to the class; each class has one
        if `count` is not less than the number of classes.

        Args:
            count: Images of each split at most.
        """
        files = {}
        for split, (paths, labels) in self.files.items():
            kept = _first_of_classes(np.array(labels), count)
            files[split] = [paths[i] for i in kept], [labels[i] for i in kept]
        return dataclasses.replace(self, files=files)


def _first_of_classes(labels, count):
    """Returns sorted indices of the first images of each class, `count` in all."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        place[of_class] = np.arange(len(of_class)) / len(of_class)
    return np.sort(np.argsort(place, kind="stable")[:count])


def open_folder(path: str) -> FolderSource:
    """Opens a folder of images.

    Args:
        path: A folder with one subfolder of images for each class; or with the
            subfolders `train` and `val` (or `validation`, or `test`), each of which has
            one subfolder for each class. In the first case a fifth of the images, which
            a hash of the file name chooses, is the evaluation split.

    Raises:
        UsageError: If there is no such folder, or it has no images, one class only, or
            a class without images for training or for evaluation.
    """
    root = pathlib.Path(path).expanduser()
    if not root.is_dir():
        raise UsageError(f"Expected a folder of images. Received: {path!r}")
    if (root / TRAIN).is_dir():
        evaluation, images = _stored_splits(root)
    else:
        evaluation, images = EVALUATION_SPLITS[0], _drawn_splits(root)
    classes = sorted({name for by_class in images.values() for name in by_class})
    _check(root, classes, images)
    return FolderSource(
        f"folder:{path}",
        tuple(classes),
        {split: _columns(classes, by_class) for split, by_class in images.items()},
        TRAIN,
        evaluation,
    )


def _stored_splits(root):
    """Returns the name of the evaluation split, and by split the images by class."""
    found = [name for name in EVALUATION_FOLDERS if (root / name).is_dir()]
    if not found:
        raise UsageError(
            f"Expected in {root} in addition to {TRAIN} one of the folders "
            f"{', '.join(EVALUATION_FOLDERS)}. Received: "
            f"{sorted(folder.name for folder in root.iterdir())}"
        )
    evaluation = EVALUATION_FOLDERS[found[0]]
    return evaluation, {
        TRAIN: _by_class(root / TRAIN),
        evaluation: _by_class(root / found[0]),
    }


def _drawn_splits(root):
    images = {split: collections.defaultdict(list) for split in (TRAIN, "validation")}
    for name, paths in _by_class(root).items():
        for path in paths:
            split = "validation" if _hash(path) < EVALUATION_FRACTION else TRAIN
            images[split][name].append(path)
    return images


def _hash(path):
    """Returns a number in 0..1 that depends on the name of a file only."""
    digest = hashlib.sha256(os.path.basename(path).encode("utf8", "surrogateescape"))
    return int.from_bytes(digest.digest()[:8]) / 2**64


def _by_class(root):
    """Returns the sorted paths of the images of each subfolder that has any."""
    folders = sorted(
        folder
        for folder in root.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
    )
    images = {folder.name: _images(folder) for folder in folders}
    return {name: paths for name, paths in images.items() if paths}


def _images(folder):
    images, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            # A link to a folder that was visited before.
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        images += [
            os.path.join(place, name)
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    for path in images:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"Expected file names in UTF-8. Received: {os.fsencode(path)!r}"
            ) from error
    return sorted(images)


def _check(root, classes, images):
    if not classes:
        raise UsageError(
            "Expected a folder with a subfolder of images for each class, files with "
            f"the suffix {', '.join(SUFFIXES)}. Received: {str(root)!r} without any"
        )
    if len(classes) == 1:
        raise UsageError(
            "Expected a folder with two classes or more, each a subfolder of images. "
            f"Received: {str(root)!r} with the class {classes[0]!r} only"
        )
    for split, by_class in images.items():
        lacking = [name for name in classes if name not in by_class]
        if lacking:
            raise UsageError(
                f"Expected images of all {len(classes)} classes for {TRAIN} and for "
                f"evaluation, in separate folders or enough to be split. "
                f"Received: {str(root)!r}, where {split} has no images of "
                f"{', '.join(map(repr, lacking[:3]))}"
                f"{', ...' if len(lacking) > 3 else ''}"
            )


def _columns(classes, by_class):
    """Returns a list of all paths, and a list of their labels."""
    pairs = [(p, label) for label, name in enumerate(classes) for p in by_class[name]]
    paths, labels = zip(*pairs, strict=True)
    return list(paths), list(labels)

"""Folders of images, with one subfolder for each class."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from se_keras.data.fingerprint import Fingerprint
from se_keras.data.image_source import ImageSource
from se_keras.data.layout import find_layout, read_folder
from se_keras.data.splits import TRAIN, Splits
from se_keras.data.tolerance import attempt
from se_keras.errors import UsageError

FOLDER = "folder:"  # before the path, where data sets have names


@dataclasses.dataclass(frozen=True)
class FolderSource(ImageSource):
    """Image files in a folder.

    Attributes:
        name: `"folder:"` and the path.
        class_names: Names of the classes, sorted.
        files: Paths of the images and their labels, by split.
        train_split: Name of the training split.
        evaluation_split: Name of the evaluation split.
        root: The folder.
        test_split: Name of the test split, if there is one in addition.
        left_out: Paths of the files that are not used, relative to the folder.
        places: By split, where its images are, for messages.
        notes: What the user should know of what is not used.
    """

    name: str
    class_names: tuple[str, ...]
    files: dict[str, tuple[list[str], list[int]]]
    train_split: str
    evaluation_split: str
    root: str
    test_split: str | None = None
    left_out: tuple[str, ...] = ()
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    image_shape = (None, None, 3)

    def num_examples(self, split: str) -> int:
        """Returns the number of images of a split."""
        return len(self.files[split][0])

    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the paths, labels and names of the images of a split.

        With a `shuffle_seed` the order is drawn from all images.
        """
        paths, labels = (np.array(column) for column in self.files[split])
        if shuffle_seed is not None:
            order = np.random.default_rng(shuffle_seed).permutation(len(paths))
            paths, labels = paths[order], labels[order]
        return tf.data.Dataset.from_tensor_slices((paths, labels, paths))

    def read(self, stored: tf.Tensor, tolerant: bool = False) -> tf.Tensor:
        """Returns the content of a file."""
        if tolerant:
            return attempt(tf.io.read_file, stored, tf.constant(""))[0]
        return tf.io.read_file(stored)

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

    def summary(self) -> list[str]:
        """Returns lines about the splits and the files that are left out."""
        return [*super().summary(), *self.notes]

    def fingerprint(self) -> Fingerprint:
        """Returns the classes, numbers, and the files with their sizes."""
        start = len(os.path.join(self.root, ""))
        files = [
            (path[start:].replace(os.sep, "/"), split, label, _size(path))
            for split, columns in self.files.items()
            for path, label in zip(*columns, strict=True)
        ]
        return dataclasses.replace(super().fingerprint(), files=files)


def _first_of_classes(labels, count):
    """Returns sorted indices of the first images of each class, `count` in all."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        place[of_class] = np.arange(len(of_class)) / len(of_class)
    return np.sort(np.argsort(place, kind="stable")[:count])


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return -1  # `on_bad_image` decides what happens with it


def open_folder(path: str, splits: Splits | None = None) -> FolderSource:
    """Opens a folder of images.

    Args:
        path: A folder with one subfolder of images for each class; or with subfolders
            such as `train`, `val` and `test`, each of which has one subfolder for each
            class.
        splits: Where the training, evaluation and test images come from. Defaults to
            `Splits()`.

    Raises:
        UsageError: If there is no such folder, or it has no images, one class only, a
            class without images, or a structure that can be understood in two ways.
    """
    splits = splits or Splits()
    root = pathlib.Path(path).expanduser()
    if not path or not root.is_dir():
        raise UsageError(f"Expected a folder of images. Received: {path!r}")
    tree = read_folder(root)
    layout = find_layout(tree, splits, str(root))
    used = {p for of in layout.images.values() for paths in of.values() for p in paths}
    return FolderSource(
        f"{FOLDER}{path}",
        layout.class_names,
        {
            split: _columns(root, layout.class_names, by_class)
            for split, by_class in layout.images.items()
        },
        TRAIN,
        layout.evaluation_split,
        str(root),
        layout.test_split,
        tuple(path for path in tree.all_files() if path not in used),
        layout.places,
        layout.notes,
    )


def _columns(root, classes, by_class):
    """Returns a list of all paths, and a list of their labels."""
    pairs = [
        (os.path.join(root, path), label)
        for label, name in enumerate(classes)
        for path in by_class.get(name, ())
    ]
    paths, labels = zip(*pairs, strict=True)
    return list(paths), list(labels)

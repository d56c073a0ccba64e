"""The embedded sample: scikit-learn's digits as a data set of TFDS."""

import os
import pathlib

import numpy as np
import tensorflow_datasets as tfds

NAME = "digits"
VERSION = "1.0.0"
TEST_FRACTION = 0.2
SPLIT_SEED = 0


def cache_dir() -> pathlib.Path:
    """Returns the directory of prepared data: `$XDG_CACHE_HOME/se_keras`."""
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(root) / "se_keras"


def prepare(data_dir: str | pathlib.Path) -> None:
    """Prepares the digits in `data_dir`, unless this is done already.

    1,797 scans of handwritten digits, 8 x 8 pixels, gray: the test part of the
    [UCI set](https://archive.ics.uci.edu/dataset/80). The pixels, 0..16 there, are
    scaled to 0..255; a fifth of each class is the test split.

    Args:
        data_dir: Directory of TFDS data sets.
    """
    directory = pathlib.Path(data_dir) / NAME / VERSION
    if directory.is_dir():
        return
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype("uint8")
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=TEST_FRACTION,
        random_state=SPLIT_SEED,
        stratify=labels,
    )
    try:
        _store(images, labels, {"train": train, "test": test}, data_dir)
    except OSError:
        # Another process was faster, and TFDS renames only what is complete.
        if not directory.is_dir():
            raise


def _store(images, labels, splits, data_dir):
    tfds.dataset_builders.store_as_tfds_dataset(
        name=NAME,
        version=VERSION,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
                "label": tfds.features.ClassLabel(names=[str(d) for d in range(10)]),
            }
        ),
        split_datasets={
            split: [
                (int(i), {"image": images[i], "label": int(labels[i])}) for i in indices
            ]
            for split, indices in splits.items()
        },
        data_dir=data_dir,
        description="scikit-learn's digits: 1,797 scans of 8 x 8 pixels.",
        homepage="https://scikit-learn.org/stable/datasets/toy_dataset.html",
    )

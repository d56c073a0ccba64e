r"""Prepares Fashion-MNIST from Debian's package as a data set of TensorFlow Datasets.

    apt-get install dataset-fashion-mnist
    python examples/prepare_fashion_mnist.py --data_dir=TFDS_DIRECTORY
    python examples/train_imagenet.py --dataset=fashion_mnist --data_dir=TFDS_DIRECTORY

It needs no connection to the internet. 60,000 training and 10,000 test images of 28 x
28 pixels, grayscale, of ten classes of clothes: https://arxiv.org/abs/1708.07747.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import gzip
import math
import pathlib
import struct
import zlib

import numpy as np
import tensorflow_datasets as tfds
from absl import flags, logging

from se_keras.cli.absl_main import run_main
from se_keras.cli.exit import exit_on_usage_error
from se_keras.errors import UsageError

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Directory of the TFDS data sets.", required=True
)
SOURCE = flags.DEFINE_string(
    "source", "/usr/share/datasets/fashion-mnist", "Directory of the four .gz files."
)

NAME = "fashion_mnist"
VERSION = "3.0.1"  # of the data set of this name that TFDS downloads
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FILES = {"train": "train", "test": "t10k"}


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Returns the bytes of a compressed IDX file, in the shape that it states.

    Raises:
        UsageError: If there is no such file, or it is damaged.
    """
    try:
        content = gzip.decompress(path.read_bytes())
        kind, rank = struct.unpack(">HBB", content[:4])[1:]
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        values = np.frombuffer(content, "uint8", offset=4 + 4 * rank)
    except FileNotFoundError as error:
        raise UsageError(
            f"Expected the file {path}, of Debian's package dataset-fashion-mnist. "
            "Received: a directory without it"
        ) from error
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise UsageError(
            f"Expected a compressed IDX file. Received: {path}, which cannot be read: "
            f"{error}"
        ) from error
    if kind != 8 or values.size != math.prod(shape):
        raise UsageError(f"Expected an IDX file of bytes, complete. Received: {path}")
    return values.reshape(shape)


def examples(directory: pathlib.Path, name: str) -> list:
    """Returns the numbered images and labels of a split."""
    images = read_idx(directory / f"{name}-images-idx3-ubyte.gz")[..., None]
    path = directory / f"{name}-labels-idx1-ubyte.gz"
    labels = read_idx(path)
    if len(images) != len(labels):
        raise UsageError(
            f"Expected a label for each image. Received: {len(images)} images and "
            f"{len(labels)} labels in {path}"
        )
    return [
        (number, {"image": image, "label": int(label)})
        for number, (image, label) in enumerate(zip(images, labels, strict=True))
    ]


def prepare(source: str, data_dir: str) -> pathlib.Path:
    """Prepares the data set in `data_dir` unless it exists; returns its directory."""
    directory = pathlib.Path(data_dir) / NAME / VERSION
    if directory.is_dir():
        return directory
    splits = {
        split: examples(pathlib.Path(source), name) for split, name in FILES.items()
    }
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name=NAME,
        version=VERSION,
        features=features,
        split_datasets=splits,
        data_dir=data_dir,
        description="Fashion-MNIST, from Debian's package.",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
    )
    return directory


def main(argv):
    """Prepares the data set that the flags name."""
    logging.set_verbosity(logging.ERROR)
    with exit_on_usage_error():
        if argv[1:]:
            raise UsageError(f"Expected flags only. Received: {' '.join(argv[1:])}")
        print(f"Prepared: {prepare(SOURCE.value, DATA_DIR.value)}")


if __name__ == "__main__":
    run_main(main)

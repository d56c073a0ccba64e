"""Images per second of the input alone, compared with other libraries.

    python benchmarks/input.py

JPEGs of 500 x 375 pixels in memory, cut from scikit-learn's two photographs; training
images of 224 x 224 in batches of 64. Every pipeline runs once in every round, so that
other load on the machine affects all of them; the table has medians.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import contextlib
import dataclasses
import io
import statistics
import time

# Triton, which PyTorch imports, crashes if it is loaded after TensorFlow.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import numpy as np
import report
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from se_keras.data import Augmentation, BadImages, ImageSource, training_batches
from se_keras.data.augmentation import transform
from se_keras.data.images import normalize
from se_keras.models import Preprocessing

BATCH = 64
PREPROCESSING = Preprocessing()
PAPER = Augmentation()
RAND_AUGMENT = dataclasses.replace(PAPER, operations=2, magnitude_std=0.5)
RSB = dataclasses.replace(RAND_AUGMENT, mixup=0.2, cutmix=1.0)
SKIP = {"bad_images": BadImages("skip")}


@dataclasses.dataclass(frozen=True)
class Memory(ImageSource):
    """JPEGs in memory, each repeated."""

    files: list[bytes]
    repeats: int = 1
    name = "memory"
    class_names = ("china", "flower")
    image_shape = (None, None, 3)
    train_split = evaluation_split = "train"

    def num_examples(self, split):
        """Returns the number of images."""
        return len(self.files) * self.repeats

    def named_records(self, split, shuffle_seed=None):
        """Returns the images, numbered."""
        count = len(self.files)
        names = [str(number) for number in range(count)]
        columns = (self.files, np.arange(count) % 2, names)
        return tf.data.Dataset.from_tensor_slices(columns).repeat(self.repeats)


def make_jpegs(count: int) -> list[bytes]:
    """Returns random crops of the photographs as JPEGs of 500 x 375 pixels."""
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    files = []
    for number in range(count):
        photo = photos[number % 2]
        scale, *place = rng.uniform((0.7, 0, 0), 1)
        size = np.multiply(photo.size, scale)
        left, top = np.multiply(np.subtract(photo.size, size), place)
        file = io.BytesIO()
        photo.resize((500, 375), box=(left, top, left + size[0], top + size[1])).save(
            file, "jpeg", quality=90
        )
        files.append(file.getvalue())
    return files


def ours(augmentation, **options):
    """Returns a function of a source that returns our training batches."""

    def make(source):
        return training_batches(
            source,
            PREPROCESSING,
            augmentation,
            batch_size=BATCH,
            seed=0,
            epoch=0,
            **options,
        )

    return make


def decode_only(source):
    """Decodes whole images and does nothing else."""
    return (
        source.records("train")
        .map(lambda file, _: tf.io.decode_jpeg(file, 3), tf.data.AUTOTUNE)
        .map(tf.shape)
        .batch(BATCH)
    )


def decode_and_slice(source):
    """The paper's images, cropped after the whole image is decoded."""

    def prepare(index, record):
        seed = tf.random.experimental.stateless_fold_in([0, 0], index)
        image = tf.io.decode_jpeg(record[0], 3)
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            tf.shape(image),
            tf.zeros((1, 0, 4)),
            seed,
            0.0,
            PAPER.aspect,
            PAPER.area,
            use_image_if_no_bounding_boxes=True,
        )
        part = tf.ensure_shape(tf.slice(image, begin, size), (None, None, 3))
        return normalize(transform(part, seed, PAPER, PREPROCESSING), PREPROCESSING)

    records = source.records("train").enumerate()
    return records.map(prepare, tf.data.AUTOTUNE).batch(BATCH, drop_remainder=True)


def with_layer(layer):
    """Returns a function of a source: the paper's images, and a layer on each batch."""
    plain = ours(PAPER)

    def make(source):
        augment = layer()
        pixels = plain(source).map(lambda x, _: PREPROCESSING.denormalize(x))
        return pixels.map(lambda x: augment(x, training=True), tf.data.AUTOTUNE)

    return make


def keras_layer():
    """Returns Keras's RandAugment."""
    import keras

    return keras.layers.RandAugment((0, 255), num_ops=2, factor=0.7)


def keras_cv_layer():
    """Returns keras-cv's RandAugment."""
    import keras_cv

    return keras_cv.layers.RandAugment((0, 255), 2, 0.7, 0.05)


class TorchImages:
    """The same images for PyTorch."""

    def __init__(self, files):
        from torchvision import transforms

        self.files = files
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(PREPROCESSING.size[0]),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(PREPROCESSING.mean, PREPROCESSING.std),
            ]
        )

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image = Image.open(io.BytesIO(self.files[index])).convert("RGB")
        return self.transform(image), index % 2


def torch_loader(source):
    """Torchvision's images from a DataLoader with persistent workers."""
    from torch.utils.data import DataLoader

    return DataLoader(
        TorchImages(source.files * source.repeats),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
        # A fork of a process with TensorFlow's threads may hang.
        multiprocessing_context="spawn",
    )


# Each pipeline, and its fraction of the images: slow ones get fewer.
PIPELINES = {
    "decode only": (decode_only, 1.0),
    "paper": (ours(PAPER), 1.0),
    "paper, on_bad_image=skip": (ours(PAPER, **SKIP), 1.0),
    "decode, slice, resize": (decode_and_slice, 1.0),
    "torchvision, 2 workers": (torch_loader, 1.0),
    "RandAugment": (ours(RAND_AUGMENT), 0.5),
    "RandAugment, MixUp, CutMix": (ours(RSB), 0.5),
    "RandAugment of keras-cv": (with_layer(keras_cv_layer), 0.5),
    "RandAugment of Keras": (with_layer(keras_layer), 0.1),
}


def measure(batches) -> float:
    """Returns images per second of one pass, without the start of the pipeline."""
    iterator = iter(batches)
    next(iterator)
    started, count = time.monotonic(), 0
    for _ in iterator:
        count += 1
    return count * BATCH / (time.monotonic() - started)


def main():
    """Measures all pipelines in turns and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--images", type=int, default=1280, help="number of images of a pass"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of pipelines, for a short run")
    report.add_flags(parser)
    options = parser.parse_args()
    files = make_jpegs(256)
    made = {}
    for name, (make, fraction) in PIPELINES.items():
        if options.only and name not in ("decode only", *options.only):
            continue
        repeats = max(1, round(options.images * fraction / len(files)))
        try:
            made[name] = make(Memory(files, repeats))
        except ImportError as error:
            print(f"{name}: skipped, {error}")
    rates = {name: [] for name in made}
    for turn in range(options.rounds + 1):
        for name, batches in made.items():
            rate = measure(batches)
            if turn:  # the first warms up
                rates[name].append(rate)
            print(f"{turn}/{options.rounds} {name}: {rate:.0f} images/s", flush=True)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    rows = [
        {
            "pipeline": name,
            "images_per_s": round(rate),
            "of_decode_only": rate / medians["decode only"],
        }
        for name, rate in medians.items()
    ]
    report.publish(options, rows)


if __name__ == "__main__":
    main()

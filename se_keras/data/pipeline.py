"""The assembled input pipelines."""

import pathlib

import tensorflow as tf

from se_keras.data.augmentation import Augmentation, augment
from se_keras.data.images import centre_crop
from se_keras.data.sources import ImageSource
from se_keras.errors import UsageError
from se_keras.models.preprocessing import Preprocessing

SHUFFLE_BUFFER = 16_384  # encoded images


def training_batches(
    source: ImageSource,
    record: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
) -> tf.data.Dataset:
    """Returns the batches of one epoch; the last, partial one is dropped.

    Order and augmentation depend on nothing but `(seed, epoch, index)` and the global
    seed of TensorFlow, which a run sets to `seed`.

    Args:
        source: Where the images come from.
        record: What the network expects.
        augmentation: What a training image goes through.
        batch_size: Images of a batch, over all replicas.
        seed: Seed of the run.
        epoch: Number of the epoch.

    Returns:
        A data set of pairs: normalised images `(batch, height, width, channels)`,
        float32, and labels `(batch,)`, integers.
    """
    examples = source.num_examples(source.train_split)
    epoch_seed = seed * 1_000_003 + epoch

    def prepare(index, example):
        encoded, label = example
        image_seed = tf.random.experimental.stateless_fold_in([seed, epoch], index)
        image = augment(encoded, image_seed, augmentation, record)
        return record.normalize(image), label

    return (
        source.records(source.train_split, shuffle_seed=epoch_seed)
        .shuffle(
            min(examples, SHUFFLE_BUFFER),
            seed=epoch_seed,
            reshuffle_each_iteration=False,
        )
        .enumerate()
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_batches(
    source: ImageSource, record: Preprocessing, *, batch_size: int
) -> tf.data.Dataset:
    """Returns the batches of the evaluation split; every image is there once.

    The last batch is filled up with blank images of weight 0, so that all batches
    have one shape and no replica goes without.

    Args:
        source: Where the images come from.
        record: What the network expects.
        batch_size: Images of a batch, over all replicas.

    Returns:
        A data set of triples: normalised images `(batch, height, width, channels)`,
        labels `(batch,)` and weights `(batch,)`, 1 or 0.
    """

    def prepare(encoded, label):
        return record.normalize(centre_crop(encoded, record)), label, 1.0

    blank = (
        tf.zeros((*record.size, record.channels)),
        tf.zeros((), tf.int64),
        tf.zeros(()),
    )
    missing = -source.num_examples(source.evaluation_split) % batch_size
    return (
        source.records(source.evaluation_split)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(tf.data.Dataset.from_tensors(blank).repeat(missing))
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def read_image(path: str | pathlib.Path, record: Preprocessing) -> tf.Tensor:
    """Reads an image file as evaluation sees it.

    Args:
        path: A JPEG, PNG, GIF or BMP file.
        record: What the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*record.size, record.channels)`.

    Raises:
        UsageError: If the file cannot be read or is no image.
    """
    try:
        encoded = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"Expected an image file. Received: {str(path)!r} ({error.strerror})"
        ) from error
    try:
        return centre_crop(tf.constant(encoded), record)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        raise UsageError(
            "Expected an image file: JPEG, PNG, GIF or BMP. "
            f"Received: {str(path)!r}, which is none"
        ) from error

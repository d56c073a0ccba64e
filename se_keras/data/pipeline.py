"""The assembled input pipelines."""

import pathlib

import tensorflow as tf

from se_keras.data.augmentation import Augmentation, augment
from se_keras.data.images import centre_crop
from se_keras.data.mixing import mix
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
    first_step: int = 0,
    share: tuple[int, int] = (0, 1),
    on_bad_image: str = "fail",
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
        first_step: Batches to leave out at the start. The others are those of an
            undisturbed epoch; images of the former are read and not decoded.
        share: Number of a worker, and of all workers: the batches are this worker's
            `batch_size // workers` images of each batch. It decodes no others.
        on_bad_image: `"fail"`.

    Returns:
        A data set of pairs: normalised images `(batch, height, width, channels)`,
        float32, and labels: integers `(batch,)`, or shares of the classes
        `(batch, classes)`, float32, where `augmentation.mixes`. It may go through
        `strategy.experimental_distribute_dataset`.
    """
    examples = source.num_examples(source.train_split)
    epoch_seed = seed * 1_000_003 + epoch
    worker, workers = share

    def prepare(index, example):
        encoded, label = example
        image_seed = tf.random.experimental.stateless_fold_in([seed, epoch], index)
        image = augment(encoded, image_seed, augmentation, record)
        return record.normalize(image), label

    def mix_batch(step, batch):
        images, labels = batch
        # Images count up from 0, batches down from -1: no seed is used twice.
        batch_seed = tf.random.experimental.stateless_fold_in([seed, epoch], -1 - step)
        labels = tf.one_hot(labels, len(source.class_names))
        return mix(images, labels, batch_seed, augmentation)

    batches = (
        source.records(source.train_split, shuffle_seed=epoch_seed)
        .shuffle(
            min(examples, SHUFFLE_BUFFER),
            seed=epoch_seed,
            reshuffle_each_iteration=False,
        )
        .enumerate()
        # All workers have the same number of batches.
        .take(examples // batch_size * batch_size)
        .skip(first_step * batch_size)
        .shard(workers, worker)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size // workers, drop_remainder=True)
    )
    if augmentation.mixes:
        batches = batches.enumerate(first_step).map(
            mix_batch, num_parallel_calls=tf.data.AUTOTUNE
        )
    return batches.prefetch(tf.data.AUTOTUNE).with_options(_options())


def evaluation_batches(
    source: ImageSource,
    record: Preprocessing,
    *,
    batch_size: int,
    share: tuple[int, int] = (0, 1),
    on_bad_image: str = "fail",
) -> tf.data.Dataset:
    """Returns the batches of the evaluation split; every image is there once.

    The last batch is filled up with blank images of weight 0, so that all batches
    have one shape and no replica goes without.

    Args:
        source: Where the images come from.
        record: What the network expects.
        batch_size: Images of a batch, over all replicas.
        share: As for `training_batches`.
        on_bad_image: `"fail"`.

    Returns:
        A data set of triples: normalised images `(batch, height, width, channels)`,
        labels `(batch,)` and weights `(batch,)`, 1 or 0. It may go through
        `strategy.experimental_distribute_dataset`.
    """

    def prepare(encoded, label):
        return record.normalize(centre_crop(encoded, record)), label, 1.0

    blank = (
        tf.zeros((*record.size, record.channels)),
        tf.zeros((), tf.int64),
        tf.zeros(()),
    )
    worker, workers = share
    examples = source.num_examples(source.evaluation_split)
    own = len(range(worker, examples, workers))
    missing = -(-examples // batch_size) * batch_size // workers - own
    return (
        source.records(source.evaluation_split)
        .shard(workers, worker)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(tf.data.Dataset.from_tensors(blank).repeat(missing))
        .batch(batch_size // workers, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(_options())
    )


def _options():
    """Returns the options under which several workers share the same batches.

    A worker's part is taken from the finished batches. By files, TensorFlow's first
    choice, workers would see other batches than one process does, and with fewer
    files than workers it gives up.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return options


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

"""The input pipelines: batches for training and evaluation."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from se_keras.data.augmentation import (
    Augmentation,
    decode_crop,
    draw_hole,
    erase,
    transform,
)
from se_keras.data.bad_images import (
    BadImages,
    count_bad,
    replace_bad,
    require_good,
)
from se_keras.data.balance import balanced
from se_keras.data.image_source import ImageSource
from se_keras.data.images import decode_image, decode_whole, normalize, resize_and_crop
from se_keras.data.mixing import mix
from se_keras.data.rand_augment import draw_operations, rand_augment
from se_keras.errors import UsageError
from se_keras.models.preprocessing import Preprocessing

SHUFFLE_BUFFER = 16_384  # encoded images
OPERATIONS = 100  # folded into the seed of RandAugment; no step of `transform` uses it


def training_batches(
    source: ImageSource,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    first_step: int = 0,
    class_counts: Sequence[int] | None = None,
    bad_images: BadImages | None = None,
    shard: tuple[int, int] = (0, 1),
    service: str | None = None,
) -> tf.data.Dataset:
    """Returns the batches of one epoch; the last, partial one is dropped.

    Order and augmentation depend only on `(seed, epoch, index)` and the global seed of
    TensorFlow, which a run sets to `seed`.

    Args:
        source: The data set.
        preprocessing: The images that the network expects.
        augmentation: The augmentation of the training images.
        batch_size: Number of images of a batch, over all replicas.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.
        first_step: Number of batches to skip at the start. The others are those of a
            whole epoch; the images of the skipped ones are not decoded.
        class_counts: Number of training images of each class, to take each class
            equally often: images of rare classes several times, and of frequent ones a
            part, another one in each epoch. Without it, each image is taken once. It
            cannot be given with `service`.
        bad_images: What to do with bad records, and where the names of skipped ones are
            added. Defaults to `BadImages("fail")`.
        shard: Index of this worker and number of workers. A worker decodes only its
            part of each batch, `batch_size / workers` images. Images that are mixed
            with each other are in the same part, so that the images are those of a
            single process.
        service: Address of the dispatcher of a `tf.data` service, `"grpc://..."`, that
            prepares the images. Its workers take images dynamically: an epoch has the
            same number of batches, in another order, and an image may be in it twice
            or not at all. `first_step` has an effect on the number of batches only.

    Returns:
        A data set of pairs: normalized images `(batch, height, width, channels)`,
        float32, and labels: integers `(batch,)`, or with `augmentation.mixes` fractions
        of the classes `(batch, classes)`, float32. Without `shard` it may be passed to
        `strategy.experimental_distribute_dataset`.

    Raises:
        UsageError: If the batch size is not a multiple of twice the number of workers.

    Example:

    ```python
    source = open_source("folder:flowers")
    preprocessing = Preprocessing(size=(224, 224))
    batches = training_batches(
        source, preprocessing, Augmentation(), batch_size=32, seed=0, epoch=0
    )
    images, labels = next(iter(batches))
    ```
    """
    bad_images = BadImages() if bad_images is None else bad_images
    share = _Share(batch_size, *shard)
    images = _Epoch(
        source, preprocessing, augmentation, seed, epoch, bad_images, class_counts
    )
    steps = source.num_examples(source.train_split) // batch_size - first_step
    records = images.records()
    if service:
        # The number of records that a worker of the service gets is not known.
        records = records.repeat().enumerate()
        first_step = 0
    else:
        records = share.of(records.enumerate().skip(first_step * batch_size))
    batches = (
        records.map(images.prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(share.size, drop_remainder=True)
        .enumerate(first_step)
        .map(images.finish, num_parallel_calls=tf.data.AUTOTUNE)
    )
    if service:
        batches = batches.apply(
            tf.data.experimental.service.distribute(
                tf.data.experimental.service.ShardingPolicy.DYNAMIC, service
            )
        )
    # One worker may have a complete part of the last, partial batch, and others not.
    return _finished(batches.take(steps), bad_images)


def evaluation_batches(
    source: ImageSource,
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    split: str | None = None,
    bad_images: BadImages | None = None,
    shard: tuple[int, int] = (0, 1),
    with_names: bool = False,
) -> tf.data.Dataset:
    """Returns the batches of the evaluation split, with every image once.

    The last batch is filled up with blank images of weight 0, so that all batches have
    one shape and every replica has images.

    Args:
        source: The data set.
        preprocessing: The images that the network expects.
        batch_size: Number of images of a batch, over all replicas.
        split: Name of the split. Defaults to the evaluation split.
        bad_images: What to do with bad records, and where the names of skipped ones are
            added. Defaults to `BadImages("fail")`.
        shard: Index of this worker and number of workers. A worker decodes only its
            part of the images; all workers have the same number of batches.
        with_names: Whether batches have the names of the records, too.

    Returns:
        A data set of triples: normalized images `(batch, height, width, channels)`,
        float32, labels `(batch,)`, integers, and weights `(batch,)`, 1 or 0; and with
        `with_names` names `(batch,)`, strings. Without `shard` it may be passed to
        `strategy.experimental_distribute_dataset`.

    Raises:
        UsageError: As `training_batches`.
    """
    bad_images = BadImages() if bad_images is None else bad_images
    share = _Share(batch_size, *shard)
    split = split or source.evaluation_split
    examples = source.num_examples(split)

    def prepare(stored, label, name):
        encoded = source.read(stored, bad_images.skips)
        channels = preprocessing.channels
        pixels, good = decode_whole(encoded, channels, bad_images.skips)
        image = normalize(resize_and_crop(pixels, preprocessing), preprocessing)
        return image, label, 1.0, name, good

    def finish(images, labels, weights, names, good):
        good &= _are_labels(labels, source)
        if not bad_images.skips:
            require_good(good, names, labels)
        weights *= tf.cast(good, tf.float32)
        return images, tf.where(good, labels, 0), weights, names, good

    blank = (
        tf.zeros((*preprocessing.size, preprocessing.channels)),
        tf.zeros((), tf.int64),
        tf.zeros(()),
        tf.constant(""),
        tf.constant(True),
    )
    mine = len(range(share.worker, examples, share.workers))
    missing = -(-examples // batch_size) * share.size - mine
    batches = (
        source.named_records(split)
        .shard(share.workers, share.worker)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(tf.data.Dataset.from_tensors(blank).repeat(missing))
        .batch(share.size, drop_remainder=True)
        .map(finish)
    )
    return _finished(batches, bad_images, with_names)


@dataclasses.dataclass(frozen=True)
class _Epoch:
    """The training images of one epoch, and their augmentation."""

    source: ImageSource
    preprocessing: Preprocessing
    augmentation: Augmentation
    seed: int
    epoch: int
    bad_images: BadImages
    class_counts: Sequence[int] | None

    def records(self):
        """Returns the records in the order of the epoch."""
        examples = self.source.num_examples(self.source.train_split)
        order = self.seed * 1_000_003 + self.epoch
        records = self.source.named_records(self.source.train_split, shuffle_seed=order)
        records = records.shuffle(
            min(examples, SHUFFLE_BUFFER), seed=order, reshuffle_each_iteration=False
        )
        repeats = self.augmentation.repeats
        if self.class_counts is not None:
            distinct = -(-examples // repeats)
            records = balanced(records, self.class_counts, distinct, self.epoch)
            # The copies of an image follow each other.
            records = records.shuffle(
                min(distinct, SHUFFLE_BUFFER), order, reshuffle_each_iteration=False
            ).take(distinct)
        if repeats == 1:
            return records
        return records.flat_map(
            lambda *example: tf.data.Dataset.from_tensors(example).repeat(repeats)
        ).take(examples)

    def prepare(self, index, example):
        """Decodes and crops an image by its index, and draws its other augmentation."""
        stored, label, name = example
        config, preprocessing, seed = (
            self.augmentation,
            self.preprocessing,
            self._fold_in(index),
        )
        tolerant = self.bad_images.skips
        encoded = self.source.read(stored, tolerant)
        pixels, good = decode_crop(encoded, seed, config, preprocessing, tolerant)
        image = transform(pixels, seed, config, preprocessing)
        if config.operations:
            image = tf.cast(tf.round(image), tf.uint8)
        else:
            image = normalize(image, preprocessing)
        return (
            image,
            label,
            name,
            good,
            self._draw_operations(seed),
            draw_hole(seed, config, preprocessing),
        )

    def _draw_operations(self, seed):
        config = self.augmentation
        if not config.operations:
            return tf.zeros((0, 3))
        seed = tf.random.experimental.stateless_fold_in(seed, OPERATIONS)
        strength = config.magnitude, config.magnitude_std
        return draw_operations(seed, config.operations, *strength)

    def finish(self, step, batch):
        """Applies to a batch what is fast on many images only, or needs all of them."""
        images, labels, names, good, draws, holes = batch
        good &= _are_labels(labels, self.source)
        if self.bad_images.skips:
            images, labels = replace_bad(images, labels, good)
        else:
            require_good(good, names, labels)
        if self.augmentation.operations:
            images = rand_augment(images, draws)
            images = normalize(tf.cast(images, tf.float32), self.preprocessing)
        if self.augmentation.erasing:
            images = erase(images, holes)
        if self.augmentation.mixes:
            # Images count up from 0, batches down from -1: no seed is used twice.
            labels = tf.one_hot(labels, len(self.source.class_names))
            seed = self._fold_in(-1 - step)
            images, labels = mix(images, labels, seed, self.augmentation)
        return images, labels, names, good

    def _fold_in(self, number):
        seed = tf.constant([self.seed, self.epoch], tf.int64)
        return tf.random.experimental.stateless_fold_in(seed, number)


@dataclasses.dataclass(frozen=True)
class _Share:
    """A worker's part of each batch: as many images from its start as from its end.

    So the image at the mirrored position, with which an image is mixed, is in the same
    part, and at the mirrored position of it.
    """

    batch_size: int
    worker: int
    workers: int

    def __post_init__(self):
        if self.workers > 1 and self.batch_size % (2 * self.workers):
            raise UsageError(
                f"Expected a multiple of {2 * self.workers}, twice the number of "
                f"workers, for batch_size. Received: batch_size={self.batch_size}"
            )

    @property
    def size(self):
        """Number of images in the part."""
        return self.batch_size // self.workers

    def of(self, records):
        """Returns the records of this worker, of all records with their index."""
        if self.workers == 1:
            return records

        def mine(index, _):
            place = index % self.batch_size
            from_end = self.batch_size - 1 - place
            return tf.minimum(place, from_end) // (self.size // 2) == self.worker

        return records.filter(mine)


def _are_labels(labels, source):
    return (labels >= 0) & (labels < len(source.class_names))


def _finished(batches, bad_images, with_names=False):
    """Counts bad images, and sets the options of all pipelines."""

    def count(*batch):
        *parts, names, good = batch
        if bad_images.skips:
            count_bad(good, names, bad_images)
        return (*parts, names) if with_names else tuple(parts)

    options = tf.data.Options()
    options.deterministic = True
    # A worker's part is taken from the finished batches. By files, the default of
    # TensorFlow, the batches would not be those of a single process, and fewer files
    # than workers would be an error.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return batches.map(count).prefetch(tf.data.AUTOTUNE).with_options(options)


def some_pixels(
    source: ImageSource,
    preprocessing: Preprocessing,
    split: str,
    count: int,
    seed: int = 0,
) -> np.ndarray:
    """Returns images of a split, cropped for evaluation and not normalized.

    Args:
        source: The data set.
        preprocessing: The images that the network expects.
        split: Name of the split.
        count: Number of images; all, if the split has fewer.
        seed: Seed of the choice: the same seed gives the same images.

    Returns:
        Pixels in 0..255, `(count, height, width, channels)`, float32.

    Example:

    ```python
    calibration = some_pixels(source, preprocessing, source.train_split, 200)
    ```
    """
    records = source.records(split, shuffle_seed=seed)
    chosen = records.shuffle(SHUFFLE_BUFFER, seed=seed).take(count)
    pixels = chosen.map(
        lambda encoded, label: decode_image(encoded, preprocessing), tf.data.AUTOTUNE
    )
    return np.stack([*pixels.as_numpy_iterator()])

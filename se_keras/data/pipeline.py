"""The assembled input pipelines."""

import dataclasses

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
    check_policy,
    count_bad,
    replace_bad,
    require_good,
)
from se_keras.data.image_source import ImageSource
from se_keras.data.images import center_crop, decode_whole, fit_center, normalize
from se_keras.data.mixing import mix
from se_keras.data.rand_augment import draw_operations, rand_augment
from se_keras.errors import UsageError
from se_keras.models.preprocessing import Preprocessing

SHUFFLE_BUFFER = 16_384  # encoded images
OPERATIONS = 100  # what RandAugment draws with, apart from the steps of `transform`


def training_batches(
    source: ImageSource,
    record: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    first_step: int = 0,
    on_bad_image: str = "fail",
    bad_images: BadImages | None = None,
    shard: tuple[int, int] = (0, 1),
    service: str | None = None,
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
        on_bad_image: `"fail"` raises an error with the record's name, see
            `naming_bad_images`; `"skip"` puts the next good image of the
            batch in its place.
        bad_images: Gets the names of the records that are skipped.
        shard: Number of this worker and number of workers. A worker decodes only its
            part of each batch, of `batch_size / workers` images. Mixed images have
            their partner in the same part, so that they are those of one process.
        service: Address of the dispatcher of a `tf.data` service, `"grpc://..."`, that
            is to do the work. Its workers share the images as they come: an epoch
            has as many batches as without, in another order, and an image may be in
            it twice or not at all. `first_step` gives the right number of batches.

    Returns:
        A data set of pairs: normalized images `(batch, height, width, channels)`,
        float32, and labels: integers `(batch,)`, or shares of the classes
        `(batch, classes)`, float32, where `augmentation.mixes`. Without `shard` it
        may go through `strategy.experimental_distribute_dataset`.

    Raises:
        UsageError: If there is no such policy, or a batch cannot be shared out.
    """
    check_policy(on_bad_image)
    share = _Share(batch_size, *shard)
    epoch = _Epoch(source, record, augmentation, seed, epoch, on_bad_image)
    steps = source.num_examples(source.train_split) // batch_size - first_step
    records = epoch.records()
    if service:
        # Of the records that a worker of the service gets, nobody knows the number.
        records = records.repeat().enumerate()
        first_step = 0
    else:
        records = share.of(records.enumerate().skip(first_step * batch_size))
    batches = (
        records.map(epoch.prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(share.size, drop_remainder=True)
        .enumerate(first_step)
        .map(epoch.finish, num_parallel_calls=tf.data.AUTOTUNE)
    )
    if service:
        batches = batches.apply(
            tf.data.experimental.service.distribute(
                tf.data.experimental.service.ShardingPolicy.DYNAMIC, service
            )
        )
    # One worker may have a whole part of the last, partial batch, and others not.
    return _finished(batches.take(steps), bad_images)


def evaluation_batches(
    source: ImageSource,
    record: Preprocessing,
    *,
    batch_size: int,
    on_bad_image: str = "fail",
    bad_images: BadImages | None = None,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Returns the batches of the evaluation split; every image is there once.

    The last batch is filled up with blank images of weight 0, so that all batches
    have one shape and no replica goes without.

    Args:
        source: Where the images come from.
        record: What the network expects.
        batch_size: Images of a batch, over all replicas.
        on_bad_image: `"fail"` raises an error with the record's name, see
            `naming_bad_images`; `"skip"` gives the image the weight 0.
        bad_images: Gets the names of the records that are skipped.
        shard: Number of this worker and number of workers. A worker decodes only its
            part of the images; all workers have the same number of batches.

    Returns:
        A data set of triples: normalized images `(batch, height, width, channels)`,
        labels `(batch,)` and weights `(batch,)`, 1 or 0. Without `shard` it may go
        through `strategy.experimental_distribute_dataset`.

    Raises:
        UsageError: If there is no such policy, or a batch cannot be shared out.
    """
    check_policy(on_bad_image)
    share = _Share(batch_size, *shard)
    examples = source.num_examples(source.evaluation_split)

    tolerant = on_bad_image == "skip"

    def prepare(encoded, label, name):
        pixels, good = decode_whole(encoded, record.channels, tolerant)
        image = normalize(fit_center(pixels, record), record)
        return image, label, 1.0, name, good

    def finish(images, labels, weights, names, good):
        good &= _are_labels(labels, source)
        if not tolerant:
            require_good(good, names, labels)
        weights *= tf.cast(good, tf.float32)
        return images, tf.where(good, labels, 0), weights, names, good

    blank = (
        tf.zeros((*record.size, record.channels)),
        tf.zeros((), tf.int64),
        tf.zeros(()),
        tf.constant(""),
        tf.constant(True),
    )
    mine = len(range(share.worker, examples, share.workers))
    missing = -(-examples // batch_size) * share.size - mine
    batches = (
        source.named_records(source.evaluation_split)
        .shard(share.workers, share.worker)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(tf.data.Dataset.from_tensors(blank).repeat(missing))
        .batch(share.size, drop_remainder=True)
        .map(finish)
    )
    return _finished(batches, bad_images)


@dataclasses.dataclass(frozen=True)
class _Epoch:
    """The training images of one epoch, and what each goes through."""

    source: ImageSource
    record: Preprocessing
    augmentation: Augmentation
    seed: int
    epoch: int
    on_bad_image: str

    def records(self):
        """Returns encoded images, labels and names in the order of the epoch."""
        examples = self.source.num_examples(self.source.train_split)
        order = self.seed * 1_000_003 + self.epoch
        records = self.source.named_records(self.source.train_split, shuffle_seed=order)
        records = records.shuffle(
            min(examples, SHUFFLE_BUFFER), seed=order, reshuffle_each_iteration=False
        )
        repeats = self.augmentation.repeats
        if repeats == 1:
            return records
        return records.flat_map(
            lambda *example: tf.data.Dataset.from_tensors(example).repeat(repeats)
        ).take(examples)

    def prepare(self, index, example):
        """Decodes and crops the image at a place of the epoch, and draws the rest."""
        encoded, label, name = example
        config, record, seed = self.augmentation, self.record, self._fold_in(index)
        tolerant = self.on_bad_image == "skip"
        pixels, good = decode_crop(encoded, seed, config, record, tolerant)
        image = transform(pixels, seed, config, record)
        if config.operations:
            image = tf.cast(tf.round(image), tf.uint8)
        else:
            image = normalize(image, record)
        return (
            image,
            label,
            name,
            good,
            self._draw_operations(seed),
            draw_hole(seed, config, record),
        )

    def _draw_operations(self, seed):
        config = self.augmentation
        if not config.operations:
            return tf.zeros((0, 3))
        seed = tf.random.experimental.stateless_fold_in(seed, OPERATIONS)
        strength = config.magnitude, config.magnitude_std
        return draw_operations(seed, config.operations, *strength)

    def finish(self, step, batch):
        """Does to a batch what is fast only on many images, or needs them all."""
        images, labels, names, good, draws, holes = batch
        good &= _are_labels(labels, self.source)
        if self.on_bad_image == "skip":
            images, labels = replace_bad(images, labels, good)
        else:
            require_good(good, names, labels)
        if self.augmentation.operations:
            images = rand_augment(images, draws)
            images = normalize(tf.cast(images, tf.float32), self.record)
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
    """A worker's part of each batch: as far from the start as from the end.

    So the image at the mirrored place, which mixing takes, is in the same part, and
    at the mirrored place of it.
    """

    batch_size: int
    worker: int
    workers: int

    def __post_init__(self):
        if self.workers > 1 and self.batch_size % (2 * self.workers):
            raise UsageError(
                "Expected a batch_size that is a multiple of twice the workers, "
                f"{self.workers}. Received: batch_size={self.batch_size}"
            )

    @property
    def size(self):
        """Images of a batch of this worker."""
        return self.batch_size // self.workers

    def of(self, records):
        """Returns the records of this worker among those of all, with their index."""
        if self.workers == 1:
            return records

        def mine(index, _):
            place = index % self.batch_size
            from_end = self.batch_size - 1 - place
            return tf.minimum(place, from_end) // (self.size // 2) == self.worker

        return records.filter(mine)


def _are_labels(labels, source):
    return (labels >= 0) & (labels < len(source.class_names))


def _finished(batches, bad_images):
    """Counts bad images and drops the names; sets the options of all pipelines."""

    def without_names(*batch):
        *parts, names, good = batch
        if bad_images is not None:
            count_bad(good, names, bad_images)
        return tuple(parts)

    options = tf.data.Options()
    options.deterministic = True
    # A worker's part is taken from the finished batches. By files, TensorFlow's first
    # choice, workers would see other batches than one process does, and with fewer
    # files than workers it gives up.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return batches.map(without_names).prefetch(tf.data.AUTOTUNE).with_options(options)


def some_pixels(
    source: ImageSource, record: Preprocessing, split: str, count: int, seed: int = 0
) -> np.ndarray:
    """Returns images of all of a split as evaluation sees them, before normalization.

    Args:
        source: Where the images come from.
        record: What the network expects.
        split: Name of the split.
        count: How many images; all, if the split has fewer.
        seed: Which images: the same seed gives the same ones.

    Returns:
        Pixels in 0..255, float32, of shape `(count, *record.size, record.channels)`.
    """
    records = source.records(split, shuffle_seed=seed)
    chosen = records.shuffle(SHUFFLE_BUFFER, seed=seed).take(count)
    pixels = chosen.map(
        lambda encoded, label: center_crop(encoded, record), tf.data.AUTOTUNE
    )
    return np.stack([*pixels.as_numpy_iterator()])

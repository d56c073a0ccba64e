"""Data sets of TensorFlow Datasets."""

import contextlib
import dataclasses
import difflib
import functools
import pathlib
from itertools import pairwise

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from se_keras.data import embedded
from se_keras.data.fingerprint import Fingerprint
from se_keras.data.folder import FOLDER
from se_keras.data.image_source import ImageSource
from se_keras.data.splits import (
    FIELDS,
    TEST,
    TRAIN,
    VALIDATION,
    Splits,
    draw_evaluation,
    flags,
    listed,
    split_called,
)
from se_keras.errors import RunError, UsageError

# Types of pixels that are stored as such. TFDS stores floats as bytes of RGBA.
PIXELS = ("uint8", "uint16")
BATCH = 10_000  # records whose labels are read at once


class Drawn:
    """A split of TFDS of which some records are drawn for the evaluation.

    A record is recognized by its name, whatever the order in which files are read.

    Args:
        split: The split of TFDS.
        names: Names of all its records.
        drawn: Names of the records for the evaluation.

    Attributes:
        split: The split of TFDS.
        images: Number of records for training and for evaluation, by split.
    """

    def __init__(self, split: str, names: list[str], drawn: set[str]):
        self.split = split
        self.images = {TRAIN: len(names) - len(drawn), VALIDATION: len(drawn)}
        # No table of TensorFlow: a tf.data service could not initialize it.
        self._drawn = np.sort(_name_hash(sorted(drawn)))

    def of(self, dataset: tf.data.Dataset, split: str) -> tf.data.Dataset:
        """Returns the triples of `named_records` that belong to a split."""

        def belongs(encoded, label, name):
            value = _name_hash(name)
            place = tf.searchsorted(self._drawn, [value])[0]
            found = tf.gather(self._drawn, tf.minimum(place, len(self._drawn) - 1))
            return (found == value) == (split == VALIDATION)

        return dataset.filter(belongs)


def _name_hash(names):
    return tf.strings.to_hash_bucket_fast(names, 2**63 - 1)


@dataclasses.dataclass(frozen=True)
class TfdsSource(ImageSource):
    """A prepared data set of TFDS.

    Attributes:
        builder: The `tfds.core.DatasetBuilder`.
        image_key: Name of the image feature.
        label_key: Name of the label feature.
        train_split: Name of the training split: one of TFDS, unless it is drawn.
        evaluation_split: Name of the evaluation split.
        test_split: Name of the test split, if there is one in addition.
        drawn: How the training and the evaluation split are drawn, if they are.
    """

    builder: tfds.core.DatasetBuilder
    image_key: str
    label_key: str
    train_split: str
    evaluation_split: str
    test_split: str | None = None
    drawn: Drawn | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the data set."""
        return self.builder.info.name

    @property
    def class_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the classes in the order of the labels."""
        return tuple(self.builder.info.features[self.label_key].names)

    @property
    def image_shape(  # type: ignore[override]
        self,
    ) -> tuple[int | None, int | None, int]:
        """Height, width and channels of the stored images; `None` where they vary."""
        return tuple(self.builder.info.features[self.image_key].shape)

    def num_examples(self, split: str) -> int:
        """Returns the number of images of a split."""
        if self.drawn and split in self.drawn.images:
            return self.drawn.images[split]
        return self.builder.info.splits[split].num_examples

    @property
    def places(self) -> dict[str, str]:  # type: ignore[override]
        """Where the drawn split comes from."""
        return {VALIDATION: f"drawn from {self.drawn.split}"} if self.drawn else {}

    def fingerprint(self) -> Fingerprint:
        """Returns the version, classes and numbers: a version does not change."""
        info = self.builder.info
        return dataclasses.replace(
            super().fingerprint(),
            facts={
                "data set": info.full_name,
                "stored": {
                    split: [stored.num_examples, stored.num_bytes]
                    for split, stored in sorted(info.splits.items())
                },
            },
        )

    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the encoded images, labels and names of a split.

        Files are read in parallel, in blocks. A name consists of the name of a file
        and the number of the record in it, as in TFDS.
        """
        if self.drawn and split in self.drawn.images:
            return self.drawn.of(self._records(self.drawn.split, shuffle_seed), split)
        return self._records(split, shuffle_seed)

    def labels(self, split: str) -> np.ndarray:
        """Returns the labels of a split in its stored order, `(images,)`, int64."""
        if self.drawn and split in self.drawn.images:
            records = self.drawn.of(self._labels(self.drawn.split), split)
        else:
            records = self._labels(split)
        batches = records.batch(BATCH).as_numpy_iterator()
        return np.concatenate([labels for _, labels, _ in batches])

    def names_by_class(self, split: str) -> dict[str, list[str]]:
        """Returns the names of the records of each class of a split of TFDS.

        Args:
            split: The split.
        """
        found: dict[str, list[str]] = {name: [] for name in self.class_names}
        for _, labels, names in self._labels(split).batch(BATCH).as_numpy_iterator():
            for label, name in zip(labels.tolist(), names.tolist(), strict=True):
                # A label that is not a class is a bad image, in training.
                found[self.class_names[max(0, label)]].append(name.decode())
        return {name: names for name, names in found.items() if names}

    def _labels(self, split):
        """Returns records without the images, which are read and not decoded."""
        dataset = self._read(split, {self.label_key: True}, {})
        return dataset.map(
            lambda example: ("", example[self.label_key], _name_of(example, split))
        )

    def _records(self, split, shuffle_seed=None):
        dataset = self._read(
            split,
            {self.image_key: True, self.label_key: True},
            {self.image_key: tfds.decode.SkipDecoding()},
            shuffle_seed,
        )
        return dataset.map(
            lambda example: (
                example[self.image_key],
                example[self.label_key],
                _name_of(example, split),
            )
        )

    def _read(self, split, features, decoders, shuffle_seed=None):
        read_config = tfds.ReadConfig(
            shuffle_seed=shuffle_seed,
            try_autocache=False,
            skip_prefetch=True,
            add_tfds_id=True,
            # A worker of a tf.data service has some of the files only.
            assert_cardinality=False,
            # Data sets that are stored in an order, as by class, are shuffled, too.
            enable_ordering_guard=False,
        )
        read_config.options.deterministic = True
        with _quiet_tensorflow():
            return self.builder.as_dataset(
                split=split,
                shuffle_files=shuffle_seed is not None,
                read_config=read_config,
                decoders=tfds.decode.PartialDecoding(features, decoders=decoders),
            )


def _name_of(example, split):
    return example.get("tfds_id", f"a record of {split}")


@contextlib.contextmanager
def _quiet_tensorflow():
    """Suppresses the warning that TFDS calls a renamed function of TensorFlow."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def open_tfds(
    name: str, data_dir: str | pathlib.Path | None, splits: Splits | None = None
) -> TfdsSource:
    """Opens a data set of TFDS, and prepares it first if necessary and possible.

    Args:
        name: Name of the data set, optionally with a config and a version.
        data_dir: Directory of TFDS data sets. Defaults to that of TFDS.
        splits: Where the training, evaluation and test images come from. Defaults to
            `Splits()`.

    Raises:
        UsageError: As `open_source`.
    """
    splits = splits or Splits()
    builder = _builder(name, data_dir)
    image_key, label_key = _keys(name, builder)
    if not builder.is_prepared():
        _prepare(name, builder)
    found = _find_splits(name, builder, splits)
    _check_apart(name, builder, found)
    source = functools.partial(TfdsSource, builder, image_key, label_key)
    train, evaluation, test = (found.get(split) for split in FIELDS)
    if test and TEST not in splits.given:
        if not evaluation:
            evaluation, test = test, None
        elif not _is_labeled(source(train, evaluation), test):
            test = None
    if evaluation:
        return source(train, evaluation, test)
    return source(
        TRAIN, VALIDATION, test, _draw(name, source(train, train), train, splits)
    )


def _builder(name, data_dir):
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        names = [embedded.NAME, *tfds.list_builders(with_community_datasets=False)]
        nearest = difflib.get_close_matches(name, names, n=3)
        hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
        raise UsageError(
            "Expected the name of a data set of TensorFlow Datasets, "
            f"{embedded.NAME!r} or {FOLDER}PATH. {hint}Received: {name!r}"
        ) from error
    except RunError:
        raise  # a signal asked the run to stop
    except Exception as error:  # a data set's own code may raise anything
        raise UsageError(
            f"Expected a data set that can be opened. Received: {name!r} ({error})"
        ) from error


def _keys(name, builder):
    """Returns the names of the image and the label feature."""
    features = dict(builder.info.features.items())
    keys = builder.info.supervised_keys
    if not keys:
        kinds = (tfds.features.Image, tfds.features.ClassLabel)
        found = [
            [k for k, f in features.items() if isinstance(f, kind)] for kind in kinds
        ]
        keys = [matches[0] for matches in found if len(matches) == 1]
    if not (
        len(keys) == 2
        and isinstance(features.get(keys[0]), tfds.features.Image)
        and isinstance(features.get(keys[1]), tfds.features.ClassLabel)
    ):
        raise UsageError(
            f"Expected a data set of images with one class each. Received: {name!r} "
            f"with the features {sorted(features)}"
        )
    dtype = np.dtype(features[keys[0]].np_dtype).name
    if dtype not in PIXELS:
        raise UsageError(
            f"Expected a data set of images of {' or '.join(PIXELS)}. "
            f"Received: {name!r} with images of {dtype}"
        )
    return tuple(keys)


def _prepare(name, builder):
    """Downloads and prepares a data set."""
    try:
        builder.download_and_prepare()
    except RunError:
        raise  # a signal asked the run to stop
    except Exception as error:  # a data set's own code may raise anything
        directory = builder.data_dir_root
        if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            raise UsageError(
                f"Data set {name!r} is not in {directory}. TFDS cannot download it: "
                f"put its files into {directory / 'downloads' / 'manual'}. "
                f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            ) from error
        raise UsageError(
            f"Data set {name!r} is not in {directory} and could not be downloaded: "
            f"{error}. Without a network, prepare it on another machine with "
            f"`tfds build {name}` and copy the directory {name} there, or give its "
            "parent with --data_dir"
        ) from error


def _find_splits(name, builder, splits):
    """Returns by split its name in TFDS, or an expression of such names."""
    found = {}
    for stored in builder.info.splits:
        split = split_called(stored)
        if split and split not in splits.given:
            if split in found:
                raise UsageError(
                    f"Expected one {split} split, or {flags(split)}. "
                    f"Received: {name!r} with {found[split]!r} and {stored!r}"
                )
            found[split] = stored
    found |= splits.given
    if TRAIN not in found:
        raise UsageError(
            f"Expected a data set with a split train, or {flags(TRAIN)}. "
            f"Received: {name!r} with the splits {sorted(builder.info.splits)}"
        )
    for split, expression in splits.given.items():
        try:
            images = builder.info.splits[expression].num_examples
        except (ValueError, KeyError, AssertionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UsageError(
                "Expected a split of TFDS, such as train or train[:80%], for "
                f"{flags(split)}. Received: {expression!r} of {name!r} ({reason})"
            ) from error
        if not images:
            raise UsageError(
                f"Expected a split with images for {flags(split)}. "
                f"Received: {expression!r} of {name!r}"
            )
    return found


def _check_apart(name, builder, found):
    """Checks that no record is in two splits."""
    ranges = [
        (part.filename, part.skip, part.skip + part.take, split)
        for split, expression in found.items()
        for part in builder.info.splits[expression].file_instructions
    ]
    ranges.sort()
    for (file, _, end, split), (other_file, start, _, other) in pairwise(ranges):
        if file == other_file and start < end and split != other:
            raise UsageError(
                f"Expected separate images for {flags(split, other)}. Received: "
                f"{found[split]!r} and {found[other]!r} of {name!r}"
            )


def _is_labeled(source, split):
    """Returns whether a split has labels, as the test of ImageNet has not."""
    try:
        records = source.records(split).take(1)
        return all(label >= 0 for _, label in records.as_numpy_iterator())
    except tf.errors.NotFoundError:
        return False  # its files were not copied


def _draw(name, source, split, splits):
    if splits.split_by != "file":
        raise UsageError(
            "Expected split_by=file for a data set of TFDS, whose images are in no "
            f"folders. Received: split_by={splits.split_by!r} for {name!r}"
        )
    labels = source.names_by_class(split)
    lacking = [n for n in source.class_names if n not in labels]
    if lacking:
        raise UsageError(
            f"Expected images of all {len(source.class_names)} classes in {split!r}. "
            f"Received: {name!r} without any of {listed(lacking)}"
        )
    drawn = draw_evaluation(labels, splits.evaluation_fraction, splits.split_seed)
    return Drawn(split, [i for ids in labels.values() for i in ids], drawn)

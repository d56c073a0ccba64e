"""Data sets of TensorFlow Datasets."""

import contextlib
import dataclasses
import difflib
import pathlib

import tensorflow as tf
import tensorflow_datasets as tfds

from se_keras.data import embedded
from se_keras.data.folder import FOLDER
from se_keras.data.image_source import EVALUATION_SPLITS, ImageSource
from se_keras.errors import RunError, UsageError


@dataclasses.dataclass(frozen=True)
class TfdsSource(ImageSource):
    """A prepared data set of TFDS.

    Attributes:
        builder: The `tfds.core.DatasetBuilder`.
        image_key: Name of the image feature.
        label_key: Name of the label feature.
        train_split: Name of the training split.
        evaluation_split: Name of the evaluation split.
    """

    builder: tfds.core.DatasetBuilder
    image_key: str
    label_key: str
    train_split: str
    evaluation_split: str

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
        return self.builder.info.splits[split].num_examples

    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the encoded images, labels and names of a split.

        Files are read in parallel, in blocks. A name consists of the name of a file
        and the number of the record in it, as in TFDS.
        """
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
            dataset = self.builder.as_dataset(
                split=split,
                shuffle_files=shuffle_seed is not None,
                read_config=read_config,
                decoders=tfds.decode.PartialDecoding(
                    {self.image_key: True, self.label_key: True},
                    decoders={self.image_key: tfds.decode.SkipDecoding()},
                ),
            )
        return dataset.map(
            lambda example: (
                example[self.image_key],
                example[self.label_key],
                example.get("tfds_id", f"a record of {split}"),
            )
        )


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


def open_tfds(name: str, data_dir: str | pathlib.Path | None) -> TfdsSource:
    """Opens a data set of TFDS, and prepares it first if necessary and possible.

    Args:
        name: Name of the data set, optionally with a config and a version.
        data_dir: Directory of TFDS data sets. Defaults to that of TFDS.

    Raises:
        UsageError: As `open_source`.
    """
    builder = _builder(name, data_dir)
    image_key, label_key = _keys(name, builder)
    if not builder.is_prepared():
        _prepare(name, builder)
    train_split, evaluation_split = _splits(name, builder)
    return TfdsSource(builder, image_key, label_key, train_split, evaluation_split)


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
                f"Data set {name!r} is not in {directory} and has to be downloaded by "
                f"hand into {directory / 'downloads' / 'manual'}: "
                f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            ) from error
        raise UsageError(
            f"Data set {name!r} is not in {directory} and could not be downloaded: "
            f"{error}. Without a network, prepare it on another machine with "
            f"`tfds build {name}` and copy the directory {name} there, or give its "
            "parent with --data_dir"
        ) from error


def _splits(name, builder):
    splits = builder.info.splits
    evaluation = next((s for s in EVALUATION_SPLITS if s in splits), None)
    if "train" not in splits or evaluation is None:
        raise UsageError(
            f"Expected a data set with a split train and one of {EVALUATION_SPLITS}. "
            f"Received: {name!r} with the splits {sorted(splits)}"
        )
    return "train", evaluation

"""The interface of data sets of images."""

import abc
import dataclasses
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from se_keras.data.fingerprint import LEFT_OUT, Fingerprint
from se_keras.data.layout import count_suffixes


class ImageSource(abc.ABC):
    """A data set of images with one label each.

    A subclass sets the attributes and implements `num_examples` and `named_records`.

    Attributes:
        name: Name of the data set.
        class_names: Names of the classes in the order of the labels.
        image_shape: Height, width and channels of the images; height and width are
            `None` if they vary.
        train_split: Name of the training split.
        evaluation_split: Name of the evaluation split.
        test_split: Name of the split that a run evaluates once, at its end; `None` if
            there is none.
        left_out: Paths of files that are not used.
        places: By split, where its images come from, for messages.
    """

    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[int | None, int | None, int]
    train_split: str
    evaluation_split: str
    test_split: str | None = None
    left_out: tuple[str, ...] = ()
    places: Mapping[str, str] = types.MappingProxyType({})

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that a run uses."""
        test = () if self.test_split is None else (self.test_split,)
        return (self.train_split, self.evaluation_split, *test)

    @abc.abstractmethod
    def num_examples(self, split: str) -> int:
        """Returns the number of images of a split.

        Args:
            split: Name of the split.
        """

    def records(self, split: str, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Returns the encoded images and labels of a split.

        Args:
            split: Name of the split.
            shuffle_seed: As in `named_records`.

        Returns:
            A data set of pairs: an encoded image, a scalar string, and its label, an
            integer.
        """
        records = self.named_records(split, shuffle_seed)
        return records.map(
            lambda stored, label, name: (self.read(stored), label),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    def read(self, stored: tf.Tensor, tolerant: bool = False) -> tf.Tensor:
        """Returns the encoded image of a record of `named_records`.

        A data set whose records are paths overrides this, so that a pipeline reads
        only the files that it decodes, and a file that cannot be read is a bad image.

        Args:
            stored: The first tensor of a record.
            tolerant: Whether the result for an image that cannot be read is an empty
                string, and not an error.
        """
        return stored

    @abc.abstractmethod
    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the images, labels and names of a split.

        Args:
            split: Name of the split.
            shuffle_seed: If given, files are read in an order that is drawn from it;
                the same seed gives the same order. Defaults to the stored order.

        Returns:
            A data set of triples: an encoded image, or that of which `read` returns
            one, a scalar string; its label, an integer; and the name of the record, a
            string, for messages.
        """

    def labels(self, split: str) -> np.ndarray:
        """Returns the labels of a split in its stored order, `(images,)`, int64.

        Where they are only in the records, all of these are read.

        Args:
            split: Name of the split.
        """
        batches = self.named_records(split).map(lambda _, label, name: label)
        return np.concatenate([*batches.batch(1024).as_numpy_iterator()])

    def limited(self, count: int) -> "ImageSource":
        """Returns a data set with the first images of each split.

        Args:
            count: Images of each split at most.
        """
        return _LimitedSource(self, count)

    def summary(self) -> list[str]:
        """Returns lines about the splits and the files that are left out."""
        counts = []
        for split in self.splits:
            place = self.places.get(split, split)
            counts.append(
                f"{split} {self.num_examples(split)}"
                + (f" ({place})" if place != split else "")
            )
        lines = [f"Images: {', '.join(counts)}."]
        if self.left_out:
            lines.append(
                f"Left out {len(self.left_out)} files: "
                f"{count_suffixes(self.left_out)} (a run lists them in {LEFT_OUT})."
            )
        return lines

    def fingerprint(self) -> Fingerprint:
        """Returns what a run that continues compares."""
        return Fingerprint(
            class_names=tuple(self.class_names),
            images={split: self.num_examples(split) for split in self.splits},
            left_out=self.left_out,
        )


class _LimitedSource(ImageSource):
    """The first records of each split of a source, whose attributes it has."""

    def __init__(self, source: ImageSource, count: int):
        self._source = source
        self._count = count
        self.test_split = source.test_split
        self.left_out = source.left_out
        self.places = source.places

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def num_examples(self, split: str) -> int:
        """Returns the number of images of a split."""
        return min(self._count, self._source.num_examples(split))

    def read(self, stored: tf.Tensor, tolerant: bool = False) -> tf.Tensor:
        """Returns the encoded image of a record."""
        return self._source.read(stored, tolerant)

    def named_records(
        self, split: str, shuffle_seed: int | None = None
    ) -> tf.data.Dataset:
        """Returns the encoded images, labels and names of a split."""
        # Which records are the first depends on the order of reading.
        records = self._source.named_records(split).take(self._count)
        if shuffle_seed is None:
            return records
        return records.shuffle(self._count, shuffle_seed, False)

    def fingerprint(self) -> Fingerprint:
        """Returns what identifies the whole source, and the numbers of images here."""
        own = super().fingerprint()
        return dataclasses.replace(self._source.fingerprint(), images=own.images)

"""Records of a data set that are not an image, or whose label is not a class."""

import contextlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from se_keras.data.formats import NAMES, REFUSED
from se_keras.data.image_source import ImageSource
from se_keras.data.images import decode_whole, reason_of
from se_keras.data.settings import POLICIES
from se_keras.errors import UsageError

MESSAGE = "Expected an image and a label of the data set. Received"
# Nodes that an error comes from, or its reason.
DECODERS = re.compile(f"Decode|Jpeg|ReadFile|{REFUSED}")
NAMED = 5  # bad records that an error lists


class BadImages:
    """What pipelines do with bad records, and the names of those that they skipped.

    A record is bad if it is not an image, cannot be read, or has a label that is not a
    class. The length of this object is the number of those that were skipped.

    Args:
        policy: `"fail"` raises an error, see `naming_bad_images`. `"skip"` replaces a
            bad training image by the next good image of its batch, and gives a bad
            evaluation image the weight 0.

    Raises:
        UsageError: If there is no such policy.

    Example:

    >>> bad = BadImages("skip")
    >>> bad.add(np.array([b"train/7.jpg", b"train/7.jpg"]))
    >>> len(bad), bad.names
    (1, ('train/7.jpg',))
    """

    def __init__(self, policy: str = "fail"):
        if policy not in POLICIES:
            raise UsageError(
                f"Expected on_bad_image to be one of {', '.join(POLICIES)}. "
                f"Received: {policy!r}"
            )
        self.policy = policy
        self._names: set[str] = set()

    def __len__(self):
        return len(self._names)

    @property
    def skips(self) -> bool:
        """Whether bad records are skipped."""
        return self.policy == "skip"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the records, sorted."""
        return tuple(sorted(self._names))

    def add(self, names: np.ndarray) -> None:
        """Adds some names, `(count,)`, which may be there already."""
        self._names |= {name.decode(errors="replace") for name in names}


def require_good(good: tf.Tensor, names: tf.Tensor, labels: tf.Tensor) -> None:
    """Makes a pipeline fail on a batch with a bad record, with the record's name.

    Args:
        good: Whether each record is good, `(batch,)`.
        names: Names of the records, `(batch,)`.
        labels: Labels `(batch,)`.
    """
    first = tf.argmin(tf.cast(good, tf.int32))
    found = [f"{MESSAGE}:", names[first], "with the label", labels[first]]
    tf.debugging.Assert(tf.reduce_all(good), found)


def replace_bad(
    images: tf.Tensor, labels: tf.Tensor, good: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces each bad image of a batch by the next good one.

    So the batch keeps its size, other batches keep their images, and one good image
    counts twice. A weight of 0 would need weights in every loss, and batch
    normalization would include the blank image anyway.

    Args:
        images: Images `(batch, height, width, channels)`.
        labels: Labels `(batch,)`.
        good: Whether each image is good, `(batch,)`.

    Returns:
        Images and labels.
    """

    def replace():
        places = tf.where(good)[:, 0]
        tf.debugging.Assert(tf.size(places) > 0, [f"{MESSAGE} a batch of bad ones"])
        batch = tf.range(tf.size(good, tf.int64))
        following = tf.searchsorted(places, batch) % tf.size(places)
        rows = tf.gather(places, following)
        return tf.gather(images, rows), tf.gather(labels, rows)

    return tf.cond(tf.reduce_all(good), lambda: (images, labels), replace)


def count_bad(good: tf.Tensor, names: tf.Tensor, bad_images: BadImages) -> None:
    """Adds the names of the bad images of a batch to `bad_images`.

    Args:
        good: Whether each image is good, `(batch,)`.
        names: Names of the records, `(batch,)`.
        bad_images: Where the names are added.
    """

    def add(names):
        bad_images.add(names)
        return np.int64(len(bad_images))

    tf.cond(
        tf.reduce_all(good),
        lambda: np.int64(0),
        lambda: tf.numpy_function(add, [names[~good]], tf.int64),
    )


def find_bad_images(source: ImageSource, split: str, limit: int) -> list[str]:
    """Decodes a split and describes its first bad records.

    Args:
        source: The data set.
        split: Name of the split.
        limit: Largest number of records.

    Returns:
        For each record its name and, in parentheses, why it is bad.
    """
    channels, classes = source.image_shape[2], len(source.class_names)

    def check(stored, label, name):
        _, good = decode_whole(source.read(stored, tolerant=True), channels, True)
        return good & (label >= 0) & (label < classes), stored, name

    checked = source.named_records(split).map(check, tf.data.AUTOTUNE)
    bad = checked.filter(lambda good, *_: ~good).take(limit)
    return [
        f"{name.numpy().decode(errors='replace')} ({_reason(source, stored)})"
        for _, stored, name in bad
    ]


def _reason(source, stored):
    """Returns why a record is bad."""
    try:
        decode_whole(source.read(stored), source.image_shape[2], tolerant=False)
    except (tf.errors.OpError, ValueError) as error:
        return reason_of(error)
    return "its label is not a class"


@contextlib.contextmanager
def naming_bad_images(
    source: ImageSource, splits: Sequence[str] | None = None
) -> Iterator[None]:
    """Turns the failure of a pipeline on a bad record into an error with its name.

    TensorFlow's decoders do not report which record they failed on. To keep the name of
    each record until then would slow down every run, so the data set is searched after
    a failure.

    Args:
        source: The data set of the pipeline.
        splits: Names of the splits that are searched. Defaults to the evaluation split
            and the training split.

    Raises:
        UsageError: Instead of the pipeline's error, with the names of the first 5 bad
            records.

    Example:

    ```python
    with naming_bad_images(source):
        for images, labels, weights in evaluation_batches(source, preprocessing, ...):
            ...
    ```
    """
    try:
        yield
    except tf.errors.OpError as error:
        # The data of an assertion are in brackets, among traces of TensorFlow's code.
        start = error.message.find(MESSAGE)
        if start >= 0:
            text = error.message[start:].split("\n")[0]
            text = " ".join(re.split(r"[\[\] ]+", text)).strip()
            raise UsageError(text) from error
        if not DECODERS.search(error.message):
            raise  # another failure: a search would take minutes and find nothing
        names = []
        for split in splits or (source.evaluation_split, source.train_split):
            names += find_bad_images(source, split, NAMED - len(names))
        if not names:
            raise
        more = " and perhaps more" if len(names) == NAMED else ""
        raise UsageError(
            f"Expected images: {NAMES}. "
            f"Received in {source.name}: {', '.join(names)}{more}"
        ) from error

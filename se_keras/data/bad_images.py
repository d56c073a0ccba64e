"""What is done about records that are no image, or whose label is no class."""

import contextlib
import re

import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError

# What a pipeline may do about them.
POLICIES = ("fail", "skip")

MESSAGE = "Expected an image and a label of the data set. Received"


class BadImages:
    """The records of a data set that pipelines had to skip.

    Example:

    >>> bad = BadImages()
    >>> bad.add(np.array([b"train/7.jpg", b"", b"train/7.jpg"]))
    >>> len(bad), bad.names
    (1, ('train/7.jpg',))
    """

    def __init__(self):
        self._names = set()

    def __len__(self):
        return len(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the records, sorted."""
        return tuple(sorted(self._names))

    def add(self, names: np.ndarray) -> None:
        """Adds the names of a batch, in which good records have an empty one."""
        self._names |= {name.decode(errors="replace") for name in names if name}


def check_policy(on_bad_image: str) -> None:
    """Raises `UsageError` if there is no such policy."""
    if on_bad_image not in POLICIES:
        raise UsageError(
            f"Expected on_bad_image to be one of {', '.join(POLICIES)}. "
            f"Received: {on_bad_image!r}"
        )


def require_good(good: tf.Tensor, name: tf.Tensor, label: tf.Tensor) -> None:
    """Makes a step of a pipeline fail on a bad record, with its name."""
    tf.debugging.Assert(good, [f"{MESSAGE}:", name, "with the label", label])


def replace_bad(images, labels, names):
    """Puts in the place of each bad image of a batch the next good one.

    A batch keeps its size so, and all others keep their images; a neighbour counts
    twice. A weight of 0 would need weights in every loss, and batch norm would see the
    blank image all the same.

    Args:
        images: Images `(batch, height, width, channels)`.
        labels: Labels `(batch,)`.
        names: Names `(batch,)`, empty for good images.

    Returns:
        Images and labels.
    """
    good = tf.equal(names, "")

    def replace():
        places = tf.where(good)[:, 0]
        tf.debugging.Assert(tf.size(places) > 0, [f"{MESSAGE} none in:", names])
        batch = tf.range(tf.size(good, tf.int64))
        following = tf.searchsorted(places, batch) % tf.size(places)
        rows = tf.gather(places, following)
        return tf.gather(images, rows), tf.gather(labels, rows)

    return tf.cond(tf.reduce_all(good), lambda: (images, labels), replace)


def count_bad(names: tf.Tensor, bad_images: BadImages) -> tf.Operation:
    """Adds the names of a batch's bad images, if there are any, to `bad_images`."""

    def add(names):
        bad_images.add(names)
        return np.int64(len(bad_images))

    return tf.cond(
        tf.reduce_all(tf.equal(names, "")),
        lambda: np.int64(0),
        lambda: tf.numpy_function(add, [names], tf.int64),
    )


@contextlib.contextmanager
def as_usage_errors():
    """Turns the failure of a pipeline on a bad record into one line for a user."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # TensorFlow puts the assertion's data, in brackets, among places in its code.
        start = error.message.find(MESSAGE)
        if start < 0:
            raise
        text = error.message[start:].split("\n")[0]
        raise UsageError(" ".join(re.split(r"[\[\] ]+", text)).strip()) from error

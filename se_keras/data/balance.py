"""Classes of equal size: how often each image of a data set is in an epoch."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def balanced(
    records: tf.data.Dataset, class_counts: Sequence[int], size: int, epoch: int
) -> tf.data.Dataset:
    """Repeats and leaves out records so that each class is there equally often.

    One pass over the records is enough, in any order. Copies of a record follow each
    other. The j-th of the n images of a class that shall have q images is taken
    `floor((j + 1) * q / n) - floor(j * q / n)` times, q times in all.

    Args:
        records: Tuples whose second element is the label, the images of an epoch.
        class_counts: Number of records of each class.
        size: Number of records to return.
        epoch: Number of the epoch: where `size` is not a multiple of the number of
            classes, it decides which classes have one image more.

    Returns:
        A data set of `size` records. Those whose label is not a class are taken once,
        in addition.
    """
    classes = len(class_counts)
    first = (np.arange(classes) - epoch) % classes < size % classes
    wanted = tf.constant(size // classes + first, tf.int64)
    there = tf.constant(class_counts, tf.int64)

    def count(seen, record):
        is_class = (record[1] >= 0) & (record[1] < classes)
        label = tf.where(is_class, tf.cast(record[1], tf.int64), 0)
        quota, images, place = wanted[label], there[label], seen[label]
        copies = (place + 1) * quota // images - place * quota // images
        seen = tf.tensor_scatter_nd_add(
            seen, label[None, None], tf.cast(is_class, tf.int64)[None]
        )
        return seen, (record, tf.where(is_class, copies, 1))

    return records.scan(tf.zeros(classes, tf.int64), count).flat_map(
        lambda record, copies: tf.data.Dataset.from_tensors(record).repeat(copies)
    )

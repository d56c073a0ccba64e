"""The function of a SavedModel that takes encoded images."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from se_keras.data.images import decode_whole, resize_and_crop
from se_keras.export.metadata import Metadata


def of_encoded_images(serve: Callable, metadata: Metadata) -> Any:
    """Returns a function of encoded images, which returns the best class first.

    A file that is not an image does not fail the others of its batch: its `valid` is
    false, its scores are 0 and its classes are empty. The scores are not NaN, because
    TensorFlow Serving answers in JSON.

    Args:
        serve: A function of images that returns scores.
        metadata: Metadata with a preprocessing.
    """
    preprocessing = metadata.preprocessing
    assert preprocessing is not None
    names = metadata.class_names
    pixels = tf.TensorSpec((*preprocessing.size, preprocessing.channels), tf.float32)

    def read(encoded):
        image, valid = decode_whole(encoded, preprocessing.channels, tolerant=True)
        return resize_and_crop(image, preprocessing), valid

    def classify(encoded_images):
        images, valid = tf.map_fn(
            read,
            encoded_images,
            fn_output_signature=(pixels, tf.TensorSpec((), tf.bool)),
        )
        if not metadata.normalizes:
            images = preprocessing.normalize(images)
        scores = serve(images)
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        classes = tf.constant([*(names or map(str, range(scores.shape[-1])))])
        is_valid = valid[:, None]
        return {
            "classes": tf.where(is_valid, tf.gather(classes, order), ""),
            "scores": tf.where(is_valid, tf.gather(scores, order, batch_dims=1), 0.0),
            "valid": valid,
        }

    signature = [tf.TensorSpec((None,), tf.string, name="encoded_images")]
    return tf.function(classify, signature)

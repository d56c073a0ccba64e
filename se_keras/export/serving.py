"""The function of a SavedModel that takes encoded images."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from se_keras.data.images import decode_image
from se_keras.export.metadata import Metadata


def of_encoded_images(serve: Callable, metadata: Metadata) -> Any:
    """Returns a function of encoded images, which returns the best class first.

    Args:
        serve: A function of images that returns scores.
        metadata: Metadata with a preprocessing.
    """
    preprocessing = metadata.preprocessing
    assert preprocessing is not None
    pixels = tf.TensorSpec((*preprocessing.size, preprocessing.channels), tf.float32)

    def classify(encoded_images):
        images = tf.map_fn(
            lambda encoded: decode_image(encoded, preprocessing),
            encoded_images,
            fn_output_signature=pixels,
        )
        if not metadata.normalizes:
            images = preprocessing.normalize(images)
        scores = serve(images)
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        names = metadata.class_names or map(str, range(scores.shape[-1]))
        return {
            "classes": tf.gather(tf.constant(list(names)), order),
            "scores": tf.gather(scores, order, batch_dims=1),
        }

    signature = [tf.TensorSpec((None,), tf.string, name="encoded_images")]
    return tf.function(classify, signature)

"""Encoded images to pixels: decoding, cropping, resizing."""

import tensorflow as tf

from se_keras.models.preprocessing import Preprocessing

PNG = b"\x89PNG"


def decode(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Decodes a JPEG, PNG, GIF or BMP image to bytes with `channels` channels."""
    converts = tf.io.is_jpeg(encoded) | (tf.strings.substr(encoded, 0, 4) == PNG)
    return tf.cond(
        converts,
        lambda: tf.io.decode_image(encoded, channels, expand_animations=False),
        lambda: _with_channels(
            tf.io.decode_image(encoded, expand_animations=False), channels
        ),
    )


def _with_channels(image, channels):
    """Converts what the decoders of GIF and BMP give as it is stored."""
    if channels == 0:
        return image
    colour = tf.cond(
        tf.shape(image)[-1] == 1,
        lambda: tf.repeat(image, 3, axis=-1),
        lambda: image[..., :3],
    )
    return tf.image.rgb_to_grayscale(colour) if channels == 1 else colour


def image_size(encoded: tf.Tensor) -> tf.Tensor:
    """Returns height and width; a JPEG is not decoded for it."""
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.image.extract_jpeg_shape(encoded)[:2],
        lambda: tf.shape(decode(encoded, 0))[:2],
    )


def crop(encoded, begin, size, channels: int) -> tf.Tensor:
    """Decodes a part of an image; of a JPEG, only that part.

    Args:
        encoded: Scalar string, an encoded image.
        begin: First row and column of the part.
        size: Its height and width.
        channels: Number of channels of the result.
    """
    (top, left), (height, width) = tf.unstack(begin), tf.unstack(size)
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.image.decode_and_crop_jpeg(
            encoded, tf.stack([top, left, height, width]), channels=channels
        ),
        lambda: tf.image.crop_to_bounding_box(
            decode(encoded, channels), top, left, height, width
        ),
    )


def resize(image, size, interpolation: str, antialias: bool = False) -> tf.Tensor:
    """Returns the image at `size`, as float32 pixels in 0..255."""
    resized = tf.image.resize(image, size, interpolation, antialias=antialias)
    # Bicubic interpolation overshoots.
    return (
        tf.clip_by_value(resized, 0.0, 255.0) if interpolation == "bicubic" else resized
    )


def centre_crop(encoded: tf.Tensor, record: Preprocessing) -> tf.Tensor:
    """Decodes an image as evaluation sees it: short side resized, centre cropped.

    Args:
        encoded: Scalar string, an encoded image.
        record: What the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*record.size, record.channels)`.
    """
    image = decode(encoded, record.channels)
    stored = tf.cast(tf.shape(image)[:2], tf.float64)
    scale = tf.reduce_max(tf.constant(record.resize_size, tf.float64) / stored)
    # A side that is to be 256 must not become 255 by rounding.
    resized = tf.cast(tf.floor(stored * scale + 1e-6), tf.int32)
    image = resize(image, resized, record.interpolation, antialias=True)
    top, left = tf.unstack((resized - tf.constant(record.size)) // 2)
    image = tf.image.crop_to_bounding_box(image, top, left, *record.size)
    return tf.ensure_shape(image, (*record.size, record.channels))

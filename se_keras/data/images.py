"""From encoded images to pixels: decoding, cropping, resizing."""

import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError
from se_keras.models.preprocessing import Preprocessing

PNG = b"\x89PNG"


def decode(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Decodes a JPEG, PNG, GIF or BMP image to uint8 pixels.

    Args:
        encoded: Scalar string, an encoded image.
        channels: Number of channels of the result; 0 for those of the image.

    Returns:
        Pixels `(height, width, channels)`, uint8.
    """
    converts = tf.io.is_jpeg(encoded) | (tf.strings.substr(encoded, 0, 4) == PNG)
    return tf.cond(
        converts,
        lambda: tf.io.decode_image(encoded, channels, expand_animations=False),
        lambda: _with_channels(
            tf.io.decode_image(encoded, expand_animations=False), channels
        ),
    )


def _with_channels(image, channels):
    """Converts the channels of GIF and BMP, which their decoders do not convert."""
    if channels == 0:
        return image
    color = tf.cond(
        tf.shape(image)[-1] == 1,
        lambda: tf.repeat(image, 3, axis=-1),
        lambda: image[..., :3],
    )
    return tf.image.rgb_to_grayscale(color) if channels == 1 else color


def decode_whole(
    encoded: tf.Tensor, channels: int, tolerant: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes an image; see `decode_part`."""
    return _by_format(
        encoded,
        lambda encoded: tf.io.decode_jpeg(encoded, channels),
        lambda encoded: decode(encoded, channels),
        channels,
        tolerant,
    )


def decode_part(
    encoded: tf.Tensor,
    choose: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    channels: int,
    tolerant: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a part of an image; of a JPEG, only that part.

    Args:
        encoded: Scalar string, an encoded image.
        choose: Callable of the image's height, width and channels that returns the
            first row and column of the part, and its height and width.
        channels: Number of channels of the result.
        tolerant: Whether a damaged image raises no error. This takes time.

    Returns:
        Pixels `(height, width, channels)`, uint8, and whether they are those of the
        image; the result for a damaged one is one black pixel.
    """

    def from_jpeg(encoded):
        begin, size = choose(tf.image.extract_jpeg_shape(encoded))
        part = tf.concat([begin, size], 0)
        return tf.image.decode_and_crop_jpeg(encoded, part, channels=channels)

    def from_other(encoded):
        image = decode(encoded, channels)
        begin, size = choose(tf.shape(image))
        return tf.slice(image, [*tf.unstack(begin), 0], [*tf.unstack(size), -1])

    return _by_format(encoded, from_jpeg, from_other, channels, tolerant)


def _by_format(encoded, from_jpeg, from_other, channels, tolerant):
    # The condition is outside: an attempt takes time by the size of its function.
    read = _attempt if tolerant else _trust
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: read(from_jpeg, encoded, channels),
        lambda: read(from_other, encoded, channels),
    )


def _trust(function, encoded, channels):
    return function(encoded), True


def _attempt(function, encoded, channels):
    """Decodes an image that may be damaged.

    Only `tf.data` can catch an error in a graph, so this makes a data set of a single
    element.
    """
    decoded = tf.data.Dataset.from_tensors(encoded).map(lambda e: (function(e), True))
    black = (tf.zeros((1, 1, channels), tf.uint8), False)
    either = decoded.ignore_errors().concatenate(tf.data.Dataset.from_tensors(black))
    return either.take(1).get_single_element()


def resize(image, size, interpolation: str, antialias: bool = False) -> tf.Tensor:
    """Resizes an image.

    Args:
        image: Pixels `(height, width, channels)`.
        size: Height and width of the result.
        interpolation: `"bilinear"` or `"bicubic"`.
        antialias: Whether to filter before an image is made smaller.

    Returns:
        Pixels in 0..255, float32.
    """
    resized = tf.image.resize(image, size, interpolation, antialias=antialias)
    # Bicubic interpolation overshoots.
    return (
        tf.clip_by_value(resized, 0.0, 255.0) if interpolation == "bicubic" else resized
    )


def normalize(images: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Does the same as `preprocessing.normalize`, bit for bit, four times faster.

    TensorFlow's CPU kernels do not vectorize an operand whose innermost axis has three
    numbers, but they do if it has a whole row of the image.

    Args:
        images: Pixels in 0..255, float32, of shape `(..., height, width, channels)`.
        preprocessing: The images that the network expects.
    """
    height, width = preprocessing.size
    rows = tf.reshape(images, (-1, width * preprocessing.channels))
    rows = rows * np.tile(preprocessing.scale, width) + np.tile(
        preprocessing.offset, width
    )
    lead = [-1] if images.shape.rank == 4 else []
    return tf.reshape(rows, (*lead, height, width, preprocessing.channels))


def center_crop(encoded: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Decodes an image for evaluation: the short side is resized, the center cropped.

    Args:
        encoded: Scalar string, an encoded image.
        preprocessing: The images that the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*preprocessing.size, channels)`.
    """
    return fit_center(decode(encoded, preprocessing.channels), preprocessing)


def fit_center(image: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resizes the short side of an image and crops its center; see `center_crop`."""
    stored = tf.cast(tf.shape(image)[:2], tf.float64)
    scale = tf.reduce_max(tf.constant(preprocessing.resize_size, tf.float64) / stored)
    # Rounding must not make 255 of 256.
    resized = tf.cast(tf.floor(stored * scale + 1e-6), tf.int32)
    image = resize(image, resized, preprocessing.interpolation, antialias=True)
    top, left = tf.unstack((resized - tf.constant(preprocessing.size)) // 2)
    image = tf.image.crop_to_bounding_box(image, top, left, *preprocessing.size)
    return tf.ensure_shape(image, (*preprocessing.size, preprocessing.channels))


def read_image(path: str | pathlib.Path, preprocessing: Preprocessing) -> tf.Tensor:
    """Reads an image file for evaluation: decoded, resized and cropped.

    Args:
        path: A JPEG, PNG, GIF or BMP file.
        preprocessing: The images that the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*preprocessing.size, channels)`.

    Raises:
        UsageError: If the file cannot be read or is not an image.

    Example:

    ```python
    pixels = data.read_image("seven.png", model.preprocessing)
    scores = model.predict(model.preprocessing.normalize(pixels)[None])
    ```
    """
    try:
        encoded = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"Expected an image file. Received: {str(path)!r} ({error.strerror})"
        ) from error
    try:
        return center_crop(tf.constant(encoded), preprocessing)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        raise UsageError(
            "Expected an image file: JPEG, PNG, GIF or BMP. "
            f"Received: {str(path)!r}, which is not an image"
        ) from error

"""From encoded images to pixels: decoding, cropping, resizing."""

import errno
import functools
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from se_keras.data import formats
from se_keras.data.tolerance import attempt
from se_keras.errors import UsageError
from se_keras.models.preprocessing import Preprocessing

# What EXIF's orientations 1 to 8 do to the stored pixels: whether rows become columns,
# and then the steps along rows and columns, -1 where the order is reversed.
TURNS = (
    (0, 1, 1),
    (0, 1, -1),
    (0, -1, -1),
    (0, -1, 1),
    (1, 1, 1),
    (1, 1, -1),
    (1, -1, -1),
    (1, -1, 1),
)
# By interpolation: the name of TensorFlow's kernel, and its radius in pixels.
KERNELS = {"bilinear": ("triangle", 1), "bicubic": ("keyscubic", 2)}
# What TensorFlow reports of a file that it cannot read.
UNREADABLE = [os.strerror(n) for n in (errno.ENOENT, errno.EACCES, errno.EISDIR)]


def decode_whole(
    encoded: tf.Tensor, channels: int, tolerant: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes an image; see `decode_part`."""

    def decoder(form, turned):
        return _decoder(form, turned, channels)

    return _by_format(encoded, decoder, channels, tolerant)


def decode_part(
    encoded: tf.Tensor,
    choose: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    channels: int,
    tolerant: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a part of an image; of a JPEG, only that part.

    Args:
        encoded: Scalar string, an encoded image of one of `formats.FORMATS`.
        choose: Callable of the image's height, width and channels that returns the
            first row and column of the part, and its height and width.
        channels: Number of channels of the result: 1 or 3, of a PNG also 4.
        tolerant: Whether a damaged image raises no error. This takes time.

    Returns:
        Pixels `(height, width, channels)`, uint8, turned as the EXIF data of the image
        state, and whether they are those of the image; the result for a damaged one is
        one black pixel.
    """

    def decoder(form, turned):
        def from_jpeg(encoded):
            size = form.size(encoded)
            encoded = formats.require_size(encoded, size)
            orientation = _orientation(encoded, form, turned)
            shape = _turned_size(size, orientation)
            begin, size = choose(tf.concat([shape, [channels]], 0))
            part = _stored_part(begin, size, shape, orientation)
            return _turn(formats.decode_jpeg(encoded, channels, part), orientation)

        def from_other(encoded):
            image = _decoder(form, turned, channels)(encoded)
            begin, size = choose(tf.shape(image))
            return tf.slice(image, tf.pad(begin, [[0, 1]]), tf.concat([size, [-1]], 0))

        if form is not formats.JPEG:
            return from_other
        return formats.of_file(from_jpeg) if turned else from_jpeg

    return _by_format(encoded, decoder, channels, tolerant)


def _by_format(encoded, decoder, channels, tolerant):
    """Decodes an image with the decoder for its format.

    Args:
        encoded: Scalar string, an encoded image.
        decoder: Callable of a format, or `None` for one of the others, and of whether
            the image may have EXIF data. Returns a callable of the encoded image.
        channels: Number of channels.
        tolerant: As in `decode_part`.
    """
    black = tf.zeros((1, 1, channels), tf.uint8)

    # The conditions are outside: an attempt takes time by the size of its function.
    def read(form, turned):
        decode = decoder(form, turned)
        pixels, good = (
            attempt(decode, encoded, black) if tolerant else (decode(encoded), True)
        )
        return tf.ensure_shape(pixels, (None, None, channels)), good

    def read_first(form, *others):
        return tf.cond(
            form.matches(encoded),
            lambda: tf.cond(
                form.has_exif(encoded),
                lambda: read(form, True),
                lambda: read(form, False),
            ),
            lambda: read_first(*others) if others else read(None, False),
        )

    return read_first(*formats.FREQUENT)


@functools.cache
def _decoder(form, turned, channels):
    """Returns a function that decodes a whole image, traced once in a process."""

    def decode(encoded, form=form, turned=turned):
        encoded = formats.require_size(encoded, form.size(encoded))
        image = form.decode(encoded, channels)
        image = tf.ensure_shape(image, (None, None, channels))
        return _turn(image, _orientation(encoded, form, turned))

    def decode_first(encoded, form=None, *others):
        if form is None:
            black = tf.zeros((1, 1, channels), tf.uint8)
            reason = "not an image of a format that is read"
            return formats.require(black, tf.constant(False), reason)
        return tf.cond(
            form.matches(encoded),
            lambda: decode(encoded, form, form.exif is not None),
            lambda: decode_first(encoded, *others),
        )

    return formats.of_file(
        decode if form else lambda encoded: decode_first(encoded, *formats.RARE)
    )


def _orientation(encoded, form, turned):
    """Returns the orientation of an image; `None` if it is viewed as it is stored."""
    return formats.orientation_of(form.exif(encoded)) if turned else None


def _turn(image, orientation):
    """Returns stored pixels as they are viewed."""
    if orientation is None:
        return image
    transposed, rows, columns = tf.unstack(tf.gather(TURNS, orientation - 1))
    # These kernels copy whole rows, and whole pixels of three channels. A slice with
    # negative steps copies single numbers.
    image = tf.cond(
        transposed == 1, lambda: tf.transpose(image, (1, 0, 2)), lambda: image
    )
    image = tf.cond(columns == -1, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(
        rows == -1,
        lambda: tf.gather(image, tf.range(tf.shape(image)[0] - 1, -1, -1)),
        lambda: image,
    )


def _turned_size(size, orientation):
    """Returns height and width as an image is viewed; also the inverse."""
    if orientation is None:
        return size
    return tf.where(orientation > 4, size[::-1], size)


def _stored_part(begin, size, shape, orientation):
    """Returns where a part of a viewed image of some shape is in the stored one."""
    if orientation is not None:
        steps = tf.gather(TURNS, orientation - 1)[1:]
        begin = tf.where(steps < 0, shape - begin - size, begin)
        begin, size = (_turned_size(pair, orientation) for pair in (begin, size))
    return tf.concat([begin, size], 0)


def resize(image: tf.Tensor, size, interpolation: str) -> tf.Tensor:
    """Resizes an image, without antialiasing.

    Args:
        image: Pixels `(height, width, channels)`, uint8.
        size: Height and width of the result.
        interpolation: `"bilinear"` or `"bicubic"`.

    Returns:
        Pixels in 0..255, float32.
    """
    resized = tf.image.resize(image, size, interpolation)
    # Bilinear interpolation of four bytes stays in range, without antialiasing.
    return _clip(resized) if interpolation == "bicubic" else resized


def _clip(pixels):
    # Bicubic interpolation overshoots, and the weights of antialiasing add up to 1 only
    # up to rounding. This takes one pass over the pixels, `tf.clip_by_value` two.
    return tf.raw_ops.ClipByValue(t=pixels, clip_value_min=0.0, clip_value_max=255.0)


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


def decode_image(encoded: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Decodes an image file for evaluation: as `read_image`, inside a graph.

    Args:
        encoded: Scalar string, the content of a file: JPEG, PNG, WebP, GIF, BMP or
            JPEG XL.
        preprocessing: The images that the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*preprocessing.size, channels)`.

    Example:

    ```python
    files = tf.data.Dataset.list_files("*.png")
    pixels = files.map(
        lambda path: data.decode_image(tf.io.read_file(path), model.preprocessing)
    )
    ```
    """
    pixels, _ = decode_whole(encoded, preprocessing.channels, tolerant=False)
    return resize_and_crop(pixels, preprocessing)


def resize_and_crop(pixels: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resizes the short side of an image and crops its center, as `read_image` does.

    It runs in a graph, as in `dataset.map`, and takes time and memory by the size of
    the result: only the pixels that the crop needs are resized.

    Args:
        pixels: A decoded image in 0..255, `(height, width, channels)`, of integers or
            floats. Of EXIF, the file's decoder has to take care.
        preprocessing: The images that the network expects: `size`, `crop` and
            `interpolation` have an effect.

    Returns:
        Pixels in 0..255, float32, of shape `(*preprocessing.size, channels)`.

    Raises:
        ValueError: If `pixels` are not an image with the channels of the network.

    Example:

    ```python
    pixels = tf.io.decode_png(tf.io.read_file("seven.png"), 1)
    image = data.resize_and_crop(pixels, model.preprocessing)
    ```
    """
    pixels = tf.convert_to_tensor(pixels)
    channels = preprocessing.channels
    is_number = pixels.dtype.is_integer or pixels.dtype.is_floating
    if not (is_number and pixels.shape.is_compatible_with((None, None, channels))):
        raise ValueError(
            "Argument `pixels` must be an image of integers or floats, (height, width, "
            f"{channels}). Received: {pixels.dtype.name} of shape {pixels.shape}"
        )
    stored = tf.cast(tf.shape(pixels)[:2], tf.float64)
    scale = tf.reduce_max(tf.constant(preprocessing.resize_size, tf.float64) / stored)
    # Rounding must not make 255 of 256.
    resized = tf.floor(stored * scale + 1e-6)
    size = tf.constant(preprocessing.size, tf.float64)
    begin = (resized - size) // 2
    # The stored pixels below the kernel for the first and the last pixel of the crop.
    kernel, radius = KERNELS[preprocessing.interpolation]
    step = stored / resized
    reach = radius * tf.maximum(step, 1.0) + 1.0
    first = tf.maximum(tf.floor((begin + 0.5) * step - reach), 0.0)
    last = tf.minimum(tf.math.ceil((begin + size - 0.5) * step + reach), stored)
    image = tf.slice(
        pixels,
        tf.concat([tf.cast(first, tf.int32), [0]], 0),
        tf.concat([tf.cast(last - first, tf.int32), [-1]], 0),
    )
    image = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=preprocessing.size,
        scale=tf.cast(resized / stored, tf.float32),
        translation=tf.cast(first * resized / stored - begin, tf.float32),
        kernel_type=kernel,
        antialias=True,
    )[0]
    return tf.ensure_shape(_clip(image), (*preprocessing.size, channels))


def read_image(path: str | os.PathLike[str], preprocessing: Preprocessing) -> tf.Tensor:
    """Reads an image file for evaluation: decoded, turned, resized and cropped.

    Args:
        path: A JPEG, PNG, WebP, GIF, BMP or JPEG XL file. It is turned as its EXIF
            data state.
        preprocessing: The images that the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*preprocessing.size, channels)`.

    Raises:
        TypeError: If `path` is not a path.
        UsageError: If the file cannot be read or is not an image.

    Example:

    ```python
    pixels = data.read_image("seven.png", model.preprocessing)
    scores = model.predict(model.preprocessing.normalize(pixels)[None])
    ```
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            "Argument `path` must be the path of a file; `decode_image` takes the "
            "content of a file and `resize_and_crop` takes pixels. "
            f"Received: path of type {type(path).__name__}"
        )
    try:
        encoded = pathlib.Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(
            "Expected an image file. "
            f"Received: {str(path)!r} ({getattr(error, 'strerror', None) or error})"
        ) from error
    try:
        return decode_image(tf.constant(encoded), preprocessing)
    except (tf.errors.OpError, ValueError) as error:
        raise UsageError(
            f"Expected an image file: {formats.NAMES}. "
            f"Received: {str(path)!r} ({reason_of(error)})"
        ) from error


def reason_of(error: Any) -> str:
    """Returns why an image could not be decoded, by TensorFlow's error."""
    text = str(error)
    found = re.search(rf"{formats.REFUSED}: ([^\]'\"\n]*)", text)
    if found:
        return found[1]
    return next((reason for reason in UNREADABLE if reason in text), "damaged")

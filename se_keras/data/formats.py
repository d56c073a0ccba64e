"""The image formats that are read, by the bytes of a file.

A table of formats: how a file is recognized, what its header states and how it is
decoded. All of it runs in a graph, because `tf.data` pipelines and an exported
SavedModel read images, too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# A file of a few kilobytes can hold an image that fills the memory. This limit is that
# of Pillow.
MAX_PIXELS = 178_956_970

REFUSED = "not read"  # starts the reason in the message of an assertion
# JPEG XL: lengths of numbers in bits, and width / height by number.
JXL_BITS = (9, 13, 18, 30)
JXL_RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
MOST_PARTS = 256  # segments or chunks of a file that are searched for EXIF
ORIENTATION = 0x0112  # tag of EXIF
SHORT, LONG = 3, 4  # types of EXIF values


class Format(NamedTuple):
    """An image format.

    Each callable takes an encoded image, a scalar string.

    Attributes:
        name: Its usual name.
        matches: Returns whether the file is of this format.
        size: Returns height and width as the header states them, `(2,)`, integers.
        decode: Callable of the encoded image and the number of channels that returns
            pixels `(height, width, channels)`, uint8, as they are stored.
        has_exif: Returns whether the file may have EXIF data. Fast: of a frequent
            format, it is called for every image.
        exif: Returns the EXIF data, a scalar string in the format of TIFF. `None` if
            the format has none, or its decoder applies them.
    """

    name: str
    matches: Callable
    size: Callable
    decode: Callable
    has_exif: Callable | None = None
    exif: Callable | None = None


def of_file(function: Callable) -> Callable:
    """Makes one node of a function of an encoded image.

    It is traced once in a process, and not once in each pipeline. Inlined, all of its
    operations would be visited for each image, also in a branch that is not taken.

    Args:
        function: Callable of a scalar string.
    """
    return tf.function(
        function,
        input_signature=[tf.TensorSpec((), tf.string, name="encoded")],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def require(value: tf.Tensor, condition: tf.Tensor, reason: str) -> tf.Tensor:
    """Returns a value if a condition is true.

    What is computed of the result is computed after the check, and not if it fails.

    Args:
        value: A tensor.
        condition: Whether it is valid.
        reason: Why it is not valid otherwise.

    Raises:
        tf.errors.InvalidArgumentError: With the reason, if the condition is false.
    """
    check = tf.debugging.Assert(condition, [f"{REFUSED}: {reason}"])
    with tf.control_dependencies([check]):
        return tf.identity(value)


def require_size(encoded: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns an encoded image if its pixels fit in the memory; see `require`.

    Args:
        encoded: The encoded image.
        size: Its height and width, `(2,)`.
    """
    pixels = tf.reduce_prod(tf.cast(size, tf.int64))
    reason = f"more than {MAX_PIXELS:,} pixels"
    return require(encoded, pixels <= MAX_PIXELS, reason)


@of_file
def orientation_of(exif: tf.Tensor) -> tf.Tensor:
    """Returns the orientation that EXIF data state; 1, as stored, if they do not.

    Args:
        exif: Scalar string, the EXIF data in the format of TIFF. Damaged data raise no
            error.

    Returns:
        A scalar in 1..8, int64.
    """
    mark = tf.strings.substr(exif, 0, 4)
    big = mark == b"MM\0*"
    little = mark == b"II*\0"

    def number(digits):
        return tf.where(big, _number(digits), _number(digits[..., ::-1]))

    start = number(_bytes(exif, 4, 4))
    count = number(_bytes(exif, start, 2))
    entries = _substr(exif, start + 2, 12 * count)
    length = tf.strings.length(entries) // 12 * 12
    entries = tf.io.decode_raw(tf.strings.substr(entries, 0, length), tf.uint8)
    entries = tf.reshape(entries, (-1, 12))
    kinds = number(entries[:, 2:4])
    values = tf.where(
        kinds == SHORT, number(entries[:, 8:10]), number(entries[:, 8:12])
    )
    found = number(entries[:, :2]) == ORIENTATION
    found &= (kinds == SHORT) | (kinds == LONG)
    found &= (values >= 1) & (values <= 8) & (big | little)
    return tf.maximum(tf.reduce_max(tf.where(found, values, 1)), 1)


def _bytes(encoded, first, count):
    """Returns some bytes of a file; zeros after its end."""
    return tf.io.decode_raw(
        _substr(encoded, first, count), tf.uint8, fixed_length=count
    )


def _substr(encoded, first, count):
    """Returns a part of a file; less after its end."""
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    first = tf.minimum(tf.cast(first, tf.int64), length)
    return tf.strings.substr(encoded, first, tf.cast(count, tf.int64))


def _number(digits):
    """Returns the number that bytes `(..., count)` are, the highest first, int64."""
    weights = [256**power for power in reversed(range(digits.shape[-1]))]
    return tf.reduce_sum(tf.cast(digits, tf.int64) * weights, -1)


def _little(digits):
    return _number(digits[..., ::-1])


def _find(encoded, first, inspect):
    """Searches the parts of a file for one.

    Args:
        encoded: Scalar string, the file.
        first: Where the first part begins.
        inspect: Callable of the position of a part that returns whether it is the one,
            whether the search ends with it, and where the next one begins.

    Returns:
        The position of the part, or that where the search ended, and whether it was
        found.
    """
    length = tf.cast(tf.strings.length(encoded), tf.int64)

    def step(at, found, ended):
        found, ended, following = inspect(at)
        at = tf.where(found | ended, at, tf.maximum(following, at + 1))
        return at, found, ended

    at, found, _ = tf.while_loop(
        lambda at, found, ended: (at < length) & ~found & ~ended,
        step,
        (tf.constant(first, tf.int64), tf.constant(False), tf.constant(False)),
        maximum_iterations=MOST_PARTS,
    )
    return at, found


def _payload(encoded, part, first, count):
    """Returns the bytes of a part that was found; nothing if it was not."""
    _, found = part
    return _substr(encoded, first, tf.where(found, count, 0))


# Bytes of a usual JPEG: the marker and length of JFIF's segment, and the next marker.
JFIF_PLACES = (2, 3, 4, 5, 20, 21)
JFIF = np.frombuffer(b"\xff\xe0\0\x10\xff\xdb", "uint8")


# JPEG: segments of a marker of two bytes, a length of two and the content.


def _has_jpeg_exif(encoded):
    # Most files begin with a JFIF segment of 16 bytes and the first table.
    head = tf.io.decode_raw(encoded, tf.uint8, fixed_length=22)
    return tf.reduce_any(tf.gather(head, JFIF_PLACES) != JFIF)


@of_file
def _jpeg_exif(encoded):
    def inspect(at):
        mark, kind, *length = tf.unstack(tf.cast(_bytes(encoded, at, 4), tf.int64))
        found = (kind == 0xE1) & (_substr(encoded, at + 4, 6) == b"Exif\0\0")
        # The image data begin, or the file ends.
        ended = (mark != 0xFF) | (kind == 0xDA) | (kind == 0xD9)
        filled = kind == 0xFF  # a byte that fills up
        length = _number(tf.stack(length))
        return found & ~ended, ended, tf.where(filled, at + 1, at + 2 + length)

    # Most cameras write it first, and most programs after a JFIF segment of 16 bytes.
    # A search takes more time than the rest.
    usual = tf.where(_substr(encoded, 2, 4) == b"\xff\xe0\0\x10", _integer(20), 2)
    part = tf.cond(
        inspect(usual)[0],
        lambda: (usual, True),
        lambda: _find(encoded, 2, inspect),
    )
    at = part[0]
    return _payload(encoded, part, at + 10, _number(_bytes(encoded, at + 2, 2)) - 8)


def _jpeg_size(encoded):
    return tf.image.extract_jpeg_shape(encoded)[:2]


def decode_jpeg(
    encoded: tf.Tensor, channels: int, part: tf.Tensor | None = None
) -> tf.Tensor:
    """Decodes a JPEG, or a part of it.

    Args:
        encoded: Scalar string, the JPEG.
        channels: Number of channels.
        part: First row and column, height and width; by default all.
    """

    def read(channels):
        if part is None:
            return tf.io.decode_jpeg(encoded, channels)
        return tf.image.decode_and_crop_jpeg(encoded, part, channels=channels)

    if channels != 1:
        return read(channels)
    # The decoder converts CMYK to RGB only.
    cmyk = tf.image.extract_jpeg_shape(encoded)[2] == 4
    return tf.cond(cmyk, lambda: to_gray(read(3)), lambda: read(1))


# PNG: chunks of a length of four bytes, a name of four, the content and a checksum.


def _has_png_exif(encoded):
    return _substr(encoded, 37, 4) != b"IDAT"  # after the header


@of_file
def _png_exif(encoded):
    def inspect(at):
        name = _substr(encoded, at + 4, 4)
        following = at + 12 + _number(_bytes(encoded, at, 4))
        return name == b"eXIf", name == b"IDAT", following

    part = _find(encoded, 8, inspect)
    at = part[0]
    return _payload(encoded, part, at + 8, _number(_bytes(encoded, at, 4)))


def _png_size(encoded):
    digits = _bytes(encoded, 16, 8)
    return _number(tf.stack((digits[4:], digits[:4])))


# WebP: RIFF chunks of a name of four bytes, a length of four and the content.


def _is_webp(encoded):
    return _substr(encoded, 8, 4) == b"WEBP"


@of_file
def _webp_exif(encoded):
    def inspect(at):
        length = _little(_bytes(encoded, at + 4, 4))
        found = _substr(encoded, at, 4) == b"EXIF"
        return found, tf.constant(False), at + 8 + length + length % 2

    part = _find(encoded, 12, inspect)
    at = part[0]
    exif = _payload(encoded, part, at + 8, _little(_bytes(encoded, at + 4, 4)))
    # Some programs copy the start of a JPEG's segment.
    copied = tf.strings.substr(exif, 0, 6) == b"Exif\0\0"
    return tf.cond(copied, lambda: tf.strings.substr(exif, 6, -1), lambda: exif)


@of_file
def _webp_size(encoded):
    kind = _substr(encoded, 12, 4)
    extended = _bytes(encoded, 24, 6)
    width, height = _little(extended[:3]) + 1, _little(extended[3:]) + 1
    bits = _little(_bytes(encoded, 21, 4))
    lossless = bits // 2**14 % 2**14 + 1, bits % 2**14 + 1
    lossy = _bytes(encoded, 26, 4)
    lossy = _little(lossy[2:]) % 2**14, _little(lossy[:2]) % 2**14
    size = tf.where(kind == b"VP8L", lossless, lossy)
    return tf.where(kind == b"VP8X", (height, width), size)


# BMP, GIF, JPEG XL


def _bmp_size(encoded):
    width_height = tf.io.decode_raw(_substr(encoded, 18, 8), tf.int32, fixed_length=8)
    of_os2 = _little(_bytes(encoded, 14, 4)) == 12  # refused when it is decoded
    size = tf.abs(tf.cast(width_height[::-1], tf.int64))  # from the top: negative
    return tf.where(of_os2, _integer((0, 0)), size)


def _decode_bmp(encoded, channels):
    """Decodes a BMP without compression, of which the decoder reads no palette."""
    header = _little(_bytes(encoded, 14, 4))
    bits = _little(_bytes(encoded, 28, 2))
    compression = _little(_bytes(encoded, 30, 4))
    masks = _substr(encoded, 54, 12) == b"\0\0\xff\0\0\xff\0\0\xff\0\0\0"
    plain = (compression == 0) & ((bits == 8) | (bits == 24) | (bits == 32))
    plain |= (compression == 3) & (bits == 32) & masks
    encoded = require(
        encoded,
        plain & (header >= 40),
        "a BMP that is compressed, of 1, 4 or 16 bits per pixel, or of OS/2",
    )
    image = tf.io.decode_bmp(encoded)
    used = _little(_bytes(encoded, 46, 4))
    used = tf.where((used == 0) | (used > 256), tf.constant(256, tf.int64), used)
    palette = tf.io.decode_raw(
        _substr(encoded, 14 + header, 4 * used), tf.uint8, fixed_length=1024
    )
    palette = tf.reshape(palette, (256, 4))[:, 2::-1]
    color = tf.cond(
        bits == 8,
        lambda: tf.gather(palette, tf.cast(image[..., 0], tf.int32)),
        lambda: image[..., :3],
    )
    return with_channels(color, channels)


def _gif_size(encoded):
    size = tf.io.decode_raw(tf.strings.substr(encoded, 6, 4), tf.uint16, fixed_length=4)
    return tf.cast(size[::-1], tf.int64)


def _decode_first(encoded, channels):
    """Decodes the first image of a file by a decoder that converts no channels."""
    image = tf.io.decode_image(encoded, expand_animations=False)
    return with_channels(image, channels)


@of_file
def _jxl_size(encoded):
    """Reads the size from the start of a code stream, which may be in a box."""

    def inspect(at):
        size, kind = _number(_bytes(encoded, at, 4)), _substr(encoded, at + 4, 4)
        long = size == 1
        size = tf.where(long, _number(_bytes(encoded, at + 8, 8)), size)
        found = (kind == b"jxlc") | (kind == b"jxlp")
        return found, size == 0, at + size

    box, _ = _find(encoded, 0, inspect)
    box += tf.where(_number(_bytes(encoded, box, 4)) == 1, _integer(16), 8)
    box += tf.where(_substr(encoded, box - 4, 4) == b"jxlp", _integer(4), 0)
    bare = tf.strings.substr(encoded, 0, 2) == b"\xff\x0a"
    start = tf.where(bare, _integer(0), box)
    # Numbers of different lengths, the lowest bit first.
    digits = _bytes(encoded, start + 2, 9)
    digits = tf.cast(digits, tf.int64)[:, None]
    bits = tf.reshape(tf.bitwise.right_shift(digits, tf.range(_integer(8))) % 2, (-1,))
    small = bits[0] == 1

    def number(at, count):
        return tf.reduce_sum(bits[at : at + count] * 2 ** tf.range(_integer(count)))

    def side(at):
        lengths = tf.gather(_integer(JXL_BITS), number(at, 2))
        at, count, unit = (
            tf.where(small, _integer(short), _integer(long))
            for short, long in ((at, at + 2), (5, lengths), (8, 1))
        )
        return (number(at, count) + 1) * unit, at + count

    height, at = side(_integer(1))
    ratio = number(at, 3)
    factor, divisor = tf.unstack(tf.gather(_integer(JXL_RATIOS), ratio))
    width, _ = side(at + 3)
    return tf.stack((height, tf.where(ratio == 0, width, height * factor // divisor)))


def _integer(number):
    return tf.convert_to_tensor(number, tf.int64)


def with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns pixels of 1 to 4 channels as gray or in color; alpha is left out."""
    color = tf.cond(
        tf.shape(image)[-1] < 3,
        lambda: tf.repeat(image[..., :1], 3, axis=-1),
        lambda: image[..., :3],
    )
    return to_gray(color) if channels == 1 else color


def to_gray(color: tf.Tensor) -> tf.Tensor:
    """Returns pixels of color as gray, `(..., 1)`, uint8: ITU-R 601, as in Pillow."""
    weights = tf.constant([19595, 38470, 7471])
    gray = tf.reduce_sum(tf.cast(color, tf.int32) * weights, -1, keepdims=True)
    return tf.cast((gray + 2**15) // 2**16, tf.uint8)


def _starts(*signatures):
    """Returns a function of a file: whether it begins with one of the signatures."""

    def matches(encoded):
        return tf.reduce_any(
            [
                tf.strings.substr(encoded, 0, len(signature)) == signature
                for signature in signatures
            ]
        )

    return matches


JPEG = Format(
    "JPEG", tf.io.is_jpeg, _jpeg_size, decode_jpeg, _has_jpeg_exif, _jpeg_exif
)
PNG = Format(
    "PNG", _starts(b"\x89PNG"), _png_size, tf.io.decode_png, _has_png_exif, _png_exif
)
WEBP = Format("WebP", _is_webp, _webp_size, _decode_first, exif=_webp_exif)
GIF = Format("GIF", _starts(b"GIF87a", b"GIF89a"), _gif_size, _decode_first)
BMP = Format("BMP", _starts(b"BM"), _bmp_size, _decode_bmp)
# Its decoder turns the image.
JPEG_XL = Format(
    "JPEG XL", _starts(b"\xff\x0a", b"\0\0\0\x0cJXL "), _jxl_size, _decode_first
)

# Those that are tried first, and have EXIF data.
FREQUENT = (JPEG, PNG)
RARE = (WEBP, GIF, BMP, JPEG_XL)
FORMATS = (*FREQUENT, *RARE)
NAMES = f"{', '.join(form.name for form in FORMATS[:-1])} or {FORMATS[-1].name}"

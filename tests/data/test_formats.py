"""Files as people have them: each format, its forms, EXIF, damage and sizes."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from se_keras.data import formats, read_image
from se_keras.data.images import decode_part, decode_whole, reason_of
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from tests.data.images import decode, encode, photo

SIZE = (24, 31)
COLOR = Image.fromarray(photo(*SIZE))
ALPHA = COLOR.copy()
ALPHA.putalpha(Image.fromarray((np.indices(SIZE).sum(0) * 4).astype("uint8")))


@pytest.fixture(scope="module")
def read():
    """A function of a file and a number of channels that returns decoded pixels."""
    functions = {
        channels: tf.function(
            lambda encoded, channels=channels: decode_whole(encoded, channels, False)[0]
        )
        for channels in (1, 3)
    }
    # As a tensor: each string of Python would be traced.
    return lambda encoded, channels=3: functions[channels](tf.constant(encoded)).numpy()


def saved(image, *arguments, **options):
    file = io.BytesIO()
    image.save(file, *arguments, **options)
    return file.getvalue()


def pillow(encoded, channels=3):
    """Returns what Pillow reads, `(height, width, channels)`."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


# EXIF


def exif(orientation, order=">", kind=formats.SHORT, before=3):
    """Returns EXIF data with some other entries before the orientation."""
    value = struct.pack(order + ("H2x" if kind == formats.SHORT else "I"), orientation)
    entries = [struct.pack(order + "HHIHxx", 0x100 + i, 3, 1, 5) for i in range(before)]
    entries.append(struct.pack(order + "HHI", 0x112, kind, 1) + value)
    mark = b"MM\0*" if order == ">" else b"II*\0"
    head = mark + struct.pack(order + "IH", 8, len(entries))
    return head + b"".join(entries) + bytes(4)


def segment(kind, content):
    return struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content


def jpeg_with(*segments, quality=90):
    """Returns a JPEG with some segments after that of JFIF."""
    encoded = saved(COLOR, "jpeg", quality=quality, subsampling=0)
    return encoded[:20] + b"".join(segments) + encoded[20:]


def app1(data):
    return segment(0xE1, b"Exif\0\0" + data)


def turned(pixels, orientation):
    image = Image.fromarray(pixels)
    image.getexif()[0x112] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation, order, read):
    """Bit for bit as Pillow; of a JPEG, with the same decoder."""
    data = exif(orientation, order)
    for file_format, options in (("png", {}), ("webp", {"lossless": True})):
        encoded = saved(COLOR, file_format, exif=data, **options)
        np.testing.assert_array_equal(read(encoded), pillow(encoded))
        assert np.array_equal(read(encoded), COLOR) == (orientation == 1)
    encoded = jpeg_with(app1(data))
    assert Image.open(io.BytesIO(encoded)).getexif()[0x112] == orientation
    expected = turned(tf.io.decode_jpeg(encoded).numpy(), orientation)
    np.testing.assert_array_equal(read(encoded), expected)
    assert np.abs(read(encoded).astype(int) - pillow(encoded)).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_part_of_a_turned_image(orientation):
    """It is chosen in the image as it is viewed, and only that is decoded."""

    def choose(shape):
        return tf.constant([3, 8]), shape[:2] - [15, 17]

    stored = np.asarray(COLOR)
    for encoded in (
        saved(COLOR, "png", exif=exif(orientation)),
        jpeg_with(app1(exif(orientation))),
    ):
        if encoded[:2] == b"\xff\xd8":
            stored = tf.io.decode_jpeg(encoded).numpy()
        expected = turned(stored, orientation)
        part, _ = decode_part(tf.constant(encoded), choose, 3, tolerant=False)
        np.testing.assert_array_equal(part, expected[3:-12, 8:-9])


@pytest.mark.parametrize(
    "segments",
    [
        [segment(0xE2, bytes(3000))],
        [segment(0xE2, bytes(65000))] * 3,
        [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")],
        [segment(0xFE, b"a comment")],
        [segment(0xED, b"Photoshop 3.0\0"), b"\xff\xff"],
    ],
    ids=["profile", "large profile", "XMP", "comment", "Photoshop, filled up"],
)
def test_exif_after_other_segments(segments, read):
    encoded = jpeg_with(*segments, app1(exif(6, "<")))
    assert read(encoded).shape == pillow(encoded).shape == (31, 24, 3)


def test_exif_before_jfif_and_without_it(read):
    encoded = saved(COLOR, "jpeg")
    for rest in (encoded[2:], encoded[20:]):
        assert read(encoded[:2] + app1(exif(8)) + rest).shape == (31, 24, 3)


GOOD = exif(6, "<")
MALFORMED = {
    "empty": b"",
    "cut off": GOOD[:20],
    "in the entry": GOOD[:-9],
    "no TIFF": b"XX" + GOOD[2:],
    "far offset": GOOD[:4] + b"\xff\xff\xff\xff" + GOOD[8:],
    "offset of the end": GOOD[:4] + struct.pack("<I", len(GOOD)) + GOOD[8:],
    "0": exif(0),
    "9": exif(9),
    "a negative one": exif(2**32 - 6, kind=formats.LONG),
    "text": exif(6, kind=2),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_exif(kind, read):
    encoded = jpeg_with(app1(MALFORMED[kind]))
    np.testing.assert_array_equal(read(encoded), tf.io.decode_jpeg(encoded))


def test_many_entries_are_announced(read):
    """More than there are: those that are there count."""
    data = GOOD[:8] + b"\xff\xff" + GOOD[10:]
    assert read(jpeg_with(app1(data))).shape == (31, 24, 3)
    assert read(jpeg_with(app1(exif(6, kind=formats.LONG)))).shape == (31, 24, 3)


def test_random_damage_of_exif(read):
    """No error, whatever the bytes are, and no other pixels."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(exif(6, "<>"[rng.integers(2)]))
        for place in rng.integers(0, len(data), rng.integers(1, 9)):
            data[place] = rng.integers(256)
        cut = bytes(data[: rng.integers(4, len(data) + 1)])
        found = int(formats.orientation_of(tf.constant(cut)))
        assert 1 <= found <= 8
    jpeg = bytearray(jpeg_with(app1(GOOD)))
    plain = tf.io.decode_jpeg(jpeg_with()).numpy()
    for _ in range(100):
        damaged = jpeg.copy()
        damaged[rng.integers(30, 20 + 10 + len(GOOD))] = rng.integers(256)
        pixels = read(bytes(damaged))
        assert sorted(pixels.shape) == sorted(plain.shape)
        assert pixels.sum() == plain.sum()


# Forms of each format


def bmp(pixels, bits, compression=0, palette=b"", masks=b"", height=None):
    """Returns a BMP of rows of bytes, stored as they are."""
    rows = b"".join(row + bytes(-len(row) % 4) for row in pixels)
    height = height or len(pixels)
    width = 8 * len(pixels[0]) // bits
    offset = 14 + 40 + len(masks) + len(palette)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 0, 0,
        len(palette) // 4, 0,
    )  # fmt: skip
    head = b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset)
    return head + info + masks + palette + rows


ROWS = [bytes(np.random.default_rng(n).integers(0, 256, 28, "uint8")) for n in range(5)]
FEW = [bytes(b % 7 for b in row) for row in ROWS]
PALETTE = bytes(range(40, 68))
MASKS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
FORMS = {
    "bmp": saved(COLOR, "bmp"),
    "bmp gray": saved(COLOR.convert("L"), "bmp"),
    "bmp palette": saved(COLOR.quantize(16), "bmp"),
    "bmp palette of 7": bmp(FEW, 8, palette=PALETTE),
    "bmp red": saved(Image.new("RGB", (8, 8), (255, 0, 0)).convert("P"), "bmp"),
    "bmp alpha": saved(ALPHA, "bmp"),
    "bmp from the top": bmp([r[:27] for r in ROWS], 24, height=-5),
    "bmp 32": bmp(ROWS, 32),
    "bmp 32 with masks": bmp(ROWS, 32, 3, masks=MASKS),
    "png palette": saved(COLOR.quantize(9), "png"),
    "png palette, transparent": saved(COLOR.quantize(9), "png", transparency=3),
    "png gray, transparent": saved(COLOR.convert("L"), "png", transparency=100),
    "png gray and alpha": saved(ALPHA.convert("LA"), "png"),
    "png alpha": saved(ALPHA, "png"),
    "png of 1 bit": saved(COLOR.convert("1"), "png"),
    "gif": saved(COLOR, "gif"),
    "gif animated": saved(
        COLOR, "gif", save_all=True, append_images=[COLOR.rotate(90)]
    ),
    "webp": saved(COLOR, "webp", lossless=True),
    "webp lossy": saved(COLOR, "webp"),
    "webp gray": saved(COLOR.convert("L"), "webp"),
    "webp alpha": saved(ALPHA, "webp", lossless=True, exact=True),
    "webp lossy alpha": saved(ALPHA, "webp", exact=True),
    "webp animated": saved(
        COLOR, "webp", save_all=True, append_images=[COLOR.rotate(90)], lossless=True
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_read_as_by_pillow(form, read):
    encoded = FORMS[form]
    np.testing.assert_array_equal(read(encoded), pillow(encoded))
    # The decoder of PNG rounds gray down.
    allowed = 1 if form.startswith("png") else 0
    assert np.abs(read(encoded, 1).astype(int) - pillow(encoded, 1)).max() <= allowed


@pytest.mark.parametrize(
    "encoded",
    [
        saved(COLOR.convert("1"), "bmp"),
        bmp(ROWS, 4, palette=bytes(64)),
        bmp(ROWS, 16),
        bmp(ROWS, 8, 1, palette=bytes(1024)),
        bmp(ROWS, 32, 3, masks=MASKS[::-1]),
        b"BM" + struct.pack("<IHHIIHHHH", 26 + 84, 0, 0, 26, 12, 9, 3, 1, 24) + ROWS[0],
    ],
    ids=["1 bit", "4 bits", "16 bits", "RLE", "other masks", "OS/2"],
)
def test_forms_of_bmp_that_are_refused(encoded, read):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        read(encoded)
    assert "a BMP that is compressed" in reason_of(error.value)


def png16(samples):
    """Returns a PNG of 16 bits, which Pillow does not write in color."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.tobytes() for row in samples.astype(">u2"))
    color = {1: 0, 3: 2}[channels]
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts.items()
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_png_of_16_bits(channels, read):
    """The high bytes. Pillow cuts gray ones off at 255 instead."""
    samples = np.random.default_rng(0).integers(0, 2**16, (5, 7, channels))
    np.testing.assert_array_equal(read(png16(samples), channels), samples >> 8)


# Written by libjxl, without loss: pixels are 5 * (row + column + channel).
JXL = {
    (9, 12, 3): "/wpAMBAJCAQBABABSxiTjoODCVCgiEAjS1PDGIMDYYzBqRgc/QJBAQC5awtY6uu844/4ih"
    "cD6b0f0EZB5D3GKAeayfVt5XjgLgAAxgEAfwA=",
    (7, 5, 1): "/wowAAiAoLgRCAQBAFAASxiLFQoVW4TP3nuviMlhipSlLAU=",
    (6, 8, 4): "/wooMLASCBAQAOgASxiTjoWDiBHpoR0jI2PDGIPBGJxkjJEXkAZgA8FkhVmCA//9/W/nr2D"
    "u2q79vxxrF1eggAxqEQ+oGA==",
}


@pytest.mark.parametrize("shape", JXL)
def test_jpeg_xl(shape, read):
    encoded = base64.b64decode(JXL[shape])
    expected = 5 * np.indices(shape).sum(0)
    expected = expected[..., :3] if shape[2] > 1 else np.repeat(expected, 3, -1)
    np.testing.assert_array_equal(read(encoded), expected)
    boxes = b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
    boxes += struct.pack(">I4s", 8 + len(encoded), b"jxlc") + encoded
    np.testing.assert_array_equal(read(boxes), expected)
    for file in (encoded, boxes):
        size = formats.JPEG_XL.size(tf.constant(file))
        np.testing.assert_array_equal(size, shape[:2])


@pytest.mark.parametrize("transform", [0, 2], ids=["CMYK", "YCCK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_of_four_colors(channels, transform, read):
    encoded = saved(COLOR.convert("CMYK"), "jpeg", quality=95, subsampling=0)
    place = encoded.index(b"Adobe") + 11
    encoded = encoded[:place] + bytes([transform]) + encoded[place + 1 :]
    difference = read(encoded, channels).astype(int) - pillow(encoded, channels)
    assert np.abs(difference).mean() < 3

    def center(shape):
        return shape[:2] // 4, shape[:2] // 2

    part, _ = decode_part(tf.constant(encoded), center, channels, tolerant=False)
    np.testing.assert_array_equal(part, read(encoded, channels)[6:18, 7:22])


# Sizes


def test_sizes_in_headers():
    files = [*FORMS.values(), saved(COLOR, "jpeg"), png16(np.zeros((5, 7, 1)))]
    for encoded in files:
        (form,) = (f for f in formats.FORMATS if f.matches(tf.constant(encoded)))
        size = form.size(tf.constant(encoded)).numpy().tolist()
        assert size == list(Image.open(io.BytesIO(encoded)).size[::-1])


def bits(*fields):
    """Returns numbers of some length in bits, the lowest bit first, as bytes."""
    text = "".join(f"{value:0{length}b}"[::-1] for value, length in fields)
    return int(text[::-1], 2).to_bytes(16, "little")


HUGE = {
    "PNG": b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 20000, 20000),
    "GIF": b"GIF89a" + struct.pack("<HH", 20000, 20000),
    "BMP": b"BM" + bytes(12) + struct.pack("<Iii", 40, 20000, -20000),
    "WebP": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x1f\x4e\0" * 2,
    "WebP lossless": b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + b"\xff\xff\xff\x0f",
    "WebP lossy": b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + b"\xff\x3f" * 2,
    "JPEG XL": b"\xff\x0a" + bits((0, 1), (2, 2), (19999, 18), (1, 3)),
    "JPEG XL, wide": b"\xff\x0a"
    + bits((0, 1), (0, 2), (299, 9), (0, 3), (3, 2), (2**30 - 1, 30)),
}
jpeg = bytearray(saved(COLOR, "jpeg"))
place = jpeg.index(b"\xff\xc0") + 5
jpeg[place : place + 4] = struct.pack(">HH", 20000, 20000)
HUGE["JPEG"] = bytes(jpeg)


@pytest.mark.parametrize("kind", HUGE)
def test_huge_images_are_refused_by_their_header(kind, tmp_path, read):
    encoded = HUGE[kind] + bytes(40)
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 178,956,970"):
        read(encoded)
    path = tmp_path / "huge"
    path.write_bytes(encoded)
    message = r"Received: '.*huge' \(more than 178,956,970 pixels\)$"
    with pytest.raises(UsageError, match=message):
        read_image(path, Preprocessing())


def test_a_large_image_is_not(read):
    assert decode(encode(photo(3, 4))).shape == (3, 4, 3)
    largest = formats.MAX_PIXELS // 3
    formats.require_size(tf.constant(b""), tf.constant([3, largest]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        formats.require_size(tf.constant(b""), tf.constant([3, largest + 1]))


@pytest.mark.parametrize(
    "size", [(8000, 1), (1, 8000), (1_000_000, 1)], ids=["wide", "high", "very wide"]
)
def test_thin_images_take_as_much_as_others(size, tmp_path):
    """The whole image, with a short side of 256, would take 6 to 800 GB."""
    path = tmp_path / "thin.png"
    Image.new("RGB", size, (10, 200, 30)).save(path)
    pixels = read_image(path, Preprocessing())
    expected = np.broadcast_to(np.float32([10, 200, 30]), (224, 224, 3))
    np.testing.assert_allclose(pixels, expected, rtol=1e-6)

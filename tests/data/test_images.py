import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from se_keras.data.images import decode_image, decode_part, decode_whole, normalize
from se_keras.models import Preprocessing
from se_keras.models.preprocessing import CIFAR
from tests.data.images import FILTERS, decode, encode, photo, pillow_center_crop


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("stored", "size", "crop"),
    [
        ((427, 640), 224, 0.875),
        ((640, 427), 224, 0.875),
        ((300, 301), 224, 0.95),
        ((50, 71), 64, 0.875),
        ((427, 100), 32, 1.0),  # reduced a lot: shows missing antialiasing
        ((33, 20), 96, 0.875),  # enlarged
        ((224, 224), 224, 1.0),  # as it is
    ],
)
def test_center_crop_is_that_of_pillow(stored, size, crop, interpolation):
    preprocessing = Preprocessing((size, size), crop, interpolation)
    for name in ("china", "flower"):
        pixels = photo(*stored, name)
        actual = decode_image(tf.constant(encode(pixels)), preprocessing)
        assert actual.dtype == "float32"
        difference = np.abs(actual - pillow_center_crop(pixels, preprocessing))
        # Pillow rounds to whole numbers.
        assert difference.mean() < 0.35
        assert difference.max() < (1 if interpolation == "bilinear" else 5)


def test_center_crop_of_a_jpeg():
    encoded = encode(photo(427, 640), "jpeg")
    preprocessing = Preprocessing()
    expected = pillow_center_crop(decode(encoded), preprocessing)
    assert (
        np.abs(decode_image(tf.constant(encoded), preprocessing) - expected).mean()
        < 1.5
    )


@pytest.mark.parametrize(
    ("size", "stored", "resized"),
    [((20, 30), (100, 100), (30, 30)), ((30, 20), (50, 100), (30, 60))],
)
def test_center_crop_of_another_aspect(size, stored, resized):
    pixels = photo(*stored)
    actual = decode_image(tf.constant(encode(pixels)), Preprocessing(size, crop=1.0))
    image = Image.fromarray(pixels).resize(resized[::-1], FILTERS["bilinear"])
    top, left = np.subtract(resized, size) // 2
    expected = np.asarray(image)[top : top + size[0], left : left + size[1]]
    assert np.abs(actual - expected.astype("float32")).max() < 1


def test_bicubic_stays_in_range():
    squares = 255 * (np.indices((12, 12, 3)) // 2).sum(0).astype("uint8") % 2 * 255
    pixels = np.where(squares > 0, 255, 0).astype("uint8")
    preprocessing = Preprocessing((31, 31), 1.0, "bicubic")
    actual = decode_image(tf.constant(encode(pixels)), preprocessing).numpy()
    assert actual.min() == 0
    assert actual.max() == 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        ("png", "RGB"),
        ("png", "L"),
        ("png", "P"),
        ("png", "RGBA"),
        ("jpeg", "RGB"),
        ("jpeg", "L"),
        ("gif", "RGB"),
        ("gif", "L"),
        ("bmp", "RGB"),
        ("bmp", "L"),
    ],
)
def test_every_kind_of_file(file_format, mode, channels):
    pixels = photo(24, 24, "flower")
    mean, std = (0.0,) * channels, (1.0,) * channels
    preprocessing = Preprocessing((24, 24), 1.0, mean=mean, std=std)
    encoded = encode(pixels, file_format, mode)
    actual = decode_image(tf.constant(encoded), preprocessing)
    pillow = Image.open(io.BytesIO(encoded)).convert("RGB" if channels == 3 else "L")
    expected = np.asarray(pillow, "float32").reshape(24, 24, channels)
    assert np.abs(actual - expected).mean() < 1.5


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_decode_part(file_format):
    encoded, shapes = encode(photo(61, 90), file_format), []

    def choose(shape):
        shapes.append(shape.numpy().tolist())
        return tf.constant([33, 20]), tf.constant([21, 57])

    actual, good = decode_part(tf.constant(encoded), choose, 3, tolerant=False)
    assert good
    assert shapes == [[61, 90, 3]]
    expected = decode(encoded)[33 : 33 + 21, 20 : 20 + 57]
    assert actual.shape == expected.shape
    error = np.abs(actual.numpy().astype("float32") - expected).mean()
    assert error < (2 if file_format == "jpeg" else 1e-6)


@pytest.mark.parametrize(
    ("file_format", "channels"), [("png", 3), ("jpeg", 3), ("jpeg", 1), ("gif", 1)]
)
def test_tolerance(file_format, channels):
    """A good image is the same, a damaged one is a black pixel and no error."""
    encoded = encode(photo(24, 31), file_format)

    def center(shape):
        return shape[:2] // 4, shape[:2] // 2

    def read(encoded, tolerant):
        whole = decode_whole(encoded, channels, tolerant)
        return *whole, *decode_part(encoded, center, channels, tolerant)

    read = tf.function(read)
    for trusted, tried in zip(read(encoded, False), read(encoded, True), strict=True):
        np.testing.assert_array_equal(trusted, tried)
    for damaged in (b"", b"no image", encoded[:20], encoded[: len(encoded) // 3]):
        pixels, good, part, part_good = read(damaged, True)
        assert not good
        assert not part_good
        np.testing.assert_array_equal(pixels, np.zeros((1, 1, channels)))
        np.testing.assert_array_equal(part, np.zeros((1, 1, channels)))


@pytest.mark.parametrize("preprocessing", [Preprocessing((5, 7)), CIFAR])
def test_normalize_is_that_of_preprocessing(preprocessing):
    pixels = np.random.default_rng(0).uniform(0, 255, (4, *preprocessing.size, 3))
    pixels = pixels.astype("float32")
    expected = pixels * preprocessing.scale + preprocessing.offset
    np.testing.assert_array_equal(
        normalize(tf.constant(pixels), preprocessing), expected
    )
    np.testing.assert_array_equal(
        normalize(tf.constant(pixels[0]), preprocessing), expected[0]
    )

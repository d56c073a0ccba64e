import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from se_keras.data import decode_image, read_image, resize_and_crop
from se_keras.data.images import decode_part, decode_whole, normalize, resize
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


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_before_resizing_changes_nothing(channels, interpolation):
    """Against the resized whole image, up to the rounding of positions in float32."""
    for stored, size, crop in (
        ((427, 640), (224, 224), 0.875),
        ((375, 500), (32, 96), 0.5),
        ((33, 20), (96, 96), 0.875),
        ((7, 300), (24, 24), 1.0),
        ((224, 224), (224, 224), 1.0),
    ):
        pixels = photo(*stored)[..., :channels]
        numbers = (0.0,) * channels, (1.0,) * channels
        preprocessing = Preprocessing(size, crop, interpolation, *numbers)
        scale = max(np.divide(preprocessing.resize_size, stored))
        resized = np.floor(np.multiply(stored, scale) + 1e-6).astype(int)
        image = tf.image.resize(pixels, resized, interpolation, antialias=True)
        top, left = (resized - size) // 2
        expected = image[top : top + size[0], left : left + size[1]]
        actual = resize_and_crop(pixels, preprocessing)
        np.testing.assert_allclose(
            actual, tf.clip_by_value(expected, 0, 255), rtol=0, atol=0.01
        )


@pytest.mark.parametrize("interpolation", FILTERS)
def test_white_stays_in_range(interpolation):
    """Rounding made 255.00006 of 255, which int8 export refused."""
    above = 0
    for size in range(90, 140):
        white = np.full((90, size, 3), 255, "uint8")
        preprocessing = Preprocessing((64, 64), 0.875, interpolation)
        pixels = resize_and_crop(white, preprocessing).numpy()
        assert pixels.max() <= 255
        assert pixels.min() > 254.999
        light = np.random.default_rng(size).integers(250, 256, white.shape, "uint8")
        for bright in (white, light):
            assert resize(bright, (64, 57), interpolation).numpy().max() <= 255
            dark = resize(255 - bright, (64, 57), interpolation).numpy()
            assert dark.min() >= 0
        plain = tf.image.resize(white, (73, 80), interpolation, antialias=True)
        above += plain.numpy().max() > 255
    assert above  # without it nothing is tested


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int32"])
def test_resize_and_crop_in_a_pipeline(dtype, tmp_path):
    """Bit for bit the pixels of `read_image`, also from Keras's loader."""
    preprocessing = Preprocessing((32, 32), interpolation="bicubic")
    for label in "ab":
        path = tmp_path / label / "image.png"
        path.parent.mkdir()
        path.write_bytes(encode(photo(50, 70, "flower")))
    loaded = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(50, 70), batch_size=None, verbose=False
    )
    images = loaded.map(
        lambda pixels, label: resize_and_crop(tf.cast(pixels, dtype), preprocessing)
    )
    for image in images:
        np.testing.assert_array_equal(image, read_image(path, preprocessing))


@pytest.mark.parametrize(
    ("pixels", "received"),
    [
        (np.zeros((4, 5), "uint8"), r"uint8 of shape \(4, 5\)"),
        (np.zeros((4, 5, 1), "uint8"), r"uint8 of shape \(4, 5, 1\)"),
        (np.zeros((2, 4, 5, 3), "float32"), r"float32 of shape \(2, 4, 5, 3\)"),
        ("image.png", "string of shape"),
        (np.zeros((4, 5, 3), bool), "bool of shape"),
    ],
)
def test_resize_and_crop_of_what_is_not_an_image(pixels, received):
    with pytest.raises(
        ValueError, match=rf"\(height, width, 3\)\. Received: {received}"
    ):
        resize_and_crop(pixels, Preprocessing())


def test_read_image_of_a_tensor():
    message = r"`resize_and_crop` takes pixels\. Received: path of type"
    with pytest.raises(TypeError, match=message):
        read_image(tf.zeros((4, 5, 3)), Preprocessing())


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
    ("file_format", "channels"),
    [
        ("jpeg", 3),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (("png", 3), ("jpeg", 1), ("gif", 1))
        ),
    ],
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

"""The pictures on which exports are verified by default."""

import importlib.util
import pathlib

import numpy as np
import pytest
from PIL import Image

from se_keras.export import pictures


@pytest.fixture(params=[True, False], ids=["photographs", "random"])
def source(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda name: None)
    return request.param


@pytest.mark.parametrize("shape", [(32, 40, 3), (28, 28, 1), (1, 1, 3), (9, 7, 4)])
def test_shape_and_range(shape, source):
    images = pictures.pixels(*shape)
    assert images.shape == (pictures.COUNT, *shape)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 255
    assert len({image.tobytes() for image in images}) == pictures.COUNT
    np.testing.assert_array_equal(images, pictures.pixels(*shape))


def test_gray_is_the_luma_of_color(source):
    color, gray = pictures.pixels(32, 32, 3), pictures.pixels(32, 32, 1)
    # Pillow's conversion to gray rounds.
    expected = [Image.fromarray(image.round().astype("uint8")) for image in color]
    expected = np.stack([np.asarray(image.convert("L")) for image in expected])
    # The random ones are clipped after the conversion.
    inside = (color > 0).all(-1) & (color < 255).all(-1)
    np.testing.assert_allclose(gray[..., 0][inside], expected[inside], atol=1.5)


def test_a_whole_photograph():
    spec = importlib.util.find_spec("sklearn")
    file = pathlib.Path(spec.origin).parent / "datasets/images/flower.jpg"
    expected = Image.open(file).resize((40, 32), Image.Resampling.BILINEAR)
    found = pictures.pixels(32, 40, 3)
    assert any(np.array_equal(image, np.asarray(expected)) for image in found)


def test_amplitudes_fall_as_those_of_photographs(source):
    """By about 1 / frequency (Field 1987); those of noise do not fall."""
    images = pictures.pixels(128, 128, 1)[..., 0]
    spectrum = np.abs(np.fft.fft2(images - images.mean((1, 2), keepdims=True)))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128)] * 2))
    used = (frequency > 0.02) & (frequency < 0.4)
    slope, _ = np.polyfit(
        np.log(frequency[used]), np.log(spectrum.mean(0)[used] + 1e-9), 1
    )
    assert -2 < slope < -0.7

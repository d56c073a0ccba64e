"""Pictures on which exported models are verified by default.

A network that was trained on photographs is undecided on noise, so that rounding can
change its best class.
"""

import importlib.util
import pathlib

import numpy as np

COUNT = 8
BILINEAR = 2  # of Pillow's `Image.Resampling`
# Photographs that scikit-learn brings.
_PHOTOGRAPHS = ("china.jpg", "flower.jpg")
# Parts of a photograph, as fractions of its height and width: top, left, bottom, right.
_PARTS = ((0, 0, 1, 1), (0, 0, 0.5, 0.5), (0.2, 0.4, 0.7, 0.9), (0.6, 0.1, 1, 0.5))
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601
# Channels that differ less than this fraction of the brightness are those of a picture.
_COLOR = 0.3


def pixels(height: int, width: int, channels: int) -> np.ndarray:
    """Returns `COUNT` pictures, `(n, height, width, channels)`, float32 in 0..255.

    They are parts of scikit-learn's photographs if it and Pillow are installed, and
    otherwise random pictures with the spectrum of photographs. A model whose images are
    neither gray nor RGB gets noise.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        channels: Number of channels.
    """
    if channels not in (1, 3):
        shape = (COUNT, height, width, channels)
        return 255 * np.random.default_rng(0).uniform(size=shape).astype("float32")
    found = _photographs(height, width)
    images = _random(height, width) if found is None else found
    if channels == 1:
        images = (images @ np.array(_LUMA))[..., None]
    return images.astype("float32").clip(0, 255)


def _photographs(height, width) -> np.ndarray | None:
    """Returns parts of photographs, or `None` if there are none."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        return None
    folder = pathlib.Path(package.submodule_search_locations[0], "datasets", "images")
    try:
        from PIL import Image

        images = [Image.open(folder / name).convert("RGB") for name in _PHOTOGRAPHS]
    except (ImportError, OSError):
        return None
    return np.stack(
        [_resized(image, part, (width, height)) for image in images for part in _PARTS]
    )


def _resized(image, part, size) -> np.ndarray:
    """Returns a part of a photograph, resized."""
    top, left, bottom, right = part
    width, height = image.size
    box = (left * width, top * height, right * width, bottom * height)
    return np.asarray(image.resize(size, resample=BILINEAR, box=box))


def _random(height, width) -> np.ndarray:
    """Returns random pictures in color.

    The amplitude of a frequency falls with it, as in photographs; the channels are much
    alike.
    """
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf  # the mean is set below
    frequency = np.maximum(frequency, 1 / max(height, width))
    noise = rng.normal(size=(COUNT, 4, *frequency.shape, 2)) @ (1, 1j)
    planes = np.fft.irfft2(noise / frequency, (height, width))
    planes /= np.maximum(planes.std((2, 3), keepdims=True), 1e-9)
    images = np.moveaxis(planes[:, :1] + _COLOR * planes[:, 1:], 1, -1)
    mean, std = rng.uniform((70, 30), (180, 70), (COUNT, 2)).T[..., *3 * [None]]
    return images * std + mean

"""Images for the tests, encoded and decoded by Pillow."""

import io
import math

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# The one photograph of scikit-learn shows a roof, the other a flower.
PHOTOS = dict(zip(("china", "flower"), load_sample_images().images, strict=True))


def photo(height: int, width: int, name: str = "china") -> np.ndarray:
    """Returns a photograph at some size, whatever its aspect becomes."""
    return np.asarray(Image.fromarray(PHOTOS[name]).resize((width, height)))


def encode(pixels: np.ndarray, file_format: str = "png", mode: str = "RGB") -> bytes:
    """Encodes color pixels in a file format and color mode."""
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, file_format)
    return file.getvalue()


def decode(encoded: bytes) -> np.ndarray:
    """Returns the pixels of an encoded image."""
    return np.asarray(Image.open(io.BytesIO(encoded)))


def pillow_center_crop(pixels, preprocessing):
    """Resizes the short side, keeps the aspect, crops the center."""
    (height, width), (size, _) = pixels.shape[:2], preprocessing.size
    short = math.floor(size / preprocessing.crop)
    longer = short * max(height, width) // min(height, width)
    resized = (longer, short) if height <= width else (short, longer)
    image = Image.fromarray(pixels).resize(
        resized, FILTERS[preprocessing.interpolation]
    )
    left, top = ((side - size) // 2 for side in resized)
    return np.asarray(image.crop((left, top, left + size, top + size)), "float32")

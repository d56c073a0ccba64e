"""Images that an exported model is verified on or calibrated with."""

from collections.abc import Iterable

import keras
import numpy as np

from se_keras.errors import UsageError

SYNTHETIC_IMAGES = 4


def some_images(
    network: keras.Model, images: np.ndarray | None, pixels: bool
) -> np.ndarray:
    """Returns images for a network, float32: those given, or a few of noise.

    Args:
        network: A model of one image.
        images: `(n, height, width, channels)`, or `None`.
        pixels: Whether the network takes pixels in 0..255, and not normalised images.

    Raises:
        UsageError: If there are none, or of another shape.
    """
    if images is None:
        shape = [size or 224 for size in network.inputs[0].shape[1:]]
        noise = np.random.default_rng(0).uniform(size=(SYNTHETIC_IMAGES, *shape))
        images = noise * 255 if pixels else noise * 2 - 1
    return _checked(network, np.asarray(images, "float32"), "images")


def calibration_images(
    network: keras.Model, images: np.ndarray | Iterable, pixels: bool
) -> np.ndarray:
    """Returns the images for calibration in one array, float32.

    Args:
        network: A model of one image.
        images: An array of them, or batches of them, each alone or first of a tuple.
        pixels: Whether the network takes pixels in 0..255.

    Raises:
        UsageError: If there are none, of another shape, or of another range: a file
            that was calibrated with such images is a bad one, and agrees on them.
    """
    if not hasattr(images, "shape"):
        batches = [
            np.asarray(batch[0] if isinstance(batch, tuple) else batch, "float32")
            for batch in images
        ]
        shapes = {batch.shape[1:] for batch in batches}
        if len(shapes) > 1:
            raise UsageError(
                "Expected batches of calibration images of one shape. "
                f"Received: batches of images of the shapes {sorted(shapes)}"
            )
        images = np.concatenate(batches) if batches else np.zeros(0)
    images = _checked(network, np.asarray(images, "float32"), "calibration images")
    least, most = images.min(), images.max()
    if least == most or (pixels and (least < 0 or not 2 < most <= 255)):
        wanted = "pixels in 0..255" if pixels else "what the model takes"
        raise UsageError(
            f"Expected calibration images that differ, {wanted}. "
            f"Received: numbers in {least}..{most}"
        )
    return images


def _checked(network, images, what):
    expected = network.inputs[0].shape[1:]
    if (
        not images.size
        or images.ndim != len(expected) + 1
        or any(
            size not in (None, given)
            for size, given in zip(expected, images.shape[1:], strict=True)
        )
    ):
        raise UsageError(
            f"Expected {what} of shape (n, {', '.join(map(str, expected))}). "
            f"Received: {what} of shape {images.shape}"
        )
    if not np.isfinite(images).all():
        raise UsageError(f"Expected {what} of finite numbers. Received: infinite ones")
    return images

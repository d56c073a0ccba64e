"""Images that an exported model is verified on or calibrated with."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from se_keras.errors import UsageError
from se_keras.export import pictures
from se_keras.export.network import Exported

# By how much of the range between black and white normalized images may be outside of
# it: bicubic kernels overshoot.
_OVERSHOOT = 0.25
# By how much pixels may be outside of 0..255: resizing white rounds to 255.00006.
_ROUNDING = 0.5


def some_images(source: Exported, images: np.ndarray | Iterable | None) -> np.ndarray:
    """Returns images to verify a network on, float32.

    Args:
        source: What is exported.
        images: An array `(n, height, width, channels)` or batches of such; `None` for
            pictures.

    Raises:
        UsageError: If there are none, or they have another shape.
    """
    if images is None:
        height, width, channels = source.network.inputs[0].shape[1:]
        pixels = pictures.pixels(height or 224, width or 224, channels)
        images = _as_taken(source, pixels)
    return _checked(source.network, _in_one_array(images, "images"), "images")


def calibration_images(source: Exported, images: np.ndarray | Iterable) -> np.ndarray:
    """Returns the images for calibration in one array, float32.

    Args:
        source: What is exported.
        images: An array `(n, height, width, channels)` or batches of such, each alone,
            the first of a tuple or list, or `image` of a dictionary.

    Raises:
        UsageError: If there are none, or they have another shape or range: a file that
            was calibrated with such images would be wrong, and agree on them.
    """
    what = "calibration images"
    array = _checked(source.network, _in_one_array(images, what), what)
    least, most = array.min(), array.max()
    wanted, low, high = _range(source)
    if least == most or not low <= least <= most <= high:
        between = "" if np.isinf(low) else f" in {low:.3g}..{high:.3g}"
        raise UsageError(
            f"Expected calibration images that differ, {wanted}{between}. "
            f"Received: numbers in {least:.3g}..{most:.3g}"
        )
    if source.metadata.normalizes and most <= 2:
        raise UsageError(
            f"Expected calibration images of pixels in 0..255. Received: numbers in "
            f"{least:.3g}..{most:.3g}"
        )
    return array


def _as_taken(source, pixels):
    """Returns pixels as the network takes them; in -1..1 if that is not known."""
    preprocessing = source.metadata.preprocessing
    if takes_pixels(source):
        return pixels
    if preprocessing is None or preprocessing.channels != pixels.shape[-1]:
        return pixels / 127.5 - 1
    return preprocessing.normalize(pixels)


def takes_pixels(source: Exported) -> bool:
    """Returns whether a network begins with a normalization of its own."""
    (tensor,) = source.network.inputs
    return source.metadata.normalizes or any(
        isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
        and layer.input is tensor
        for layer in source.network.layers
    )


def _range(source):
    """Returns what the network takes, in words, and the least and greatest value."""
    if source.metadata.normalizes:
        return "pixels", 0.0 - _ROUNDING, 255.0 + _ROUNDING
    preprocessing = source.metadata.preprocessing
    channels = source.network.inputs[0].shape[-1]
    if preprocessing is None or preprocessing.channels != channels:
        return "as the model takes them", -np.inf, np.inf
    extremes = np.array([[0.0], [255.0]], "float32").repeat(channels, axis=1)
    black, white = preprocessing.normalize(extremes)
    overshoot = _OVERSHOOT * (white.max() - black.min())
    return (
        "normalized as the model expects them",
        black.min() - overshoot,
        white.max() + overshoot,
    )


def _in_one_array(images, what) -> np.ndarray:
    """Returns an array of images, or the images of batches, float32."""
    if hasattr(images, "shape"):
        return _array(images, what)
    if isinstance(images, str | bytes | Mapping) or not isinstance(images, Iterable):
        raise UsageError(
            f"Expected {what} as an array, or batches of them. "
            f"Received: a {type(images).__name__}"
        )
    batches = [_array(_images_of(batch, what), what) for batch in images]
    shapes = {batch.shape[1:] for batch in batches}
    if len(shapes) > 1:
        raise UsageError(
            f"Expected batches of {what} of one shape. "
            f"Received: batches of images of the shapes {sorted(shapes)}"
        )
    return np.concatenate(batches) if batches else np.zeros(0, "float32")


def _images_of(batch, what):
    """Returns the images of a batch, which may have labels, too."""
    if isinstance(batch, tuple | list) and batch:
        return batch[0]
    if isinstance(batch, Mapping):
        if "image" not in batch:
            raise UsageError(
                f"Expected {what} as 'image' of each batch. "
                f"Received: a batch with the keys {sorted(batch)}"
            )
        return batch["image"]
    return batch


def _array(images, what) -> np.ndarray:
    try:
        return np.asarray(images, "float32")
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Expected {what} of numbers, all of one shape. "
            f"Received: a {type(images).__name__} ({error})"
        ) from error


def _checked(network, images, what) -> np.ndarray:
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
        raise UsageError(
            f"Expected {what} of finite numbers. Received: NaN or infinity"
        )
    return images

"""Augmentation of training images, drawn without state from a seed for each image."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from se_keras.data.images import decode_part, decode_whole, resize
from se_keras.data.rand_augment import rotate
from se_keras.data.settings import CROPS, Augmentation
from se_keras.models.preprocessing import Preprocessing

# Of the part that is erased: fraction of the image's area, and width / height.
ERASED_AREA = (0.02, 1 / 3)
ERASED_ASPECT = (0.3, 1 / 0.3)


def decode_crop(
    encoded: tf.Tensor,
    seed: tf.Tensor,
    config: Augmentation,
    preprocessing: Preprocessing,
    tolerant: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes the part of an image that its crop needs.

    Args:
        encoded: Scalar string, an encoded image.
        seed: Two integers. The same seed gives the same part.
        config: The augmentation.
        preprocessing: The images that the network expects.
        tolerant: Whether a damaged image raises no error.

    Returns:
        Pixels `(height, width, channels)`, uint8, and whether they are those of the
        image.
    """
    return CROPS[config.crop].decode(encoded, seed, config, preprocessing, tolerant)


def transform(
    pixels: tf.Tensor,
    seed: tf.Tensor,
    config: Augmentation,
    preprocessing: Preprocessing,
) -> tf.Tensor:
    """Makes a training image of the pixels that `decode_crop` returns.

    Args:
        pixels: Pixels `(height, width, channels)`, uint8.
        seed: The same two integers.
        config: The augmentation.
        preprocessing: The images that the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*preprocessing.size, channels)`.
    """
    image = CROPS[config.crop].fit(pixels, seed, config, preprocessing)
    image = tf.ensure_shape(image, (*preprocessing.size, preprocessing.channels))
    for number, (name, step) in enumerate(STEPS.items(), 1):
        if getattr(config, name):
            step_seed = tf.random.experimental.stateless_fold_in(seed, number)
            image = step(image, step_seed, config)
    return image


def augment(
    encoded: tf.Tensor,
    seed: tf.Tensor,
    config: Augmentation,
    preprocessing: Preprocessing,
) -> tf.Tensor:
    """Decodes and augments one image; see `decode_crop` and `transform`."""
    pixels, _ = decode_crop(encoded, seed, config, preprocessing)
    return transform(pixels, seed, config, preprocessing)


def draw_hole(seed: tf.Tensor, config: Augmentation, preprocessing: Preprocessing):
    """Draws the part of an image that is erased.

    Args:
        seed: Two integers. The same seed draws the same part.
        config: The augmentation.
        preprocessing: The images that the network expects.

    Returns:
        First row and column, height and width, `(4,)`, integers; height and width are 0
        if nothing is erased.
    """
    if not config.erasing:
        return tf.zeros((4,), tf.int32)
    # A number that no step of `transform` uses.
    seed = tf.random.experimental.stateless_fold_in(seed, 0)
    part_seed, seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    shape = tf.constant((*preprocessing.size, preprocessing.channels))
    begin, size, _ = _part(shape, part_seed, ERASED_AREA, ERASED_ASPECT)
    erased = tf.random.stateless_uniform((), seed) < config.erasing
    return tf.concat([begin[:2], size[:2] * tf.cast(erased, tf.int32)], 0)


def erase(images: tf.Tensor, holes: tf.Tensor) -> tf.Tensor:
    """Sets a part of each image of a batch to 0.

    Args:
        images: Normalized images `(batch, height, width, channels)`, whose mean color
            is 0.
        holes: What `draw_hole` returned for each image, `(batch, 4)`.

    Reference:
        - [Random Erasing](https://arxiv.org/abs/1708.04896)
    """
    _, height, width, channels = images.shape
    inside = []
    for axis, index in enumerate(
        (np.arange(height, dtype="int32"), np.arange(width, dtype="int32"))
    ):
        begin, size = holes[:, axis, None], holes[:, axis + 2, None]
        inside.append((index >= begin) & (index < begin + size))
    inside[1] = tf.repeat(inside[1], channels, axis=1)
    kept = 1 - tf.cast(inside[0][:, :, None] & inside[1][:, None], tf.float32)
    return images * tf.reshape(kept, tf.shape(images))


def _part(shape, seed, area, aspect):
    """Draws a part of an image of some height, width and channels."""
    return tf.image.stateless_sample_distorted_bounding_box(
        shape,
        bounding_boxes=tf.zeros((1, 0, 4)),
        seed=seed,
        min_object_covered=0.0,
        aspect_ratio_range=aspect,
        area_range=area,
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )


def _decode_resized(encoded, seed, config, preprocessing, tolerant):
    def choose(shape):
        begin, size, _ = _part(shape, seed, config.area, config.aspect)
        return begin[:2], size[:2]

    return decode_part(encoded, choose, preprocessing.channels, tolerant)


def _fit_resized(pixels, seed, config, preprocessing):
    return resize(pixels, preprocessing.size, preprocessing.interpolation)


def _decode_padded(encoded, seed, config, preprocessing, tolerant):
    return decode_whole(encoded, preprocessing.channels, tolerant)


def _fit_padded(pixels, seed, config, preprocessing):
    height, width = preprocessing.size
    padding = config.padding
    image = resize(pixels, preprocessing.size, preprocessing.interpolation)
    image = tf.image.pad_to_bounding_box(
        image, padding, padding, height + 2 * padding, width + 2 * padding
    )
    return tf.image.stateless_random_crop(
        image, (*preprocessing.size, preprocessing.channels), seed
    )


def _flip(image, seed, config):
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    return tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)


def _rotate(image, seed, config):
    largest = config.rotation
    degrees = tf.random.stateless_uniform((1,), seed, -largest, largest)
    return rotate(image[None], degrees)[0]


def _jitter(image, seed, config):
    height, width, channels = image.shape
    added = tf.random.stateless_uniform(
        (channels,), seed, -config.jitter, config.jitter
    )
    # By rows instead of by pixels: see `images.normalize`.
    rows = tf.reshape(image, (height, width * channels)) + tf.tile(added, (width,))
    return tf.reshape(tf.clip_by_value(rows, 0.0, 255.0), image.shape)


class Crop(NamedTuple):
    """The two steps of a crop: decoding a part, and resizing it for the network."""

    decode: Callable
    fit: Callable


# The crops in `settings.CROPS`.
RESIZED = Crop(_decode_resized, _fit_resized)
PADDED = Crop(_decode_padded, _fit_padded)

# Steps after the crop in their order, by the field that turns each on.
STEPS = {
    "flip": _flip,
    "rotation": _rotate,
    "jitter": _jitter,
}

"""What a training image goes through, drawn without state from a seed of its own."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from se_keras.data.images import decode_part, decode_whole, resize
from se_keras.data.rand_augment import rotate
from se_keras.models.preprocessing import Preprocessing

# Of the part that is erased: share of the image, and width / height.
ERASED_AREA = (0.02, 1 / 3)
ERASED_ASPECT = (0.3, 1 / 0.3)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What a training image goes through before normalization.

    Attributes:
        crop: `"resized"`, a random part of the image with random aspect, resized
            (the paper, section 6.1; Szegedy et al. 2015), or `"padded"`, the image
            with zeros around it, cropped at random (He et al. 2015, section 4.2).
        area: Range of the part's share of the image, for `"resized"`.
        aspect: Range of the part's width / height, for `"resized"`.
        padding: Zeros on each side in pixels of the network's input, for `"padded"`.
        flip: Whether half of the images are mirrored left to right.
        rotation: Largest angle in degrees by which an image is turned, either way.
        jitter: Largest number added to all pixels of a channel, or taken from them.
        operations: Operations of RandAugment on each image; 0 for none.
        magnitude: Strength of the operations, in 0..10.
        magnitude_std: Standard deviation of the strength.
        erasing: Probability that a part of an image is erased.
        mixup: Parameter of MixUp's Beta distribution; 0 for none.
        cutmix: Parameter of CutMix's Beta distribution; 0 for none.
        cutmix_share: Share of the batches that CutMix mixes, where MixUp does too.
        repeats: How often an image is in an epoch, which then has fewer images.
    """

    crop: str = "resized"
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    padding: int = 4
    flip: bool = True
    rotation: float = 0.0
    jitter: float = 0.0
    operations: int = 0
    magnitude: float = 7.0
    magnitude_std: float = 0.0
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    cutmix_share: float = 0.5
    repeats: int = 1

    @property
    def mixes(self) -> bool:
        """Whether images are mixed; their labels then are shares of the classes."""
        return bool(self.mixup or self.cutmix)

    def __post_init__(self):
        if self.crop not in CROPS:
            raise ValueError(
                f"Argument `crop` must be one of {tuple(CROPS)}. "
                f"Received: crop={self.crop!r}"
            )
        for name in ("area", "aspect"):
            low, high = getattr(self, name)
            if not 0 < low <= high < math.inf:
                raise ValueError(
                    f"Argument `{name}` must be two positive numbers, the smaller one "
                    f"first. Received: {name}={(low, high)}"
                )
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(
                    f"Argument `{name}` must be in the range [{low}, {high}]. "
                    f"Received: {name}={value!r}"
                )


RANGES = {
    "padding": (0, math.inf),
    "rotation": (0, 180),
    "jitter": (0, 255),
    "operations": (0, math.inf),
    "magnitude": (0, 10),
    "magnitude_std": (0, math.inf),
    "erasing": (0, 1),
    "mixup": (0, math.inf),
    "cutmix": (0, math.inf),
    "cutmix_share": (0, 1),
    "repeats": (1, math.inf),
}


def decode_crop(
    encoded: tf.Tensor,
    seed: tf.Tensor,
    config: Augmentation,
    record: Preprocessing,
    tolerant: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes of one image what its crop needs.

    Args:
        encoded: Scalar string, an encoded image.
        seed: Two integers. The same seed gives the same part.
        config: What to do.
        record: What the network expects.
        tolerant: Whether a damaged image is none of the errors.

    Returns:
        Pixels `(height, width, record.channels)`, bytes, and whether they are those of
        the image.
    """
    return CROPS[config.crop].decode(encoded, seed, config, record, tolerant)


def transform(
    pixels: tf.Tensor, seed: tf.Tensor, config: Augmentation, record: Preprocessing
) -> tf.Tensor:
    """Makes a training image of what `decode_crop` returns.

    Args:
        pixels: Pixels `(height, width, record.channels)`, bytes.
        seed: The same two integers.
        config: What to do.
        record: What the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*record.size, record.channels)`.
    """
    image = CROPS[config.crop].fit(pixels, seed, config, record)
    image = tf.ensure_shape(image, (*record.size, record.channels))
    for number, (name, step) in enumerate(STEPS.items(), 1):
        if getattr(config, name):
            step_seed = tf.random.experimental.stateless_fold_in(seed, number)
            image = step(image, step_seed, config)
    return image


def augment(
    encoded: tf.Tensor, seed: tf.Tensor, config: Augmentation, record: Preprocessing
) -> tf.Tensor:
    """Decodes and augments one image; see `decode_crop` and `transform`."""
    pixels, _ = decode_crop(encoded, seed, config, record)
    return transform(pixels, seed, config, record)


def draw_hole(seed: tf.Tensor, config: Augmentation, record: Preprocessing):
    """Draws the part of an image that is erased.

    Args:
        seed: Two integers. The same seed draws the same part.
        config: Its `erasing` is the probability that there is one.
        record: What the network expects.

    Returns:
        First row and column, height and width, `(4,)`, integers; both are 0 where
        nothing is erased.
    """
    if not config.erasing:
        return tf.zeros((4,), tf.int32)
    # A number that no step of `transform` has.
    seed = tf.random.experimental.stateless_fold_in(seed, 0)
    part_seed, seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    shape = tf.constant((*record.size, record.channels))
    begin, size, _ = _part(shape, part_seed, ERASED_AREA, ERASED_ASPECT)
    erased = tf.random.stateless_uniform((), seed) < config.erasing
    return tf.concat([begin[:2], size[:2] * tf.cast(erased, tf.int32)], 0)


def erase(images: tf.Tensor, holes: tf.Tensor) -> tf.Tensor:
    """Sets a part of each image of a batch to 0.

    Args:
        images: Normalized images `(batch, height, width, channels)`: 0 is the mean
            color.
        holes: What `draw_hole` returned for each, `(batch, 4)`.

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


def _decode_resized(encoded, seed, config, record, tolerant):
    def choose(shape):
        begin, size, _ = _part(shape, seed, config.area, config.aspect)
        return begin[:2], size[:2]

    return decode_part(encoded, choose, record.channels, tolerant)


def _fit_resized(pixels, seed, config, record):
    return resize(pixels, record.size, record.interpolation)


def _decode_padded(encoded, seed, config, record, tolerant):
    return decode_whole(encoded, record.channels, tolerant)


def _fit_padded(pixels, seed, config, record):
    height, width = record.size
    padding = config.padding
    image = resize(pixels, record.size, record.interpolation)
    image = tf.image.pad_to_bounding_box(
        image, padding, padding, height + 2 * padding, width + 2 * padding
    )
    return tf.image.stateless_random_crop(image, (*record.size, record.channels), seed)


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
    # By rows, and not by pixels: see `images.normalize`.
    rows = tf.reshape(image, (height, width * channels)) + tf.tile(added, (width,))
    return tf.reshape(tf.clip_by_value(rows, 0.0, 255.0), image.shape)


class Crop(NamedTuple):
    """What a crop decodes of an image, and how it makes the network's size of it."""

    decode: Callable
    fit: Callable


CROPS = {
    "resized": Crop(_decode_resized, _fit_resized),
    "padded": Crop(_decode_padded, _fit_padded),
}

# What follows the crop, in this order, by the field that asks for it.
STEPS = {
    "flip": _flip,
    "rotation": _rotate,
    "jitter": _jitter,
}

"""Training crops and flips, drawn without state from a seed of each image."""

import dataclasses

import tensorflow as tf

from se_keras.data.images import crop, decode, image_size, resize
from se_keras.models.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What a training image goes through before normalisation.

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


def augment(
    encoded: tf.Tensor, seed: tf.Tensor, config: Augmentation, record: Preprocessing
) -> tf.Tensor:
    """Decodes and augments one image.

    Args:
        encoded: Scalar string, an encoded image.
        seed: Two integers. The same seed gives the same image.
        config: What to do.
        record: What the network expects.

    Returns:
        Pixels in 0..255, float32, of shape `(*record.size, record.channels)`.
    """
    crop_seed, flip_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    image = CROPS[config.crop](encoded, crop_seed, config, record)
    if config.flip:
        image = tf.image.stateless_random_flip_left_right(image, flip_seed)
    return tf.ensure_shape(image, (*record.size, record.channels))


def _resized_crop(encoded, seed, config, record):
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.concat([image_size(encoded), [record.channels]], 0),
        bounding_boxes=tf.zeros((1, 0, 4)),
        seed=seed,
        min_object_covered=0.0,
        aspect_ratio_range=config.aspect,
        area_range=config.area,
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    image = crop(encoded, begin[:2], size[:2], record.channels)
    return resize(image, record.size, record.interpolation)


def _padded_crop(encoded, seed, config, record):
    height, width = record.size
    image = resize(decode(encoded, record.channels), record.size, record.interpolation)
    image = tf.image.pad_to_bounding_box(
        image,
        config.padding,
        config.padding,
        height + 2 * config.padding,
        width + 2 * config.padding,
    )
    return tf.image.stateless_random_crop(image, (*record.size, record.channels), seed)


CROPS = {"resized": _resized_crop, "padded": _padded_crop}

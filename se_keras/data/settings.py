"""The settings of the data of a run. They are read without importing TensorFlow."""

import dataclasses
import math

from se_keras.lazy import Table

# What a pipeline may do with a record that is not an image, or whose label is not a
# class.
POLICIES = ("fail", "skip")

# The crops of `Augmentation`.
CROPS = Table(
    resized="se_keras.data.augmentation:RESIZED",
    padded="se_keras.data.augmentation:PADDED",
)

RANGES = {
    "padding": (0, 8192),
    "rotation": (0, 180),
    "jitter": (0, 255),
    "operations": (0, 100),
    "magnitude": (0, 10),
    "magnitude_std": (0, 100),
    "erasing": (0, 1),
    "mixup": (0, 1000),
    "cutmix": (0, 1000),
    "cutmix_fraction": (0, 1),
    "repeats": (1, 1000),
}


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentation of training images, before normalization.

    Attributes:
        crop: `"resized"` for a random part of the image with random aspect ratio,
            resized to the input of the network, or `"padded"` for the image with zeros
            around it, cropped at random.
        area: Range of the area of the part, as a fraction of the image, in (0, 1], for
            `"resized"`.
        aspect: Range of the width / height of the part, for `"resized"`.
        padding: Zeros on each side in pixels of the network's input, for `"padded"`.
        flip: Whether half of the images are mirrored left to right.
        rotation: Largest angle in degrees by which an image is rotated in either
            direction, in 0..180.
        jitter: Largest number that is added to all pixels of a channel or subtracted
            from them, in 0..255.
        operations: Number of operations of RandAugment per image; 0 for none.
        magnitude: Strength of the operations, in 0..10.
        magnitude_std: Standard deviation of the strength.
        erasing: Probability that a part of an image is erased, in 0..1.
        mixup: Parameter of MixUp's Beta distribution; 0 for no MixUp.
        cutmix: Parameter of CutMix's Beta distribution; 0 for no CutMix.
        cutmix_fraction: Fraction of the batches that are mixed by CutMix if both are
            used, in 0..1.
        repeats: How often each image is in an epoch, which then has fewer different
            images.

    Raises:
        ValueError: If an argument is outside of its range.

    Reference:
        - [Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507), section
          6.1: `crop="resized"`, as in
          [Going Deeper with Convolutions](https://arxiv.org/abs/1409.4842)
        - [Deep Residual Learning](https://arxiv.org/abs/1512.03385), section 4.2:
          `crop="padded"`
        - [RandAugment](https://arxiv.org/abs/1909.13719)
        - [Random Erasing](https://arxiv.org/abs/1708.04896)
        - [mixup](https://arxiv.org/abs/1710.09412)
        - [CutMix](https://arxiv.org/abs/1905.04899)

    Example:

    ```python
    augmentation = Augmentation(operations=2, magnitude=7, mixup=0.2, cutmix=1.0)
    ```
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
    cutmix_fraction: float = 0.5
    repeats: int = 1

    @property
    def mixes(self) -> bool:
        """Whether images are mixed; labels are then fractions of the classes."""
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

"""What is done to an image before a network takes it."""

import dataclasses
import math
import numbers
import sys
import warnings
from typing import Any

import numpy as np

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """The image that a network expects.

    Evaluation resizes the short side to `size / crop`, crops the center and
    normalizes: `(pixel / 255 - mean) / std`.

    Attributes:
        size: Height and width in pixels.
        crop: Fraction of the resized short side that the center crop keeps, in (0, 1].
        interpolation: `"bilinear"` or `"bicubic"`.
        mean: Mean of each channel, for pixels in 0..1. RGB order.
        std: Standard deviation of each channel, for pixels in 0..1.
    """

    size: tuple[int, int] = (224, 224)
    crop: float = 0.875
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        if not (
            isinstance(self.size, list | tuple)
            and len(self.size) == 2
            and all(isinstance(n, numbers.Integral) and int(n) > 0 for n in self.size)
        ):
            raise ValueError(
                "Argument `size` must be height and width, two positive integers. "
                f"Received: size={self.size!r}"
            )
        if not 0 < self.crop <= 1:
            raise ValueError(
                "Argument `crop` must be in the range (0, 1]. "
                f"Received: crop={self.crop!r}"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"Argument `interpolation` must be one of {INTERPOLATIONS}. "
                f"Received: interpolation={self.interpolation!r}"
            )
        if len(self.mean) != len(self.std):
            raise ValueError(
                "Arguments `mean` and `std` must have one number per channel. "
                f"Received: mean={self.mean!r}, std={self.std!r}"
            )

    @property
    def channels(self) -> int:
        """Number of color channels."""
        return len(self.mean)

    @property
    def resize_size(self) -> tuple[int, int]:
        """Least height and width in pixels before the center crop."""
        height, width = self.size
        return math.floor(height / self.crop), math.floor(width / self.crop)

    @property
    def scale(self) -> np.ndarray:
        """Factor of each channel: `normalized = pixel * scale + offset`."""
        return (1 / (255 * np.asarray(self.std))).astype("float32")

    @property
    def offset(self) -> np.ndarray:
        """Offset of each channel: `normalized = pixel * scale + offset`."""
        return (-np.asarray(self.mean) / np.asarray(self.std)).astype("float32")

    @property
    def is_of_pixels(self) -> bool:
        """Whether the network takes pixels in 0..255 as they are."""
        return bool(np.all(self.scale == 1) and np.all(self.offset == 0))

    def normalize(self, pixels: Any) -> Any:
        """Returns pixels as the network expects them: `pixels * scale + offset`.

        Args:
            pixels: `(..., height, width, channels)`, in 0..255, integers or
                floating-point numbers: a NumPy array, a tensor of TensorFlow (also in
                `dataset.map`), JAX or PyTorch, or a Keras tensor. Channels are last
                for networks of `data_format="channels_first"`, too.

        Returns:
            An array or tensor of the same kind and shape, in float32.

        Raises:
            ValueError: If the last axis does not have the channels of the network.
        """
        shape = tuple(pixels.shape)
        if not shape or shape[-1] not in (None, self.channels):
            raise ValueError(
                f"Expected pixels of shape (..., height, width, {self.channels}), "
                f"channels last. Received: pixels of shape {shape}"
            )
        _warn_of_fractions(pixels)
        return _as_float(pixels) * self.scale + self.offset

    def denormalize(self, images: Any) -> Any:
        """Returns the pixels of normalized images: the inverse of `normalize`.

        Args:
            images: `(..., height, width, channels)`, as `normalize` returned them.

        Returns:
            The pixels, in 0..255 up to rounding.
        """
        return (_as_float(images) - self.offset) / self.scale

    @classmethod
    def of_pixels(
        cls,
        size: tuple[int, int],
        *,
        crop: float = 0.875,
        interpolation: str = "bilinear",
        channels: int = 3,
    ) -> "Preprocessing":
        """Returns the preprocessing for a model that takes pixels in 0..255.

        Args:
            size: Height and width in pixels.
            crop: As in the constructor.
            interpolation: As in the constructor.
            channels: Number of color channels.

        Example:

        ```python
        # A model with `keras.layers.Rescaling(1 / 255)` as its first layer.
        preprocessing = Preprocessing.of_pixels((160, 160), crop=1.0)
        ```
        """
        mean, std = (0.0,) * channels, (1 / 255,) * channels
        return cls(size, crop, interpolation, mean, std)

    def without_normalization(self) -> "Preprocessing":
        """Returns the preprocessing of the same size and crop, for pixels."""
        return self.of_pixels(
            self.size,
            crop=self.crop,
            interpolation=self.interpolation,
            channels=self.channels,
        )

    def with_input(
        self, height: int | None, width: int | None, channels: int
    ) -> "Preprocessing":
        """Returns the preprocessing for another input; unknown sizes stay as they are.

        Another number of channels gets the average of the mean and of the standard
        deviation, for each.
        """
        mean, std = self.mean, self.std
        if channels != self.channels:
            mean = (round(float(np.mean(mean)), 4),) * channels
            std = (round(float(np.mean(std)), 4),) * channels
        size = (height or self.size[0], width or self.size[1])
        return dataclasses.replace(self, size=size, mean=mean, std=std)

    def to_dict(self) -> dict[str, Any]:
        """Returns the preprocessing as plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Preprocessing":
        """Returns the preprocessing that `to_dict` returned, also after JSON."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        return cls(**fields)


def _as_float(images):
    """Returns tensors of TensorFlow and PyTorch in float32, all others as they are.

    NumPy, JAX and Keras promote integers by a factor in float32; TensorFlow converts
    the factor to the type of the tensor.
    """
    tensorflow, torch = map(sys.modules.get, ("tensorflow", "torch"))
    if tensorflow is not None and tensorflow.is_tensor(images):
        return tensorflow.cast(images, "float32")
    if torch is not None and torch.is_tensor(images):
        return images.float()
    return images


def _warn_of_fractions(pixels):
    """Warns of pixels that seem to be in 0..1: all of them, and not all integers."""
    tensorflow = sys.modules.get("tensorflow")
    # Tensors in a graph have no values.
    if tensorflow and tensorflow.is_tensor(pixels) and hasattr(pixels, "numpy"):
        pixels = pixels.numpy()
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype.kind != "f"
        or not pixels.size
    ):
        return
    if pixels.min() >= 0 and pixels.max() <= 1 and np.any(pixels % 1):
        warnings.warn(
            "Expected pixels in 0..255. Received: fractions, all in 0..1; multiply "
            "them by 255.",
            stacklevel=3,
        )


IMAGENET = Preprocessing()
CIFAR = Preprocessing(
    size=(32, 32),
    crop=1.0,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)

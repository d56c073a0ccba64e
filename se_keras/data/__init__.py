"""Images: data sets, decoding, augmentation and the batches for a network.

Needs the TensorFlow backend of Keras. Data sets of TensorFlow Datasets need the extra
`train`.
"""

# ruff: noqa: E402
from se_keras.backend import require_tensorflow

require_tensorflow("se_keras.data")

from se_keras.data.augmentation import Augmentation
from se_keras.data.bad_images import BadImages, naming_bad_images
from se_keras.data.image_source import ImageSource
from se_keras.data.images import read_image
from se_keras.data.pipeline import evaluation_batches, some_pixels, training_batches
from se_keras.data.sources import open_source

__all__ = [
    "Augmentation",
    "BadImages",
    "ImageSource",
    "evaluation_batches",
    "naming_bad_images",
    "open_source",
    "read_image",
    "some_pixels",
    "training_batches",
]


def __dir__() -> list[str]:
    return __all__

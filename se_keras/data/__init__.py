"""Images: where they come from, and what they go through before a network."""

from se_keras.data.augmentation import Augmentation
from se_keras.data.bad_images import BadImages, naming_bad_images
from se_keras.data.pipeline import evaluation_batches, read_image, training_batches
from se_keras.data.sources import ImageSource, open_source

__all__ = [
    "Augmentation",
    "BadImages",
    "ImageSource",
    "evaluation_batches",
    "naming_bad_images",
    "open_source",
    "read_image",
    "training_batches",
]

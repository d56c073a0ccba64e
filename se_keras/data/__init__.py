"""Images: data sets, decoding, augmentation and the batches for a network.

Needs the TensorFlow backend of Keras. Data sets of TensorFlow Datasets need the extra
`train`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from se_keras.data.bad_images import BadImages as BadImages
    from se_keras.data.bad_images import naming_bad_images as naming_bad_images
    from se_keras.data.image_source import ImageSource as ImageSource
    from se_keras.data.images import decode_image as decode_image
    from se_keras.data.images import read_image as read_image
    from se_keras.data.images import resize_and_crop as resize_and_crop
    from se_keras.data.pipeline import evaluation_batches as evaluation_batches
    from se_keras.data.pipeline import some_pixels as some_pixels
    from se_keras.data.pipeline import training_batches as training_batches
    from se_keras.data.settings import Augmentation as Augmentation
    from se_keras.data.sources import open_source as open_source
    from se_keras.data.splits import Splits as Splits
else:
    from se_keras import lazy as _lazy
    from se_keras.backend import require_tensorflow as _require_tensorflow

    __getattr__, __dir__, __all__ = _lazy.attributes(
        __name__,
        _lazy.public(
            __name__,
            {
                "bad_images": (
                    "BadImages",
                    "naming_bad_images",
                ),
                "image_source": ("ImageSource",),
                "images": (
                    "decode_image",
                    "read_image",
                    "resize_and_crop",
                ),
                "pipeline": (
                    "evaluation_batches",
                    "some_pixels",
                    "training_batches",
                ),
                "settings": ("Augmentation",),
                "sources": ("open_source",),
                "splits": ("Splits",),
            },
        ),
        lambda: _require_tensorflow("se_keras.data"),
    )

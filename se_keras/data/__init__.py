"""Images: data sets, decoding, augmentation and the batches for a network.

Needs the TensorFlow backend of Keras.
"""

import importlib
from typing import Any

from se_keras.backend import require_tensorflow

require_tensorflow("se_keras.data")

# Names and their modules, which are imported when a name is used: decoding needs
# TensorFlow alone, data sets need the extra `train`.
_MODULES = {
    "Augmentation": "augmentation",
    "BadImages": "bad_images",
    "ImageSource": "image_source",
    "evaluation_batches": "pipeline",
    "naming_bad_images": "bad_images",
    "open_source": "sources",
    "read_image": "images",
    "some_pixels": "pipeline",
    "training_batches": "pipeline",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        module = importlib.import_module(f"se_keras.data.{_MODULES[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'se_keras.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""Images: where they come from, and what they go through before a network."""

import importlib

# Names and the modules they are in, which are opened when they are asked for: decoding
# needs TensorFlow alone, data sets need the extra `train`.
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


def __getattr__(name):
    if name in _MODULES:
        module = importlib.import_module(f"se_keras.data.{_MODULES[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'se_keras.data' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])

"""Networks: by name or spec with `create_model`, or by constructor as in Keras.

Each network of the registry has a constructor here: `se_resnet50` has `SEResNet50`; and
each family its spec: `ResNetSpec`.
"""

import difflib as _difflib

from se_keras.graph.insert import set_architectures as _set_architectures
from se_keras.models.architectures import ARCHITECTURES as _ARCHITECTURES
from se_keras.models.constructors import constructor as _constructor
from se_keras.models.constructors import constructor_names as _constructor_names
from se_keras.models.create import create_model
from se_keras.models.families import public_types as _public_types
from se_keras.models.image_model import ImageModel
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.recognition import structure_of
from se_keras.models.registry import list_models, register
from se_keras.models.spec import NetworkSpec
from se_keras.models.structure import Part, Structure

_set_architectures(_ARCHITECTURES)
globals().update(_public_types())

__all__ = [
    "ImageModel",
    "NetworkSpec",
    "Part",
    "Preprocessing",
    "Structure",
    "create_model",
    "list_models",
    "register",
    "structure_of",
    *sorted(_public_types()),
    *_constructor_names(),
]


def __getattr__(name):
    # Created when asked for, also for networks that the user registers.
    found = _constructor(name)
    if found is None:
        nearest = _difflib.get_close_matches(name, __dir__(), n=3)
        hint = f". Did you mean {' or '.join(nearest)}?" if nearest else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
    return found


def __dir__():
    return sorted({*__all__, *_constructor_names()})

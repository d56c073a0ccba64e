"""Networks: by name or spec with `create_model`, or by constructor as in Keras.

Each network of the registry has a constructor here: `se_resnet50` has `SEResNet50`.
"""

from se_keras.graph.insert import set_architectures as _set_architectures
from se_keras.models.architectures import ARCHITECTURES as _ARCHITECTURES
from se_keras.models.bn_inception import BNInceptionSpec, InceptionModule
from se_keras.models.constructors import constructor as _constructor
from se_keras.models.constructors import constructor_names as _constructor_names
from se_keras.models.create import create_model
from se_keras.models.image_model import ImageModel
from se_keras.models.keras_applications import ApplicationSpec, Block
from se_keras.models.preact_resnet import PreActResNetSpec
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.recognition import structure_of
from se_keras.models.registry import list_models, register
from se_keras.models.resnet import ResNetSpec, Stem
from se_keras.models.shake_shake import ShakeShakeSpec
from se_keras.models.shufflenet import ShuffleNetSpec
from se_keras.models.spec import NetworkSpec
from se_keras.models.structure import Part, Structure
from se_keras.models.vgg import VGGSpec

_set_architectures(_ARCHITECTURES)

__all__ = [
    "ApplicationSpec",
    "BNInceptionSpec",
    "Block",
    "ImageModel",
    "InceptionModule",
    "NetworkSpec",
    "Part",
    "PreActResNetSpec",
    "Preprocessing",
    "ResNetSpec",
    "ShakeShakeSpec",
    "ShuffleNetSpec",
    "Stem",
    "Structure",
    "VGGSpec",
    "create_model",
    "list_models",
    "register",
    "structure_of",
    *_constructor_names(),
]


def __getattr__(name):
    # Created when asked for, also for networks that the user registers.
    found = _constructor(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found


def __dir__():
    return sorted({*__all__, *_constructor_names()})

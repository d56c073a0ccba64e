"""Networks: by name with `create_model`, or by constructor as in Keras."""

from se_keras.models import resnet as _resnet  # noqa: F401  (registers the family)
from se_keras.models.create import constructor as _constructor
from se_keras.models.create import create_model
from se_keras.models.image_model import ImageModel
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.registry import list_models

ResNet18 = _constructor("resnet18")
ResNet34 = _constructor("resnet34")
ResNet50 = _constructor("resnet50")
ResNet101 = _constructor("resnet101")
ResNet152 = _constructor("resnet152")
SEResNet18 = _constructor("se_resnet18")
SEResNet34 = _constructor("se_resnet34")
SEResNet50 = _constructor("se_resnet50")
SEResNet101 = _constructor("se_resnet101")
SEResNet152 = _constructor("se_resnet152")

ResNet20 = _constructor("resnet20")
ResNet32 = _constructor("resnet32")
ResNet44 = _constructor("resnet44")
ResNet56 = _constructor("resnet56")
ResNet110 = _constructor("resnet110")
SEResNet20 = _constructor("se_resnet20")
SEResNet32 = _constructor("se_resnet32")
SEResNet44 = _constructor("se_resnet44")
SEResNet56 = _constructor("se_resnet56")
SEResNet110 = _constructor("se_resnet110")

__all__ = [
    "ImageModel",
    "Preprocessing",
    "ResNet18",
    "ResNet20",
    "ResNet32",
    "ResNet34",
    "ResNet44",
    "ResNet50",
    "ResNet56",
    "ResNet101",
    "ResNet110",
    "ResNet152",
    "SEResNet18",
    "SEResNet20",
    "SEResNet32",
    "SEResNet34",
    "SEResNet44",
    "SEResNet50",
    "SEResNet56",
    "SEResNet101",
    "SEResNet110",
    "SEResNet152",
    "create_model",
    "list_models",
]

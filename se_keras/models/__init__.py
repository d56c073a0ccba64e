"""Networks: by name with `create_model`, or by constructor as in Keras.

Each network of the registry has a constructor here: `se_resnet50` has `SEResNet50`.
"""

from se_keras.models import (  # noqa: F401  (each registers a family)
    bn_inception,
    keras_applications,
    preact_resnet,
    resnet,
    shake_shake,
    shufflenet,
    vgg,
)
from se_keras.models.create import constructors as _constructors
from se_keras.models.create import create_model
from se_keras.models.image_model import ImageModel
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.registry import list_models

globals().update(_constructors())

__all__ = ["ImageModel", "Preprocessing", "create_model", "list_models"]
__all__ += list(_constructors())

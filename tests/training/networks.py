"""A network that trains in seconds."""

import contextlib
import dataclasses
import functools
from unittest import mock

from se_keras.layers import SqueezeExcite
from se_keras.models import registry
from se_keras.models.preprocessing import CIFAR
from se_keras.models.resnet import CIFAR_SPECS, features

SMALL = "se_resnet8"


@contextlib.contextmanager
def small_network():
    """Puts `se_resnet8`, one block a stage, into the registry for a while."""
    with mock.patch.dict(registry._ENTRIES):
        registry.register(
            "ResNet8",
            features,
            dataclasses.replace(CIFAR_SPECS["ResNet20"], depths=(1, 1, 1)),
            preprocessing=CIFAR,
            squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
        )
        yield

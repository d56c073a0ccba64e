"""Squeeze-and-Excitation networks for Keras 3."""

import importlib
from typing import TYPE_CHECKING

from se_keras import analysis, graph, layers, models, weights
from se_keras.graph import add_squeeze_excite, fold, remove_squeeze_excite
from se_keras.layers import SqueezeExcite
from se_keras.models import create_model, list_models

# Packages that need TensorFlow, and data and training what their extra installs: they
# are imported when they are used, and are not in `__all__`, so that
# `from se_keras import *` works without.
_LAZY = ("data", "export", "training")

if TYPE_CHECKING:
    from se_keras import data as data
    from se_keras import export as export
    from se_keras import training as training
else:

    def __getattr__(name):
        if name in _LAZY:
            return importlib.import_module(f"se_keras.{name}")
        raise AttributeError(f"module 'se_keras' has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "SqueezeExcite",
    "__version__",
    "add_squeeze_excite",
    "analysis",
    "create_model",
    "fold",
    "graph",
    "layers",
    "list_models",
    "models",
    "remove_squeeze_excite",
    "weights",
]


def __dir__() -> list[str]:
    return sorted([*__all__, *_LAZY])

"""Squeeze-and-Excitation networks for Keras 3."""

import importlib
from typing import TYPE_CHECKING

from se_keras import analysis, graph, layers, models, weights
from se_keras.graph import add_squeeze_excite, fold, remove_squeeze_excite
from se_keras.layers import SqueezeExcite
from se_keras.models import create_model, list_models

if TYPE_CHECKING:
    from se_keras import data, export, training
else:
    # Packages that import TensorFlow are imported when they are asked for.
    _LAZY = ("data", "export", "training")

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
    "data",
    "export",
    "fold",
    "graph",
    "layers",
    "list_models",
    "models",
    "remove_squeeze_excite",
    "training",
    "weights",
]


def __dir__() -> list[str]:
    return __all__

"""Rewriting of functional models: adding and removing SE, the inference form."""

from se_keras.graph.fold import fold
from se_keras.graph.insert import add_squeeze_excite, remove_squeeze_excite

__all__ = ["add_squeeze_excite", "fold", "remove_squeeze_excite"]


def __dir__():
    return __all__

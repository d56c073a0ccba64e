"""Rewriting of functional models: SE put in and taken out, the inference form."""

from se_keras.graph.fold import fold
from se_keras.graph.insert import add_squeeze_excite, remove_squeeze_excite

__all__ = ["add_squeeze_excite", "fold", "remove_squeeze_excite"]

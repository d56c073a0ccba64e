"""Analysis of networks: their cost."""

from se_keras.analysis.cost import Complexity, LayerCost, complexity

__all__ = ["Complexity", "LayerCost", "complexity"]


def __dir__():
    return __all__

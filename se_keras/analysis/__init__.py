"""Looking at networks: what they cost."""

from se_keras.analysis.cost import Complexity, LayerCost, complexity

__all__ = ["Complexity", "LayerCost", "complexity"]

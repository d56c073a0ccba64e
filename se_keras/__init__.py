"""Squeeze-and-Excitation networks for Keras 3."""

from se_keras.layers import SqueezeExcite

__all__ = ["SqueezeExcite"]

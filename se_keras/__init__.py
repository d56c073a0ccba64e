"""Squeeze-and-Excitation networks for Keras 3."""

from se_keras import layers, models, weights
from se_keras.layers import SqueezeExcite
from se_keras.models import create_model, list_models

__all__ = [
    "SqueezeExcite",
    "create_model",
    "layers",
    "list_models",
    "models",
    "weights",
]

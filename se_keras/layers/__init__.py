"""Layers: `SqueezeExcite`, other attention layers, and parts of networks."""

# Before the modules: the import of Keras registers all of them, and none may then be in
# the middle of its own import (`se_keras.registration`).
import keras as _keras  # noqa: F401

from se_keras.layers.batch_normalization import BatchNormalization
from se_keras.layers.channel_shuffle import ChannelShuffle
from se_keras.layers.effective import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
)
from se_keras.layers.gate import DenseGate, Gate
from se_keras.layers.pad_channels import PadChannels
from se_keras.layers.shake_shake import ShakeShake
from se_keras.layers.spatial import ConcurrentSqueezeExcite, SpatialSqueezeExcite
from se_keras.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "BatchNormalization",
    "ChannelShuffle",
    "ConcurrentSqueezeExcite",
    "DenseGate",
    "EffectiveSqueezeExcite",
    "EfficientChannelAttention",
    "Gate",
    "PadChannels",
    "ShakeShake",
    "SpatialSqueezeExcite",
    "SqueezeExcite",
]


def __dir__():
    return __all__

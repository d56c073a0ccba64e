"""Layers: `SqueezeExcite`, other gates that fit where it fits, parts of networks."""

from se_keras.layers.batch_normalization import BatchNormalization
from se_keras.layers.channel_shuffle import ChannelShuffle
from se_keras.layers.effective import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
)
from se_keras.layers.pad_channels import PadChannels
from se_keras.layers.shake_shake import ShakeShake
from se_keras.layers.spatial import ConcurrentSqueezeExcite, SpatialSqueezeExcite
from se_keras.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "BatchNormalization",
    "ChannelShuffle",
    "ConcurrentSqueezeExcite",
    "EffectiveSqueezeExcite",
    "EfficientChannelAttention",
    "PadChannels",
    "ShakeShake",
    "SpatialSqueezeExcite",
    "SqueezeExcite",
]

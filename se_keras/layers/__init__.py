"""Layers: `SqueezeExcite`, and the other gates that fit where it fits."""

from se_keras.layers.effective import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
)
from se_keras.layers.pad_channels import PadChannels
from se_keras.layers.spatial import ConcurrentSqueezeExcite, SpatialSqueezeExcite
from se_keras.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "ConcurrentSqueezeExcite",
    "EffectiveSqueezeExcite",
    "EfficientChannelAttention",
    "PadChannels",
    "SpatialSqueezeExcite",
    "SqueezeExcite",
]

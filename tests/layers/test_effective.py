import re

import numpy as np
import pytest

from se_keras.layers import EffectiveSqueezeExcite, EfficientChannelAttention
from tests.helpers import apply, feature_maps, randomized, relative_error
from tests.layers import reference


def test_effective_squeeze_excite_matches_numpy(shape, data_format):
    x = feature_maps(*shape)
    layer = randomized(EffectiveSqueezeExcite(data_format=data_format), shape)
    gates = reference.effective_squeeze_excite(x, layer.get_weights())
    assert relative_error(apply(layer, x), x * gates) < 1e-6


@pytest.mark.parametrize("kernel_size", [None, 1, 5, 15])
def test_efficient_channel_attention_matches_numpy(shape, data_format, kernel_size):
    x = feature_maps(*shape)
    layer = EfficientChannelAttention(kernel_size, data_format=data_format)
    randomized(layer, shape)
    gates = reference.efficient_channel_attention(x, layer.get_weights())
    assert relative_error(apply(layer, x), x * gates) < 1e-6


@pytest.mark.parametrize(
    ("arguments", "channels", "kernel_size"),
    [
        ({}, 1, 3),
        ({}, 64, 3),
        ({}, 128, 5),
        ({}, 512, 5),
        ({}, 2048, 7),
        ({"gamma": 1, "beta": 0}, 512, 9),
        ({"kernel_size": 9}, 64, 9),
        ({"kernel_size": 1}, 64, 1),
        ({"kernel_size": np.int64(5)}, 64, 5),
    ],
)
def test_kernel_size(arguments, channels, kernel_size):
    layer = EfficientChannelAttention(**arguments)
    layer.build((None, 5, 7, channels))
    assert [tuple(w.shape) for w in layer.weights] == [(kernel_size, 1, 1)]


@pytest.mark.parametrize("value", [4, 0, -3, 2.5, True, "3"])
def test_bad_kernel_size(value):
    received = re.escape(f"Received: kernel_size={value!r}")
    with pytest.raises(ValueError, match=f"(?s)`kernel_size`.*{received}"):
        EfficientChannelAttention(value)

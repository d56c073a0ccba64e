"""Our gates compared with those of timm and keras-cv, with the same weights."""

import keras
import numpy as np
import pytest

from se_keras.layers import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    SqueezeExcite,
)
from tests.helpers import apply, feature_maps, randomized, relative_error, require

pytestmark = pytest.mark.parity

SHAPE = (2, 7, 9, 64)


@pytest.fixture(scope="module")
def torch():
    """PyTorch on one thread: TensorFlow has a pool of its own in this process."""
    torch = require("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="module")
def timm_layers(torch):
    return require("timm.layers")


def output_of(torch, module, layer, maps):
    """Gives the weights of `layer` to a module of timm and calls it on `maps`."""
    state = module.state_dict()
    for name, weight in zip(state, layer.get_weights(), strict=True):
        # (inputs, outputs) or (k, 1, 1), where PyTorch puts the outputs first.
        state[name] = torch.tensor(weight.T).reshape(state[name].shape)
    module.load_state_dict(state)
    with torch.no_grad():
        y = module.eval()(torch.tensor(np.moveaxis(maps, -1, 1)))
    return np.moveaxis(y.numpy(), 1, -1)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"ratio": 16, "divisor": 8}, {}),
        ({"ratio": 4, "divisor": 8}, {"rd_ratio": 0.25}),
        ({"hidden_channels": 10}, {"rd_channels": 10}),
        ({"ratio": 16, "divisor": 8, "use_bias": False}, {"bias": False}),
        (
            {
                "hidden_channels": 8,
                "activation": "swish",
                "gate_activation": "hard_sigmoid",
            },
            {"rd_channels": 8, "act_layer": "swish", "gate_layer": "hard_sigmoid"},
        ),
    ],
)
def test_squeeze_excite_is_that_of_timm(torch, timm_layers, ours, theirs):
    x = feature_maps(*SHAPE)
    layer = randomized(SqueezeExcite(**ours), SHAPE)
    expected = output_of(torch, timm_layers.SEModule(64, **theirs), layer, x)
    assert relative_error(apply(layer, x), expected) < 1e-5


def test_effective_squeeze_excite_is_that_of_timm(torch, timm_layers):
    x = feature_maps(*SHAPE)
    layer = randomized(EffectiveSqueezeExcite(), SHAPE)
    expected = output_of(torch, timm_layers.EffectiveSEModule(64), layer, x)
    assert relative_error(apply(layer, x), expected) < 1e-5


@pytest.mark.parametrize("channels", [8, 64, 128])
def test_efficient_channel_attention_is_that_of_timm(torch, timm_layers, channels):
    x = feature_maps(2, 7, 9, channels)
    layer = randomized(EfficientChannelAttention(), x.shape)
    expected = output_of(torch, timm_layers.EcaModule(channels), layer, x)
    assert relative_error(apply(layer, x), expected) < 1e-5


def test_squeeze_excite_is_that_of_keras_cv():
    x = feature_maps(*SHAPE)
    theirs = require("keras_cv").layers.SqueezeAndExcite2D(64, bottleneck_filters=4)
    theirs(x)
    layer = randomized(SqueezeExcite(ratio=16), SHAPE)
    for theirs_weight, weight in zip(theirs.weights, layer.weights, strict=True):
        theirs_weight.assign(keras.ops.reshape(weight, theirs_weight.shape))
    expected = keras.ops.convert_to_numpy(theirs(x))
    assert relative_error(apply(layer, x), expected) < 1e-5


def test_hidden_widths_are_those_of_timm(timm_layers):
    layer = SqueezeExcite(ratio=16, divisor=8)
    for channels in range(1, 513):
        theirs = timm_layers.SEModule(channels, device="meta")
        assert layer.compute_hidden_channels(channels) == theirs.fc1.out_channels


@pytest.mark.parametrize("ratio", [4, 16])
def test_round_limit_is_that_of_timm(timm_layers, ratio):
    layer = SqueezeExcite(ratio=ratio, divisor=8, round_limit=0.9)
    for channels in range(1, 513):
        theirs = timm_layers.make_divisible(channels / ratio, 8)
        assert layer.compute_hidden_channels(channels) == theirs


def test_kernel_sizes_are_those_of_timm(timm_layers):
    layer = EfficientChannelAttention()
    for channels in range(1, 2049):
        theirs = timm_layers.EcaModule(channels, device="meta")
        assert layer.num_neighbors(channels) == theirs.conv.kernel_size[0]

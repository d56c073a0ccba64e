import re

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from se_keras.layers import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    SqueezeExcite,
)
from tests.helpers import apply, feature_maps, randomized, relative_error, to_numpy
from tests.layers import reference

PAPER = {"ratio": 16}
TIMM = {"ratio": 16, "divisor": 8}
MOBILENET = {"ratio": 4, "divisor": 8, "round_limit": 0.9}


@pytest.mark.parametrize("squeeze", ["avg", "max"])
def test_matches_numpy(shape, data_format, squeeze):
    x = feature_maps(*shape)
    layer = SqueezeExcite(ratio=4, squeeze=squeeze, data_format=data_format)
    randomized(layer, shape)

    function = {"avg": np.mean, "max": np.max}[squeeze]
    gates = reference.squeeze_excite(x, layer.get_weights(), function)

    assert relative_error(apply(layer, x), x * gates) < 1e-6


def test_activations():
    x = feature_maps(2, 5, 7, 8)
    layer = SqueezeExcite(ratio=2, activation="tanh", gate_activation="hard_sigmoid")
    kernel1, bias1, kernel2, bias2 = randomized(layer, x.shape).get_weights()

    hidden = np.tanh(x.mean((1, 2), dtype="float64") @ kernel1 + bias1)
    gates = reference.hard_sigmoid(hidden @ kernel2 + bias2)

    assert relative_error(to_numpy(layer.gate(x)), gates) < 1e-6


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="Keras computes in float64 on TensorFlow only",
)
def test_float64():
    x = feature_maps(2, 31, 33, 13).astype("float64") / 3
    layer = randomized(SqueezeExcite(ratio=4, dtype="float64"), x.shape)
    gates = reference.squeeze_excite(x, layer.get_weights())
    assert relative_error(apply(layer, x), x * gates) < 1e-14


@pytest.mark.parametrize("use_bias", [True, False])
def test_is_a_keras_layer(shape, use_bias):
    TestCase().run_layer_test(
        SqueezeExcite,
        init_kwargs={"ratio": 4, "use_bias": use_bias, "kernel_regularizer": "l2"},
        input_shape=shape,
        expected_output_shape=shape,
        expected_num_trainable_weights=4 if use_bias else 2,
        expected_num_non_trainable_weights=0,
        expected_num_losses=2,
    )


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    ("gate_cls", "arguments"),
    [
        (
            SqueezeExcite,
            {"ratio": 1, "activation": "linear", "kernel_initializer": "identity"},
        ),
        (EffectiveSqueezeExcite, {"kernel_initializer": "identity"}),
        (EfficientChannelAttention, {"kernel_size": 1, "kernel_initializer": "ones"}),
    ],
)
def test_squeeze_is_not_summed_in_half_precision(gate_cls, arguments, dtype):
    """The sum overflows float16, and in bfloat16 it stops growing after 256 terms."""
    layer = gate_cls(**arguments, gate_activation="linear", dtype=dtype)
    gates = layer.gate(np.full((1, 40, 40, 3), 300, "float32"))
    np.testing.assert_array_equal(to_numpy(gates), np.full((1, 3), 300.0))


def test_sequential_of_the_docstring():
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(64, 3, activation="relu"),
            SqueezeExcite(ratio=16),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    assert tuple(model(feature_maps(2, 32, 32, 3)).shape) == (2, 10)
    assert model.layers[1].count_params() == 64 * 4 + 4 + 4 * 64 + 64


@pytest.mark.parametrize(
    ("arguments", "channels", "hidden"),
    [
        ({}, 256, 16),
        (PAPER, 64, 4),
        (PAPER, 2048, 128),
        (PAPER, 24, 2),  # 1.5
        (PAPER, 8, 1),  # 0.5
        (PAPER, 1, 1),
        ({"ratio": 2.5}, 64, 26),  # 25.6
        (TIMM, 64, 8),
        (TIMM, 8, 8),  # 0.5
        (TIMM, 256, 16),
        (TIMM, 192, 16),  # 12
        (TIMM, 176, 8),  # 11
        (MOBILENET, 16, 8),
        (MOBILENET, 44, 16),  # 11; 8 is less than nine tenths of it
        (MOBILENET, 72, 24),  # 18; so is 16
        ({**MOBILENET, "round_limit": 0}, 72, 16),
        ({"hidden_channels": 4}, 96, 4),  # EfficientNet-B0, block 2a: 16 // 4
        ({"hidden_channels": 5, "divisor": 8, "min_channels": 8}, 96, 5),
        ({"ratio": 16, "min_channels": 32}, 256, 32),
    ],
)
def test_hidden_width(arguments, channels, hidden):
    layer = SqueezeExcite(**arguments)
    layer.build((None, 5, 7, channels))
    assert [tuple(w.shape) for w in layer.weights] == [
        (channels, hidden),
        (hidden,),
        (hidden, channels),
        (channels,),
    ]


def test_hidden_widths_are_those_of_mobilenet_v3():
    model = keras.applications.MobileNetV3Large(weights=None, include_top=False)
    widths = {
        conv.name: (conv.input.shape[-1], conv.filters)
        for conv in model.layers
        if conv.name.endswith("squeeze_excite_conv")
    }
    assert len(widths) == 8
    for channels, hidden in widths.values():
        assert SqueezeExcite(**MOBILENET).compute_hidden_channels(channels) == hidden


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ratio", 0),
        ("ratio", -1),
        ("ratio", float("nan")),
        ("ratio", True),
        ("ratio", "16"),
        ("ratio", None),
        ("hidden_channels", 0),
        ("hidden_channels", 1.5),
        ("hidden_channels", True),
        ("divisor", 0),
        ("min_channels", 0),
        ("squeeze", "median"),
        ("round_limit", -0.1),
        ("round_limit", 1.1),
        ("data_format", "NHWC"),
    ],
)
def test_bad_argument(name, value):
    received = re.escape(f"Received: {name}={value!r}")
    with pytest.raises(ValueError, match=f"(?s)`{name}`.*{received}"):
        SqueezeExcite(**{name: value})

"""BN-Inception as the original release of SE has it."""

import keras
import numpy as np
import pytest

from se_keras import create_model
from tests.models.tools import images, outputs, randomize

MODULES = ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")


@pytest.fixture(scope="module")
def model():
    return create_model(
        "se_bn_inception",
        input_shape=(224, 224, 3),
        data_format="channels_last",
        dtype="float32",
    )


def test_se_is_on_the_output_of_each_module(model):
    gates = [x for x in model.layers if x.name.endswith("_se")]
    assert [x.name for x in gates] == [f"inception_{name}_se" for name in MODULES]
    widths = [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    assert [x.output.shape[-1] for x in gates] == widths
    assert [x.fc1.units for x in gates] == [width // 16 for width in widths]
    for gate, after in zip(gates, (*MODULES[1:], None), strict=True):
        assert gate.input is model.get_layer(f"{gate.name[:-3]}_concat").output
        if after:
            conv = model.get_layer(f"inception_{after}_3x3_reduce_conv")
            assert conv.input is gate.output
    assert model.get_layer("avg_pool").input is gates[-1].output


def test_pools(model):
    """AVE but for the modules with a stride and the last one, which have MAX."""
    for name in MODULES:
        pool = model.get_layer(f"inception_{name}_pool")
        is_max = name in ("3c", "4e", "5b")
        kind = keras.layers.MaxPooling2D if is_max else keras.layers.AveragePooling2D
        assert type(pool) is kind
        assert pool.pool_size == (3, 3)
        assert pool.strides == ((2, 2) if name in ("3c", "4e") else (1, 1))


@pytest.mark.parametrize("stages", [(2,), (1, 3)])
def test_stages(stages):
    modules = {1: MODULES[:2], 2: MODULES[2:7], 3: MODULES[7:]}
    model = create_model(
        "bn_inception", attention="eca", stages=stages, input_shape=(32, 32, 3)
    )
    assert [x.name for x in model.layers if x.name.endswith("_se")] == [
        f"inception_{name}_se" for stage in stages for name in modules[stage]
    ]


def test_average_pool_counts_the_border(model):
    x = np.ones((1, 224, 224, 3), "float32")
    before = outputs(model, x, "stem_pool2")
    after = outputs(model, x, "inception_3a_pool")
    corner = before[0, :2, :2].sum(axis=(0, 1)) / 9
    np.testing.assert_allclose(after[0, 0, 0], corner, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "name", ["inception_3c", pytest.param("inception_5b", marks=pytest.mark.slow)]
)
def test_maximum_behind_gates_that_are_negative(name):
    """Of what the windows have, and not of zeros around the map."""
    shape = (64, 64, 3)
    model = create_model(
        "se_bn_inception", input_shape=shape, gate_activation="tanh", classes=3
    )
    model = randomize(model)
    for gate in (x for x in model.layers if x.name.endswith("_se")):
        gate.fc2.kernel.assign(keras.ops.zeros_like(gate.fc2.kernel))
        gate.fc2.bias.assign(np.resize([1.0, -1.0], gate.fc2.units))
    x = images(2, *shape)
    pool = model.get_layer(f"{name}_pool")
    before = outputs(model, x, pool.input._keras_history.operation.name)
    assert (before < 0).any()
    padding = (0, 1) if pool.strides[0] == 2 else (1, 1)
    padded = np.pad(before, ((0, 0), padding, padding, (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    expected = windows.max((-2, -1))[:, :: pool.strides[0], :: pool.strides[0]]
    np.testing.assert_array_equal(outputs(model, x, pool.name), expected)


@pytest.mark.parametrize("size", [(61, 90), (None, None)])
def test_any_size(size):
    model = create_model("bn_inception", input_shape=(*size, 3), classes=5)
    assert outputs(model, np.ones((1, 61, 90, 3), "float32")).shape == (1, 5)

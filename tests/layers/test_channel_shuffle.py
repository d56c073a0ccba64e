import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from se_keras.layers import ChannelShuffle
from tests.helpers import apply, feature_maps, require


@pytest.mark.parametrize(
    ("groups", "order"),
    [
        (1, [0, 1, 2, 3, 4, 5]),
        (2, [0, 3, 1, 4, 2, 5]),
        (3, [0, 2, 4, 1, 3, 5]),
        (6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_order_of_channels(groups, order, data_format):
    x = feature_maps(2, 3, 4, 6)
    y = apply(ChannelShuffle(groups, data_format=data_format), x)
    np.testing.assert_array_equal(y, x[..., order])


def test_every_group_gets_channels_of_all_groups():
    groups, channels = 3, 60
    x = np.arange(channels, dtype="float32").reshape(1, 1, 1, channels)
    y = apply(ChannelShuffle(groups), x).reshape(groups, -1)
    for group in y:
        assert set(group // (channels // groups)) == {0, 1, 2}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_unknown_size(data_format):
    shape = (None, None, 6) if data_format == "channels_last" else (6, None, None)
    image = keras.Input(shape)
    layer = ChannelShuffle(3, data_format=data_format)
    model = keras.Model(image, layer(image))
    assert model.output_shape == model.input_shape
    x = feature_maps(2, 3, 4, 6)
    if data_format == "channels_first":
        x = np.moveaxis(x, -1, 1)
    axis = 1 if data_format == "channels_first" else -1
    expected = np.take(x, [0, 2, 4, 1, 3, 5], axis)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


@pytest.mark.parity
def test_is_that_of_pytorch():
    torch = require("torch")
    x = feature_maps(2, 3, 4, 60)
    y = torch.nn.ChannelShuffle(3)(torch.from_numpy(np.moveaxis(x, -1, 1).copy()))
    expected = np.moveaxis(y.numpy(), 1, -1)
    np.testing.assert_array_equal(apply(ChannelShuffle(3), x), expected)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_is_a_keras_layer(data_format):
    TestCase().run_layer_test(
        ChannelShuffle,
        init_kwargs={"groups": 2, "data_format": data_format},
        input_shape=(2, 4, 4, 6),
        expected_output_shape=(2, 4, 4, 6),
        expected_num_trainable_weights=0,
        run_training_check=False,
    )


def test_config_holds_every_argument():
    arguments = {"groups": 3, "data_format": "channels_first"}
    assert arguments.items() <= ChannelShuffle(**arguments).get_config().items()


@pytest.mark.parametrize("shape", [(3, 4, 7), (3, 4, None), (4, 6)])
def test_bad_input_shape(shape):
    with pytest.raises(ValueError, match="Received: input_shape="):
        ChannelShuffle(3)(keras.Input(shape))


@pytest.mark.parametrize("groups", [0, 1.5, True])
def test_bad_groups(groups):
    with pytest.raises(ValueError, match=f"Received: groups={groups}"):
        ChannelShuffle(groups)

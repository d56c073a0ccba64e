import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from se_keras.layers import PadChannels
from tests.helpers import apply, feature_maps


@pytest.mark.parametrize("channels", [5, 8])
def test_appends_zeros(channels, data_format):
    x = feature_maps(2, 3, 4, 5)
    y = apply(PadChannels(channels, data_format=data_format), x)
    assert y.shape == (2, 3, 4, channels)
    np.testing.assert_array_equal(y[..., :5], x)
    np.testing.assert_array_equal(y[..., 5:], 0)


@pytest.mark.parametrize(
    ("data_format", "output_shape"),
    [("channels_last", (2, 3, 4, 8)), ("channels_first", (2, 8, 4, 5))],
)
def test_is_a_keras_layer(data_format, output_shape):
    TestCase().run_layer_test(
        PadChannels,
        init_kwargs={"channels": 8, "data_format": data_format},
        input_shape=(2, 3, 4, 5),
        expected_output_shape=output_shape,
        expected_num_trainable_weights=0,
        run_training_check=False,
    )


def test_config_holds_every_argument():
    arguments = {"channels": 8, "data_format": "channels_first"}
    assert arguments.items() <= PadChannels(**arguments).get_config().items()


@pytest.mark.parametrize("shape", [(3, 4, 9), (3, 4, None), (4, 5)])
def test_bad_input_shape(shape):
    with pytest.raises(ValueError, match="Received: input_shape="):
        PadChannels(8)(keras.Input(shape))


@pytest.mark.parametrize("channels", [0, 1.5, True])
def test_bad_channels(channels):
    with pytest.raises(ValueError, match=f"Received: channels={channels}"):
        PadChannels(channels)

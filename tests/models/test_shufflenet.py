"""ShuffleNet, and SE in its two kinds of blocks."""

import keras
import pytest

from se_keras import create_model
from se_keras.layers import ChannelShuffle
from se_keras.models.registry import lookup
from se_keras.models.stages import block_places


@pytest.fixture(scope="module")
def model():
    return create_model(
        "se_shufflenet",
        input_shape=(64, 64, 3),
        data_format="channels_last",
        dtype="float32",
    )


PLACES = list(block_places((4, 8, 4), stride=2))
WIDTHS = {1: 240, 2: 480, 3: 960}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_block(model, place):
    """Zhang et al., figure 2: (b) with stride 1 and (c) with stride 2."""

    def layer(part):
        return model.get_layer(f"{place.name}_{part}")

    width = WIDTHS[place.stage]
    into = layer("conv1").input
    assert layer("conv1").groups == (1 if place.name == "stage1_block1" else 3)
    assert layer("conv1").filters == width // 4
    assert type(layer("shuffle")) is ChannelShuffle
    assert layer("shuffle").groups == 3
    assert layer("shuffle").input is layer("relu1").output
    assert type(layer("conv2")) is keras.layers.DepthwiseConv2D
    assert layer("conv2").strides == (place.stride, place.stride)
    assert layer("conv3").input is layer("bn2").output
    assert layer("conv3").groups == 3
    assert layer("se").input is layer("bn3").output
    if place.stride == 1:
        shortcut, branch = layer("add").input
        assert shortcut is into
    else:
        shortcut, branch = layer("concat").input
        assert shortcut is layer("shortcut_pool").output
        assert layer("conv3").filters == width - into.shape[-1]
    assert branch is layer("se").output
    assert layer("out").output.shape[-1] == width


def test_gates_add_what_the_paper_says(model):
    """Hu et al., table 3: 1.8M and 2.4M; 0.61M weights, and biases."""
    gates = [x for x in model.layers if x.name.endswith("_se")]
    weights = [w for x in gates for w in (x.fc1.kernel, x.fc2.kernel)]
    assert sum(w.shape[0] * w.shape[1] for w in weights) == pytest.approx(
        0.61e6, rel=0.01
    )


def test_first_gate_rounds_half_up(model):
    """216 / 16 is 13.5: the first unit concatenates 216 channels to the stem's 24."""
    assert model.get_layer("stage1_block1_se").fc1.kernel.shape == (216, 14)


def test_row_of_the_table():
    spec = lookup("shufflenet").spec
    assert (spec.depths, spec.widths) == ((4, 8, 4), tuple(WIDTHS.values()))

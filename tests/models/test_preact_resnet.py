"""Pre-activation ResNets, narrow and wide."""

import dataclasses

import keras
import pytest

from se_keras import create_model
from se_keras.models.registry import lookup


def build(name, depths=(2, 1, 1), placement="standard"):
    """Returns a network with fewer blocks."""
    spec = dataclasses.replace(lookup(name).spec, depths=depths)
    return create_model(
        spec,
        include_top=False,
        pyramid=True,
        input_shape=(16, 16, 3),
        placement=placement,
    )


def names(model, prefix):
    found = [x.name for x in model.layers if x.name.startswith(prefix)]
    return {name.removeprefix(prefix) for name in found}


BOTTLENECK = {
    *("preact1_bn", "preact1_relu", "conv1", "preact2_bn", "preact2_relu", "conv2"),
    *("preact3_bn", "preact3_relu", "conv3", "se", "add"),
}
BASIC = BOTTLENECK - {"preact3_bn", "preact3_relu", "conv3"}


@pytest.mark.parametrize(
    ("name", "layers"), [("se_resnet164", BOTTLENECK), ("se_wrn_16_8", BASIC)]
)
def test_layers_of_a_block(name, layers):
    model = build(name)
    assert names(model, "stage1_block2_") == layers
    # Conv2 of these has stride 2 or a padding, as the block has.
    strided = {"conv1_pad"} if name == "se_wrn_16_8" else set()
    for block, pad in (("stage1_block1_", set()), ("stage2_block1_", strided)):
        assert names(model, block) == {*layers, *pad, "shortcut_conv"}


@pytest.mark.parametrize(("name", "last"), [("se_resnet164", 3), ("se_wrn_16_8", 2)])
def test_wiring(name, last):
    model = build(name)

    def layer(part):
        return model.get_layer(part)

    # The projection of the release takes the batch norm and ReLU of the branch.
    relu = layer("stage2_block1_preact1_relu").output
    assert layer("stage2_block1_shortcut_conv").input is relu
    assert layer("stage2_block1_conv1").strides in ((2, 2),)
    for block in ("stage1_block1", "stage1_block2", "stage2_block1"):
        branch, shortcut = layer(f"{block}_add").input
        assert branch is layer(f"{block}_se").output
        assert layer(f"{block}_se").input is layer(f"{block}_conv{last}").output
        if block == "stage1_block2":
            assert shortcut is layer("stage1_block1_add").output
        else:
            assert shortcut is layer(f"{block}_shortcut_conv").output
    assert layer("final_bn").input is layer("stage3_block1_add").output
    levels = model.output
    assert list(levels) == ["P0", "P1", "P2"]
    assert levels["P1"] is layer("stage2_block1_add").output
    assert levels["P2"] is layer("final_relu").output


@pytest.mark.parametrize(
    ("placement", "before", "after"),
    [
        ("pre", "stage1_block1_add", "preact1_bn"),
        ("inside", "stage1_block2_preact3_relu", "conv3"),
        ("standard", "stage1_block2_conv3", "add"),
        ("identity", "stage1_block1_add", "add"),
        ("post", "stage1_block2_add", None),
    ],
)
def test_placement(placement, before, after):
    model = build("se_resnet164", placement=placement)
    gate = model.get_layer("stage1_block2_se")
    assert gate.input is model.get_layer(before).output
    if after:
        into = model.get_layer(f"stage1_block2_{after}").input
        assert any(gate.output is x for x in keras.tree.flatten(into))


def test_rows_of_the_table():
    """He et al. 2016: 9n + 2 layers; Zagoruyko and Komodakis: 6n + 4, width 16k."""
    deep, wide = (lookup(name).spec for name in ("se_resnet164", "se_wrn_16_8"))
    assert 9 * deep.depths[0] + 2 == 164
    assert deep.widths == (16, 32, 64)
    assert 6 * wide.depths[0] + 4 == 16
    assert wide.widths == (16 * 8, 32 * 8, 64 * 8)

"""Shake-Shake networks, and SE on the mix of their branches."""

import dataclasses

import keras
import numpy as np
import pytest

from se_keras import create_model
from se_keras.layers import ShakeShake, SqueezeExcite
from se_keras.models.registry import lookup
from tests.helpers import relative_error, to_numpy
from tests.models.tools import images

SHAKE, EVEN = "shake_shake_26_2x96d", "shake_even_29_2x4x64d"


def build(name, placement="standard", **fields):
    """Returns a network with fewer and narrower blocks."""
    spec = dataclasses.replace(
        lookup(name).spec, depths=(2, 1, 1), width=8, attention=SqueezeExcite, **fields
    )
    return create_model(
        spec,
        include_top=False,
        pyramid=True,
        input_shape=(16, 16, 3),
        ratio=4,
        placement=placement,
    )


@pytest.mark.parametrize(("name", "last"), [(SHAKE, "bn2"), (EVEN, "bn3")])
@pytest.mark.parametrize("block", ["stage1_block2", "stage2_block1"])
def test_wiring(name, last, block):
    model = build(name)

    def layer(part):
        return model.get_layer(f"{block}_{part}")

    assert type(layer("shake")) is ShakeShake
    for i, branch in enumerate(layer("shake").input, 1):
        assert branch is layer(f"branch{i}_{last}").output
    assert layer("se").input is layer("shake").output
    mix, shortcut = layer("add").input
    assert mix is layer("se").output
    if block == "stage2_block1":
        assert shortcut is layer("shortcut_bn").output
    elif name == SHAKE:
        assert shortcut is model.get_layer("stage1_block1_add").output
        assert layer("relu").input is shortcut
    else:
        assert shortcut is model.get_layer("stage1_block1_out").output
    if block == "stage1_block2":
        first = [layer(f"branch{i}_conv1").input for i in (1, 2)]
        assert first[0] is first[1]


@pytest.mark.parametrize(("name", "backward"), [(SHAKE, "shake"), (EVEN, "even")])
def test_shares(name, backward):
    mixes = [x for x in build(name).layers if isinstance(x, ShakeShake)]
    assert len(mixes) == 4
    for mix in mixes:
        config = mix.get_config()
        assert (config["forward"], config["backward"]) == ("shake", backward)


def test_only_training_is_random():
    model = build(SHAKE)
    x = images(2, 16, 16, 3)
    first, second = (to_numpy(model(x, training=False)["P2"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    first, second = (to_numpy(model(x, training=True)["P2"]) for _ in range(2))
    assert relative_error(first, second) > 0.01


def test_second_path_of_the_shortcut_sees_other_pixels():
    """It is shifted by a pixel to the right and down, and so takes the odd ones."""
    model = build(SHAKE)
    shortcut = [
        model.get_layer(f"stage2_block1_shortcut_{x}") for x in ("relu", "concat")
    ]
    paths = keras.Model(model.input, [x.output for x in shortcut])
    for i in (1, 2):
        kernel = model.get_layer(f"stage2_block1_shortcut_conv{i}").kernel
        kernel.assign(np.eye(8, 8)[None, None])
    before, after = map(to_numpy, paths(images(2, 16, 16, 3)))
    np.testing.assert_allclose(after[..., :8], before[:, ::2, ::2], rtol=1e-5)
    np.testing.assert_array_equal(after[:, 0, :, 8:], 0)
    np.testing.assert_array_equal(after[:, :, 0, 8:], 0)
    odd = before[:, 1:-1:2, 1:-1:2]
    np.testing.assert_allclose(after[:, 1:, 1:, 8:], odd, rtol=1e-5)


@pytest.mark.parametrize("name", [SHAKE, EVEN])
@pytest.mark.parametrize("placement", ["pre", "identity", "post"])
def test_one_gate_a_block(name, placement):
    model = build(name, placement)
    gates = {x.name for x in model.layers if isinstance(x, SqueezeExcite)}
    blocks = ("stage1_block1", "stage1_block2", "stage2_block1", "stage3_block1")
    assert gates == {f"{block}_se" for block in blocks}


@pytest.mark.parametrize("name", [SHAKE, EVEN])
def test_inside_each_branch_has_a_gate(name):
    model = build(name, "inside")
    gates = [x.name for x in model.layers if isinstance(x, SqueezeExcite)]
    assert len(gates) == 2 * 4
    relu, conv = ("relu1", "conv2") if name == SHAKE else ("relu2", "conv3")
    for i in (1, 2):
        branch = f"stage1_block2_branch{i}"
        gate = model.get_layer(f"{branch}_se")
        assert gate.input is model.get_layer(f"{branch}_{relu}").output
        assert model.get_layer(f"{branch}_{conv}").input is gate.output


def test_rows_of_the_table():
    """Gastaldi: depth 6n + 2 with two 3x3, and 9n + 2 with a bottleneck."""
    shake, even = lookup(SHAKE).spec, lookup(EVEN).spec
    assert (6 * shake.depths[0] + 2, shake.width) == (26, 96)
    assert (9 * even.depths[0] + 2, even.groups, even.width) == (29, 4, 64)

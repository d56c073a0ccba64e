import keras
import numpy as np
import pytest

from se_keras import create_model
from tests.helpers import require


def rates(model):
    return {x.name: x.rate for x in model.layers if x.name.endswith("_drop_path")}


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("se_resnet20", 9),
        ("se_resnet18", 8),
        ("se_wrn_16_8", 6),
        pytest.param("se_shake_shake_26_2x96d", 12, marks=pytest.mark.slow),
    ],
)
def test_rate_rises_linearly_with_depth(name, blocks):
    model = create_model(name, input_shape=(32, 32, 3), drop_path=0.2)
    found = rates(model)
    # The first block has a rate of 0, and no layer.
    expected = 0.2 * np.arange(1, blocks) / (blocks - 1)
    np.testing.assert_allclose(list(found.values()), expected)
    assert "stage1_block1_drop_path" not in found
    assert not rates(create_model(name, input_shape=(32, 32, 3)))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "timm_name"),
    [("se_resnet50", "seresnet50"), ("se_resnet18", "seresnet18")],
)
def test_rates_are_those_of_timm(name, timm_name):
    timm = require("timm")
    theirs = [
        module.drop_prob
        for module in timm.create_model(timm_name, drop_path_rate=0.05).modules()
        if type(module).__name__ == "DropPath"
    ]
    ours = create_model(name, input_shape=(32, 32, 3), drop_path=0.05)
    np.testing.assert_allclose(list(rates(ours).values()), theirs)


def test_whole_branches_of_single_images_are_left_out():
    model = create_model("se_resnet20", input_shape=(16, 16, 3), drop_path=0.5)
    name = max(rates(model), key=rates(model).get)
    layer = model.get_layer(name)
    branch = np.random.default_rng(0).normal(size=(400, 4, 4, 64)).astype("float32")
    dropped = np.asarray(layer(branch, training=True))
    kept = np.abs(dropped).max((1, 2, 3)) > 0
    assert 0.4 < kept.mean() < 0.6
    np.testing.assert_allclose(dropped[kept], 2 * branch[kept], rtol=1e-6)
    np.testing.assert_array_equal(layer(branch, training=False), branch)
    # It is the branch that is dropped, after the gate and before the addition.
    add = model.get_layer(name.replace("drop_path", "add"))
    assert any(x is layer.output for x in add.input)
    assert layer.input is model.get_layer(name.replace("drop_path", "se")).output


def test_inference_and_weights_are_those_of_the_network_without():
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    keras.utils.set_random_seed(0)
    plain = create_model("se_resnet20", input_shape=(16, 16, 3))
    model = create_model("se_resnet20", input_shape=(16, 16, 3), drop_path=0.5)
    model.set_weights(plain.get_weights())
    np.testing.assert_array_equal(np.asarray(model(images)), np.asarray(plain(images)))


@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("vgg16", 0.1, "no residual blocks"),
        ("se_bn_inception", 0.1, "no residual blocks"),
        ("se_resnet20", 1.0, r"range \[0, 1\)"),
        ("se_resnet20", -0.1, r"range \[0, 1\)"),
    ],
)
def test_bad_rates(name, rate, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: drop_path={rate}"):
        create_model(name, input_shape=(64, 64, 3), drop_path=rate)

import numpy as np
import pytest

from se_keras.models.registry import lookup
from se_keras.weights import inventory
from se_keras.weights.keys import KerasKeys, TimmKeys
from tests.weights.tools import timm_keys

# Written down from timm's networks: our variable, and timm's key.
KEYS = {
    "se_resnet50": {
        "stem_conv/kernel": "conv1.weight",
        "stem_bn/gamma": "bn1.weight",
        "stem_bn/beta": "bn1.bias",
        "stem_bn/moving_mean": "bn1.running_mean",
        "stem_bn/moving_variance": "bn1.running_var",
        "stage1_block1_conv1/kernel": "layer1.0.conv1.weight",
        "stage3_block6_bn3/moving_mean": "layer3.5.bn3.running_mean",
        "stage4_block3_se/fc1/kernel": "layer4.2.se.fc1.weight",
        "stage4_block3_se/fc2/bias": "layer4.2.se.fc2.bias",
        "stage2_block1_shortcut_conv/kernel": "layer2.0.downsample.0.weight",
        "stage2_block1_shortcut_bn/gamma": "layer2.0.downsample.1.weight",
        "predictions/kernel": "fc.weight",
        "predictions/bias": "fc.bias",
    },
    "resnetrs50": {
        "stem_conv1/kernel": "conv1.0.weight",
        "stem_bn1/gamma": "conv1.1.weight",
        "stem_conv2/kernel": "conv1.3.weight",
        "stem_bn2/beta": "conv1.4.bias",
        "stem_conv3/kernel": "conv1.6.weight",
        "stem_bn3/gamma": "bn1.weight",
        "stem_pool_conv/kernel": "maxpool.0.weight",
        "stem_pool_bn/gamma": "maxpool.1.weight",
        "stage1_block1_shortcut_conv/kernel": "layer1.0.downsample.1.weight",
        "stage2_block1_shortcut_bn/beta": "layer2.0.downsample.2.bias",
    },
    "se_resnet50_caffe": {
        "stem_conv/kernel": "layer0.conv1.weight",
        "stem_bn/gamma": "layer0.bn1.weight",
        "stage1_block1_se/fc1/kernel": "layer1.0.se_module.fc1.weight",
        "stage2_block1_shortcut_conv/kernel": "layer2.0.downsample.0.weight",
        "predictions/kernel": "last_linear.weight",
    },
    "senet154_caffe": {
        "stem_conv1/kernel": "layer0.conv1.weight",
        "stem_conv3/kernel": "layer0.conv3.weight",
        "stem_bn3/gamma": "layer0.bn3.weight",
    },
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_timm(name):
    network = inventory.of_network(lookup(name))
    keys = timm_keys(name)
    modules = keys.modules(network.structure)
    slots = {slot.path: slot for slot in network.slots}
    for path, key in KEYS[name].items():
        assert keys.key(slots[path], modules) == key
    everything = [keys.key(slot, modules) for slot in network.slots]
    assert len(set(everything)) == len(everything)
    assert None not in everything


@pytest.mark.parametrize(
    ("path", "file_shape", "shape"),
    [
        ("stage2_block1_conv2/kernel", (128, 64, 3, 5), (3, 5, 64, 128)),
        ("stage1_block1_se/fc1/kernel", (16, 64), (64, 16)),
        ("stage1_block1_se/fc1/kernel", (16, 64, 1, 1), (64, 16)),
        ("predictions/kernel", (10, 64), (64, 10)),
        ("predictions/bias", (10,), (10,)),
    ],
)
def test_layout_of_timm(path, file_shape, shape):
    layer, _, name = path.rpartition("/")
    slot = inventory.Slot(layer, name, 0, shape)
    keys = timm_keys("se_resnet50")
    assert keys.keras_shape(file_shape, slot) == shape
    assert keys.file_shape(slot) == file_shape[: len(shape)]
    array = np.random.default_rng(0).normal(size=file_shape)
    expected = np.moveaxis(array, (0, 1), (-1, -2)) if array.ndim > 1 else array
    np.testing.assert_array_equal(keys.to_keras(array, slot), expected.reshape(shape))


def test_a_layer_that_timm_does_not_have():
    keys = timm_keys("se_resnet50")
    modules = keys.modules(inventory.of_network(lookup("se_resnet50")).structure)
    for layer in ("stage1_block1_se", "stage1_block1_se/channel/fc1", "dense"):
        slot = inventory.Slot(layer, "kernel", 0, (3, 1, 1))
        assert keys.key(slot, modules) is None


@pytest.mark.parametrize(
    ("keys", "legacy"),
    [
        (("layer0.conv1.weight", "layer1.0.conv1.weight"), True),
        (("conv1.weight", "layer1.0.conv1.weight"), False),
        (("something",), False),
        ((), False),
    ],
)
def test_the_format_of_a_file(keys, legacy):
    assert TimmKeys.of(keys).format.traits["caffe_pool"] == legacy


def test_keys_of_keras_count_the_weights_of_a_layer():
    slot = inventory.Slot("stage1_block1_bn1", "moving_mean", 2, (64,))
    assert KerasKeys().key(slot, {}) == "stage1_block1_bn1/2"

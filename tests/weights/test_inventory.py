import pytest

from se_keras.models.registry import lookup
from se_keras.weights import inventory
from se_keras.weights.inventory import Slot
from tests.weights.tools import small


@pytest.mark.parametrize(
    "name",
    ["resnet20", "se_resnet20", "se_resnet18_caffe", "se_resnext26t_32x4d"],
)
def test_a_network_that_is_not_built_has_the_same_weights(name):
    built = inventory.of_model(small(name, classes=1000))
    network = inventory.of_network(lookup(name))
    # Keras sorts layers by their depth.
    assert set(network.slots) == set(built.slots)
    assert len(network.slots) == len(built.slots)
    assert network.first_conv == built.first_conv
    assert network.traits == built.traits


@pytest.mark.parametrize(
    ("name", "traits"),
    [
        ("se_resnet20", ()),
        ("se_resnet50", ()),
        ("se_resnet18_caffe", ("caffe_pool",)),
        ("se_resnet50_caffe", ("caffe_pool", "strided_1x1")),
        ("se_resnext50_32x4d_caffe", ("caffe_pool",)),
        ("senet154_caffe", ("caffe_pool",)),
        ("se_resnetaa50d", ("anti_alias",)),
        ("resnetrs50", ()),
    ],
)
def test_traits(name, traits):
    found = inventory.of_network(lookup(name)).traits
    assert {trait for trait, value in found.items() if value} == set(traits)


def test_all_networks_of_the_family_are_there():
    networks = inventory.networks()
    assert len(networks) == 96
    assert networks["senet154"].first_conv == Slot(
        "stem_conv1", "kernel", 0, (3, 3, 3, 64)
    )

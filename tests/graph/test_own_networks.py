"""The rules know where the networks of this package have SE."""

import pytest

from se_keras import add_squeeze_excite, create_model
from se_keras.models.registry import lookup
from tests.graph.tools import gates

# One plain network of each family and each kind of block.
NETWORKS = (
    "bn_inception",
    "mobilenet",
    "resnet18",
    "resnet50",
    "resnet20",
    "shake_shake_26_2x96d",
    "shufflenet",
    "vgg16",
    "wrn_16_8",
)


def places(model):
    return [gate.input._keras_history.operation.name for gate in gates(model)]


@pytest.mark.parametrize("name", NETWORKS)
def test_se_is_where_the_twin_has_it(name):
    plain, twin = (
        create_model(network, classes=5, input_shape=(32, 32, 3))
        for network in (name, lookup(name).twin)
    )
    expected = places(twin)
    assert expected
    assert places(add_squeeze_excite(plain)) == expected

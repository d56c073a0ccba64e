"""What holds for every network of the registry."""

import gc
import math

import keras
import numpy as np
import pytest

from se_keras import create_model, list_models
from se_keras.layers.gate import Gate
from se_keras.models import ImageModel
from se_keras.models.registry import lookup
from se_keras.weights import inventory
from tests.helpers import relative_error, run_large, to_numpy
from tests.models.tools import SHAPE, images, outputs, randomize

# A shallow network of each family whose layers TensorFlow compiles quickly: grouped
# convolutions take it seconds each on a CPU.
QUICK = (
    "resnet18",
    "resnet20",
    "resnet50",
    "se_bn_inception",
    "se_mobilenet",
    "se_resnet18",
    "se_resnet20",
    "se_resnet50",
    "se_wrn_16_8",
)


NETWORKS = list_models()
LARGE = {
    name
    for name, network in inventory.networks().items()
    if sum(math.prod(slot.shape) for slot in network.slots) > 60_000_000
}
WITH_SE = [name for name in NETWORKS if lookup(name).spec.attention]


def each(names):
    """Returns a decorator of tests of `network`; all but the quick ones are slow."""
    assert set(QUICK) <= set(NETWORKS)
    parameters = [pytest.param(name, marks=_marks(name)) for name in names]
    return pytest.mark.parametrize("network", parameters, indirect=True)


def _marks(name):
    if name in QUICK:
        return ()
    return (pytest.mark.slow, run_large) if name in LARGE else pytest.mark.slow


def small(name):
    """Returns a network for five classes of the smallest images that are not square."""
    spec = lookup(name).spec
    side = max(SHAPE[0], spec.min_size)
    shape = (side, side + SHAPE[1] - SHAPE[0], 3)
    if getattr(spec, "anti_alias", False):
        shape = (32, 64, 3)
    # A fixture of a module runs before the fixture that restores Keras's defaults.
    settings = {"data_format": "channels_last", "dtype": "float32"}
    return create_model(name, classes=5, input_shape=shape, **settings)


@pytest.fixture(scope="module")
def network(request):
    """One network with random weights, built once for all tests that look at it."""
    yield randomize(small(request.param))
    keras.backend.clear_session()
    gc.collect()


def small_images(network):
    return images(2, *network.input_shape[1:])


def vectors(network, x):
    """Returns what the classifier sees."""
    tensor = network.get_layer("predictions").input
    # A plain `keras.Model` stops at Python's recursion limit in the deepest ones.
    return to_numpy(ImageModel(network.input, tensor)(x, training=False))


@each(NETWORKS)
def test_gives_probabilities(network):
    x = small_images(network)
    y = outputs(network, x)
    assert y.shape == (2, 5)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-4)
    one, other = vectors(network, x)
    assert relative_error(one, other) > 0.02


@each(NETWORKS)
def test_comes_back_from_a_file(network, tmp_path):
    network.class_names = tuple("abcde")
    file = tmp_path / "model.keras"
    network.save(file)
    loaded = keras.models.load_model(file, safe_mode=True)
    file.unlink()
    assert type(loaded) is ImageModel
    assert loaded.name == network.name
    assert loaded.preprocessing == network.preprocessing
    assert loaded.class_names == network.class_names
    x = small_images(network)
    np.testing.assert_array_equal(outputs(loaded, x), outputs(network, x))


@each(WITH_SE)
def test_is_its_plain_twin_and_se(network):
    plain = small(lookup(network.name).twin)
    gates = [layer for layer in network.layers if isinstance(layer, Gate)]
    others = {layer.name: layer for layer in network.layers if layer not in gates}
    assert gates
    assert all(gate.name.endswith("_se") for gate in gates)
    assert sorted(others) == sorted(layer.name for layer in plain.layers)
    for layer in plain.layers:
        assert layer.get_config() == others[layer.name].get_config()
        layer.set_weights(others[layer.name].get_weights())

    x = small_images(network)
    expected = vectors(plain, x)
    closed = [gate.get_weights() for gate in gates]
    assert relative_error(vectors(network, x), expected) > 0.01
    for gate in gates:
        gate.fc2.set_weights([0 * gate.fc2.kernel, 0 * gate.fc2.bias + 100])
    assert relative_error(vectors(network, x), expected) < 1e-5
    assert relative_error(outputs(network, x), outputs(plain, x)) < 1e-5
    for gate, weights in zip(gates, closed, strict=True):
        gate.set_weights(weights)


# The last test of a network, because its weights change.
@each(NETWORKS)
def test_training_step(network):
    for layer in network.layers:
        if isinstance(layer, Gate):
            # The one hidden unit of a narrow gate may be off for both images.
            layer.fc1.bias.assign(layer.fc1.bias + 5)
    before = [to_numpy(weight) for weight in network.trainable_weights]
    # A step of Adam moves every weight that has a gradient by the learning rate.
    adam = keras.optimizers.Adam(1e-3, epsilon=1e-30)
    network.compile(adam, "sparse_categorical_crossentropy", run_eagerly=True)
    assert np.isfinite(network.train_on_batch(small_images(network), np.array([0, 1])))
    still = [
        weight.path
        for weight, old in zip(network.trainable_weights, before, strict=True)
        if np.abs(to_numpy(weight) - old).max() < 1e-4
    ]
    assert not still

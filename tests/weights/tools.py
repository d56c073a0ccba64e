"""What the tests of weights share."""

import functools

import keras
import numpy as np

from se_keras import create_model
from se_keras.models.registry import lookup
from se_keras.models.structure import CLASSIFIER
from se_keras.weights import inventory
from se_keras.weights.keys import TimmKeys

SHAPE = (32, 32, 3)
CLASSES = 5


@functools.cache
def _built(name, **arguments):
    model = create_model(
        name, **{"input_shape": SHAPE, "classes": CLASSES, **arguments}
    )
    return model, model.get_weights(), model.preprocessing


def small(name="se_resnet20", **arguments):
    """Returns a network for small images and few classes, as it is when created.

    It is the same object for the same arguments: building takes most of the time.
    """
    model, initial, preprocessing = _built(name, **arguments)
    model.set_weights(initial)
    model.preprocessing, model.class_names = preprocessing, None
    return model


def randomized(model):
    """Draws all weights, statistics and biases too."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    return model


def values(model):
    """Returns the weights by path."""
    return {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}


def assert_same(actual, expected):
    """Asserts that two models, or one at two times, have the same weights."""
    assert list(actual) == list(expected)
    for path, value in actual.items():
        np.testing.assert_array_equal(value, expected[path], path)


def timm_state(name="se_resnet20", classes=CLASSES, dtype="float32"):
    """Returns the state dict that timm's network would have, with random weights."""
    rng = np.random.default_rng(2)
    return {
        key: np.array(7)
        if zeros.ndim == 0
        else rng.uniform(0.1, 1, zeros.shape).astype(dtype)
        for key, zeros in timm_zeros(name, classes).items()
    }


def timm_keys(name="se_resnet20"):
    """Returns how the state dict of timm's network names its weights."""
    legacy, current = lookup(name).family.state_dicts
    return TimmKeys(legacy if name.endswith("_caffe") else current)


def timm_zeros(name, classes=CLASSES, dtype="float32"):
    """Returns the same in no time, for tests that look at keys and shapes."""
    network = inventory.of_network(lookup(name))
    keys, state = timm_keys(name), {}
    modules = keys.modules(network.structure)
    for slot in network.slots:
        shape = keys.file_shape(slot)
        if slot.layer == CLASSIFIER:
            shape = (classes, *shape[1:])
        elif len(shape) == 2:
            shape = (*shape, 1, 1)  # the gates are 1x1 convolutions there
        key = keys.key(slot, modules)
        state[key] = np.zeros(shape, dtype)
        if key.endswith("running_var"):
            counter = key.replace("running_var", "num_batches_tracked")
            state[counter] = np.array(7)
    return state

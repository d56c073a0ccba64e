"""Small tools for tests that compare layers with something else."""

import contextlib
import importlib
import os
import pathlib
import resource

import keras
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]

# Networks that take a minute each; the tests of a family are run on its smaller ones.
run_large = pytest.mark.skipif(
    os.environ.get("SE_KERAS_LARGE") != "1",
    reason="a large network; runs with SE_KERAS_LARGE=1",
)


def require(name: str):
    """Imports an optional module or skips the test.

    With SE_KERAS_REQUIRE_PARITY=1 a missing module is a failure: a machine that
    promises the comparison cannot pass by leaving it out.
    """
    if os.environ.get("SE_KERAS_REQUIRE_PARITY") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name)


@contextlib.contextmanager
def own_networks():
    """Removes the networks that are registered in the context from the registry."""
    from se_keras.models.registry import list_models, unregister

    before = set(list_models())
    try:
        yield
    finally:
        for name in set(list_models()) - before:
            unregister(name)


@contextlib.contextmanager
def files_of_at_most(size):
    """No file may grow beyond `size` bytes: writing fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def feature_maps(*shape: int):
    """Returns float32 maps `(batch, ..., channels)`; each channel has its own mean."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=shape) + rng.normal(size=shape[-1])).astype("float32")


def randomized(layer, shape):
    """Builds `layer` for maps of `shape` and draws all its weights, biases too."""
    layer.build(_layout(layer, np.empty(shape)).shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


def apply(layer, maps):
    """Calls `layer` on channels-last maps, in whatever data format it has."""
    return _layout(layer, to_numpy(layer(_layout(layer, maps))), back=True)


def to_numpy(tensor):
    """Returns a float64 array, whatever the backend and the precision."""
    return np.asarray(keras.ops.convert_to_numpy(tensor), "float64")


def relative_error(actual, expected) -> float:
    """Returns the largest difference, as a fraction of the largest expected value."""
    assert actual.shape == expected.shape
    return np.max(np.abs(actual - expected)) / np.max(np.abs(expected))


def _layout(layer, maps, back=False):
    if layer.data_format == "channels_last":
        return maps
    return np.moveaxis(maps, 1, -1) if back else np.moveaxis(maps, -1, 1)

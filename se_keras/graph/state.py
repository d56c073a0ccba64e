"""What the layers of a model have learned, for those of a copy."""

import tempfile
from collections.abc import Container

import keras
import numpy as np

from se_keras.graph.functional import is_functional


def copy_state(
    source: keras.Model, target: keras.Model, without: Container[str] = ()
) -> None:
    """Copies what the layers of a model have learned to those of the same name.

    That is every variable (weights, statistics, states of random generators), whether
    it is trainable, and the vocabulary of a lookup layer. Layers with names in
    `without` keep what they have.

    Raises:
        ValueError: If the variables of two layers of the same name differ in shape, or
            two layers of `source` have a weight in common.
    """
    twins = {layer.name: layer for layer in target.layers}
    owners = {}
    for layer in source.layers:
        for weight in layer.weights:
            owner = owners.setdefault(id(weight), layer.name)
            if owner != layer.name:
                raise ValueError(
                    f"Layers {owner!r} and {layer.name!r} have a weight in common "
                    f"({weight.path}), which their copies would not have. Received: a "
                    f"model named {source.name!r}"
                )
        if layer.name not in twins or layer.name in without:
            continue
        if is_functional(layer) or isinstance(layer, keras.Sequential):
            copy_state(layer, twins[layer.name])
        else:
            _copy_layer_state(layer, twins[layer.name])


def _copy_layer_state(source: keras.Layer, target: keras.Layer) -> None:
    received, expected = (
        [tuple(variable.shape) for variable in layer.variables]
        for layer in (source, target)
    )
    if received != expected:
        raise ValueError(
            f"Layer {source.name!r} has other variables than its config creates. "
            f"Expected shapes: {expected}. Received: {received}"
        )
    for old, new in zip(source.variables, target.variables, strict=True):
        # A copy, because JAX donates the arrays of a model that it trains.
        new.assign(np.array(keras.ops.convert_to_numpy(old)))
        new.trainable = old.trainable
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)
    elif received and hasattr(target, "finalize_state"):
        # `Normalization` computes with constants that it takes from its variables.
        target.finalize_state()

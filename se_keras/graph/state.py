"""What the layers of a model have learned, for those of a copy."""

import re
import tempfile
from collections.abc import Iterable, Iterator

import keras
import numpy as np

from se_keras.graph.functional import layers_of

# How much of a list an error shows.
SHOWN = 200


def copy_state(source: keras.Model, target: keras.Model) -> None:
    """Copies what the layers of a model have learned to those of its copy.

    Layers are paired by their position, not by their names: see `copy_states`.

    Args:
        source: A model.
        target: A model that was created from its config.
    """
    check_weights_in_common(source)
    copy_states(model_pairs(source, target))


def copy_states(pairs: Iterable[tuple[keras.Layer, keras.Layer]]) -> None:
    """Copies what layers have learned to their copies.

    That is every variable (weights, statistics, states of random generators, metrics),
    whether it and the layers inside are trainable, the vocabulary of a lookup layer,
    and what `save_own_variables` of a custom layer returns. All values are compared
    at the end.

    Args:
        pairs: Layers and their copies. Of a functional or Sequential model only its own
            variables are copied: its layers are pairs of their own.

    Raises:
        ValueError: If a variable has no counterpart, or one of another shape or name,
            or does not take its value.
    """
    copied = []
    for source, target in pairs:
        copied += (
            _copy_model(source, target)
            if layers_of(source)
            else _copy_layer(source, target)
        )
    for old, new in copied:
        if not np.array_equal(_value(old), _value(new), equal_nan=True):
            raise ValueError(
                "Expected the copy of a weight to have its values. Received: weight "
                f"{old.path!r}, whose copy {new.path!r} has others (two copies may be "
                "one variable, or a constraint may change it)"
            )


def check_weights_in_common(model: keras.Model) -> None:
    """Raises a `ValueError` if two layers of a model have a weight in common.

    Their copies would have one each.
    """
    owners: dict[int, str] = {}
    for layer in model.layers:
        for weight in layer.weights:
            owner = owners.setdefault(id(weight), layer.name)
            if owner != layer.name:
                raise ValueError(
                    f"Layers {owner!r} and {layer.name!r} have a weight in common "
                    f"({weight.path}), which their copies would not have. Received: a "
                    f"model named {model.name!r}"
                )
        if layers_of(layer):
            check_weights_in_common(layer)


def model_pairs(source, target) -> Iterator[tuple]:
    """Yields a model and its copy, and all layers in them, by their position."""
    yield source, target
    yield from _pairs_of_layers(
        source, layers_of(source), layers_of(target), model_pairs
    )


def _pairs_inside(source, target) -> Iterator[tuple]:
    """Yields a layer and its copy, and all layers inside, built like those."""
    if source.variables and source.built and not target.built:
        # Such as a layer that is an activation: Keras builds it in the first call.
        target.build_from_config(source.get_build_config())
    yield source, target
    yield from _pairs_of_layers(source, source._layers, target._layers, _pairs_inside)


def _pairs_of_layers(owner, sources, targets, pairs) -> Iterator[tuple]:
    received, expected = ([type(each) for each in each] for each in (sources, targets))
    if received != expected:
        raise ValueError(
            f"Layer {owner.name!r} has other layers than its config creates. Expected: "
            f"{_names(expected)}. Received: {_names(received)}"
        )
    for source, target in zip(sources, targets, strict=True):
        if isinstance(source, keras.Layer):
            yield from pairs(source, target)


def _names(kinds) -> str:
    return _shortened(", ".join(kind.__name__ for kind in kinds) or "none")


def _copy_layer(source, target) -> list[tuple]:
    inside = list(_pairs_inside(source, target))
    for old, new in inside:
        if old.trainable != new.trainable:
            new.trainable = old.trainable
    copied = _copy_variables(source, _variables(source), target, _variables(target))
    for old, new in inside:
        _copy_other_state(old, new)
    return copied


def _copy_model(source, target) -> list[tuple]:
    """Copies the variables of a model that its layers do not have."""
    sources, targets = _own_variables(source), _own_variables(target)
    return _copy_variables(source, sources, target, targets)


def _own_variables(model) -> list:
    inside = {
        id(variable)
        for layer in layers_of(model)
        if isinstance(layer, keras.Layer)
        for variable in layer.variables
    }
    return [each for each in model.variables if id(each) not in inside]


def _variables(layer) -> list:
    """Returns all variables of a layer, each once."""
    found = {id(each): each for each in layer.variables}
    found |= {id(each): each for each in layer.metrics_variables}
    return list(found.values())


def _copy_variables(source, received, target, expected) -> list[tuple]:
    pairs = _matched(source, received, target, expected)
    if pairs is None or any(old.shape != new.shape for old, new in pairs):
        raise ValueError(
            f"Layer {source.name!r} has other variables than its config creates. "
            f"Expected: {_described(expected)}. Received: {_described(received)}"
        )
    for old, new in pairs:
        # A copy, because JAX donates the arrays of a model that it trains.
        new.assign(np.array(_value(old)))
        new.trainable = old.trainable
    return pairs


def _matched(source, received, target, expected) -> list[tuple] | None:
    """Returns pairs of variables, or `None` where some have no counterpart.

    The paths count if all variables have others of the same path: a layer that was
    changed after it was built, as by `quantize`, may create its variables in another
    order. Otherwise the order counts, of variables of the same names.
    """
    old = {_path(source, variable): variable for variable in received}
    new = {_path(target, variable): variable for variable in expected}
    if old.keys() == new.keys() and len(old) == len(received) == len(expected):
        return [(old[path], new[path]) for path in old]
    if [_without_number(each.name) for each in received] != [
        _without_number(each.name) for each in expected
    ]:
        return None
    return list(zip(received, expected, strict=True))


def _path(layer, variable) -> str:
    """Returns the path of a variable in a layer, without the numbers of Keras."""
    path = variable.path.removeprefix(f"{getattr(layer, 'path', None)}/")
    return "/".join(_without_number(part) for part in path.split("/"))


def _without_number(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _described(variables) -> str:
    described = ", ".join(f"{each.name} {tuple(each.shape)}" for each in variables)
    return f"[{_shortened(described)}]"


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _copy_other_state(source, target) -> None:
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)
    elif source.variables and hasattr(target, "finalize_state"):
        # `Normalization` computes with constants that it takes from its variables.
        target.finalize_state()
    if not _definer(source, "save_own_variables").__module__.startswith("keras."):
        store: dict = {}
        source.save_own_variables(store)
        target.load_own_variables(
            {key: np.array(_value(value)) for key, value in store.items()}
        )


def _definer(layer, method: str) -> type:
    """Returns the class that a method of a layer comes from."""
    return next(kind for kind in type(layer).__mro__ if method in vars(kind))


def _value(variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable)

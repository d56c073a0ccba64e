"""The structure of a model, declared with it or recognized from its layers."""

from collections.abc import Mapping

import keras

from se_keras.models.outline import Outline, outlines
from se_keras.models.structure import Structure


def structure_of(model: keras.Model) -> Structure | None:
    """Returns the structure of a model, as the builder of its network declared it.

    A model of `create_model` has it in its attribute `structure`, also after saving
    and loading, after `add_squeeze_excite` and `remove_squeeze_excite`, and after
    `fold` until it is saved. A
    `keras.Model` made of the layers of such a network, or around it, does not. Its
    layers are then compared with those of the networks in the registry, except for
    those of `keras.applications`: it has the structure of the network whose layers
    with weights are its own, but for layers before and after the network and for
    attention.

    Args:
        model: A functional or Sequential model.

    Returns:
        The `Structure`, with the layers that the model has: one that was added belongs
        to the part of the layer before it. `None` if the network is not known.
    """
    structure = known_structure(model)
    if structure is None:
        return None
    is_input = keras.layers.InputLayer
    layers = [x.name for x in layers_of(model) if not isinstance(x, is_input)]
    return structure.adapted_to(layers)


def known_structure(model: keras.Model) -> Structure | None:
    """Returns the structure that was declared or recognized, without changes."""
    own = declared_structure(model)
    if own is not None:
        return own
    for inner in _submodels(model):
        structure = declared_structure(inner)
        if structure is not None:
            return structure
    return recognize({layer.name: layer for layer in layers_of(model)})


def declared_structure(model: keras.Model) -> Structure | None:
    """Returns the structure that was declared when the model itself was built."""
    return getattr(model, "structure", None)


def layers_of(model: keras.Model):
    """Yields the layers of a model, and those of the models inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def _submodels(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield layer
            yield from _submodels(layer)


def recognize(layers: Mapping[str, keras.Layer | dict]) -> Structure | None:
    """Returns the structure of the network of the registry that some layers are.

    Args:
        layers: The layers of a model, or their configs, by name, in the order of
            computation.
    """
    with_weights = [name for name, layer in layers.items() if _has_weights(layer)]
    found = [
        outline for outline in outlines().values() if _is_in(outline, with_weights)
    ]
    if not found:
        return None
    counts = [len(layers.keys() & outline.structure.part_of) for outline in found]
    largest = [
        outline
        for outline, count in zip(found, counts, strict=True)
        if count == max(counts)
    ]
    configs = {}

    def config(name):
        if name not in configs:
            layer = layers[name]
            configs[name] = layer if isinstance(layer, dict) else layer.get_config()
        return configs[name]

    def agreements(outline):
        """Counts the layers that compute what those of the outline do."""
        return sum(
            _agrees(config(name), settings)
            for name, settings in outline.settings.items()
            if name in layers
        )

    return max(largest, key=agreements).structure


def _is_in(outline: Outline, with_weights: list[str]) -> bool:
    """Whether a network is among some layers, with no other between its own.

    Args:
        outline: The network.
        with_weights: Names of the layers with weights, in the order of computation.
    """
    structure = outline.structure
    # A model may have attention or not, and another head.
    required = outline.layers_with_weights - {*structure.places, *structure.head}
    places = [i for i, name in enumerate(with_weights) if name in required]
    if not required or len(places) < len(required):
        return False
    between = with_weights[places[0] : places[-1] + 1]
    return set(between) <= required | structure.places.keys()


# Arguments that only layers with weights have.
_OF_WEIGHTS = ("depth_multiplier", "filters", "momentum", "units")


def _has_weights(layer) -> bool:
    if isinstance(layer, dict):
        return any(name in layer for name in _OF_WEIGHTS)
    return bool(layer.weights)


def _agrees(config: dict, settings: dict) -> bool:
    return all(
        _flat(config.get(name), value) == _flat(value, config.get(name))
        for name, value in settings.items()
    )


def _flat(value, like):
    """Returns a setting as a flat list, a number repeated as often as `like` needs."""
    if isinstance(value, int):
        return [value] * len(keras.tree.flatten(like))
    return keras.tree.flatten(value)

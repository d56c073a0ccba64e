"""The structure of a model, declared with it or recognized from its layers."""

from collections.abc import Mapping

import keras

from se_keras.models.outline import Outline, outlines
from se_keras.models.structure import Structure


def structure_of(model: keras.Model) -> Structure | None:
    """Returns the structure of a model, as the builder of its network declared it.

    A model of `create_model` has it in its attribute `structure`, also after saving
    and loading, and after `add_squeeze_excite`, `remove_squeeze_excite` and `fold`. A
    `keras.Model` made of the layers of such a network, or around it, does not. Its
    layers are compared with those of the networks in the registry: it has the
    structure of the largest one whose layers with weights it all has.

    Args:
        model: A functional or Sequential model.

    Returns:
        The `Structure`, or `None` if the model has none of these networks in it.
    """
    own = declared_structure(model)
    if own is not None:
        return own
    return next(
        (each for inner in _submodels(model) if (each := declared_structure(inner))),
        None,
    ) or recognize({layer.name: layer for layer in layers_of(model)})


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
    """Returns the structure of the largest network of the registry among some layers.

    Args:
        layers: The layers of a model, or their configs, by name.
    """
    found = [
        outline
        for outline in outlines().values()
        if _required(outline) and _required(outline) <= layers.keys()
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


def _required(outline: Outline) -> frozenset[str]:
    """Returns the layers with weights, without attention and without the head."""
    structure = outline.structure
    optional = {*structure.places, *structure.head}
    return outline.layers_with_weights - optional


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

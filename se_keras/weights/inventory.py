"""The weights of a network by layer: of a model, or of a network that is not built."""

import collections
import dataclasses
import functools

import keras

from se_keras.models.outline import Slot, outline_of, outlines
from se_keras.models.recognition import known_structure, layers_of
from se_keras.models.registry import Network
from se_keras.models.structure import Structure


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What a network is made of.

    Attributes:
        slots: Its weights, from the input on.
        structure: Its structure; `None` if it is not known.
    """

    slots: tuple[Slot, ...]
    structure: Structure | None

    @property
    def first_conv(self) -> Slot | None:
        """The kernel of the first convolution."""
        return next((slot for slot in self.slots if len(slot.shape) == 4), None)

    @property
    def traits(self) -> dict | None:
        """What the weights do not show, `None` if it is not known."""
        return dict(self.structure.traits) if self.structure else None


def of_model(model: keras.Model) -> Inventory:
    """Returns the inventory of a model that has the layer names of this package."""
    slots = {}
    own = [(variable.path, variable) for variable in model.weights]
    for variables in (*map(_variables, layers_of(model)), own):
        counts = collections.Counter()
        for path, variable in variables:
            layer, _, name = path.rpartition("/")
            if id(variable) not in slots:
                slots[id(variable)] = Slot(
                    layer, name, counts[layer], tuple(variable.shape), variable
                )
            counts[layer] += 1
    return Inventory(tuple(slots.values()), known_structure(model))


def _variables(layer):
    """Yields the weights of a layer with their paths from the layer on.

    The path that Keras gives a variable begins with the name scopes around it.
    """
    scope, separator, _ = (layer.path or "").rpartition(layer.name)
    for variable in layer.weights:
        path = variable.path
        inside = separator and path.startswith(f"{layer.path}/")
        yield (path.removeprefix(scope) if inside else path), variable


def of_network(network: Network) -> Inventory | None:
    """Returns the inventory of a network of the registry, `None` if it has none."""
    outline = outline_of(network)
    return Inventory(outline.weights, outline.structure) if outline else None


def networks() -> dict[str, Inventory]:
    """Returns the inventories of the networks of the registry, by name."""
    return {
        name: Inventory(outline.weights, outline.structure)
        for name, outline in outlines().items()
    }


@functools.cache
def heads(family: str) -> frozenset[str]:
    """Returns the names of the layers after the last stage in a family."""
    return frozenset(
        layer
        for outline in outlines().values()
        if outline.structure.family == family
        for layer in outline.structure.head
    )

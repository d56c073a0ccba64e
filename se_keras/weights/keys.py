"""How each kind of file names a weight, and how it stores it.

Both kinds answer the same questions: which key has this weight, and which shape in
Keras's layout has an array of the file. The names of modules in another project are
declared by the family of the network.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from se_keras.models.families import FAMILIES
from se_keras.models.family import StateDictFormat
from se_keras.models.outline import Slot
from se_keras.models.structure import CLASSIFIER, Structure
from se_keras.weights import inventory


@dataclasses.dataclass(frozen=True)
class KerasKeys:
    """The files of Keras: the path of a layer, and a number for each weight in it."""

    def modules(self, structure: Structure | None) -> Mapping[str, str]:
        """Returns the name in the file for each layer whose name is another there."""
        return {}

    def key(self, slot: Slot, modules: Mapping[str, str]) -> str:
        """Returns the key of a weight."""
        return f"{slot.layer}/{slot.index}"

    def is_classifier(self, key: str) -> bool:
        """Whether a key is of the classifier."""
        return key.startswith(f"{CLASSIFIER}/")

    def is_top(self, key: str, structure: Structure | None) -> bool:
        """Whether a key is of the layers after the last stage."""
        family = structure.family if structure else ""
        return key.partition("/")[0] in inventory.heads(family) | {CLASSIFIER}

    def is_counter(self, key: str) -> bool:
        """Whether a key counts something that is no weight."""
        return "seed_generator" in key.split("/")

    def keras_shape(self, shape: tuple[int, ...], slot: Slot) -> tuple[int, ...]:
        """Returns the shape in Keras's layout of an array of the file."""
        return shape

    def file_shape(self, slot: Slot) -> tuple[int, ...]:
        """Returns the shape that the file should have."""
        return slot.shape

    def to_keras(self, array: np.ndarray, slot: Slot) -> np.ndarray:
        """Returns an array of the file in Keras's layout."""
        return array


@dataclasses.dataclass(frozen=True)
class TimmKeys:
    """timm's state dicts.

    Attributes:
        format: How the modules are named.
    """

    format: StateDictFormat

    @classmethod
    def of(cls, keys: Iterable[str]) -> "TimmKeys":
        """Returns the keys of a file, by the markers that the families declare."""
        keys = tuple(keys)
        formats = [each for family in FAMILIES for each in family.state_dicts]
        for each in formats:
            if any(key.startswith(each.marker) for key in keys):
                return cls(each)
        return cls(formats[-1])

    def modules(self, structure: Structure | None) -> Mapping[str, str]:
        """Returns the module of each layer of a network."""
        return self.format.modules(structure) if structure else {}

    def key(self, slot: Slot, modules: Mapping[str, str]) -> str | None:
        """Returns the key of a weight, or `None` if timm has no such module.

        Args:
            slot: The weight.
            modules: What `modules` returned for the network.
        """
        if slot.layer in modules and slot.name in _VARIABLES:
            return f"{modules[slot.layer]}.{_VARIABLES[slot.name]}"
        return None

    def is_classifier(self, key: str) -> bool:
        """Whether a key is of the classifier."""
        return key.startswith(f"{self.format.classifier}.")

    def is_top(self, key: str, structure: Structure | None) -> bool:
        """Whether a key is of the layers after the last stage."""
        return self.is_classifier(key)

    def is_counter(self, key: str) -> bool:
        """Whether a key counts something that is no weight."""
        return key.endswith("num_batches_tracked")

    def keras_shape(self, shape: tuple[int, ...], slot: Slot) -> tuple[int, ...]:
        """Returns the shape in Keras's layout of an array of the file."""
        if len(slot.shape) == 2 and len(shape) > 2 and set(shape[2:]) == {1}:
            shape = shape[:2]
        return tuple(shape[axis] for axis in _AXES.get(len(shape), range(len(shape))))

    def file_shape(self, slot: Slot) -> tuple[int, ...]:
        """Returns the shape that the file should have."""
        rank = len(slot.shape)
        # The inverse permutation: its argsort.
        axes = np.argsort(_AXES.get(rank, range(rank)))
        return tuple(slot.shape[axis] for axis in axes)

    def to_keras(self, array: np.ndarray, slot: Slot) -> np.ndarray:
        """Returns an array of the file in Keras's layout."""
        # A dense layer may be a 1x1 convolution there.
        array = array.reshape(array.shape[: len(slot.shape)])
        return array.transpose(_AXES.get(array.ndim, range(array.ndim)))


# From PyTorch's axes to Keras's: OIHW to HWIO, (outputs, inputs) to (inputs, outputs).
_AXES = {4: (2, 3, 1, 0), 3: (2, 1, 0), 2: (1, 0)}

_VARIABLES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

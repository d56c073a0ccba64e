"""How each kind of file calls a weight, and how it lays it out.

Both kinds answer the same questions, from our side: which key has this weight, and
which shape in Keras's layout has an array of the file. No network has a table of its
own; what the key depends on is read from the names of the layers.
"""

import dataclasses
import re
from collections.abc import Iterable

import numpy as np

from se_keras.models.registry import CLASSIFIER
from se_keras.weights.inventory import Slot


@dataclasses.dataclass(frozen=True)
class KerasKeys:
    """The files of Keras: the path of a layer, and a number for each weight in it."""

    def key(self, slot: Slot, layers: Iterable[str]) -> str:
        """Returns the key of a weight."""
        return f"{slot.layer}/{slot.index}"

    def is_classifier(self, key: str) -> bool:
        """Whether a key is of the classifier."""
        return key.startswith(f"{CLASSIFIER}/")

    def is_top(self, key: str) -> bool:
        """Whether a key is of what follows the last map: VGG has three layers."""
        return key.partition("/")[0] in ("fc1", "fc2", CLASSIFIER)

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
        legacy: Whether the modules are called as in timm's `senet.py`, which has the
            networks of the Caffe release.
    """

    legacy: bool = False

    def key(self, slot: Slot, layers: Iterable[str]) -> str | None:
        """Returns the key of a weight, or `None` if timm has no such module.

        Args:
            slot: The weight.
            layers: Names of all layers of the network.
        """
        for pattern, module in _MODULES.items():
            match = re.fullmatch(pattern, slot.layer)
            if match and slot.name in _VARIABLES:
                name = module(*match.groups(), legacy=self.legacy, layers=layers)
                return f"{name}.{_VARIABLES[slot.name]}"
        return None

    def is_classifier(self, key: str) -> bool:
        """Whether a key is of the classifier."""
        return key.startswith(("fc.", "last_linear."))

    is_top = is_classifier

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


def _stem(kind, *, legacy, layers):
    return f"layer0.{kind}1" if legacy else f"{kind}1"


def _deep_stem(kind, number, *, legacy, layers):
    if legacy:
        return f"layer0.{kind}{number}"
    # A sequence of convolution, norm and activation, three times; its last norm is
    # outside.
    last = f"stem_{kind}{int(number) + 1}" not in layers
    if kind == "bn" and last:
        return "bn1"
    return f"conv1.{3 * (int(number) - 1) + (kind == 'bn')}"


def _stem_pool(kind, *, legacy, layers):
    return f"maxpool.{int(kind == 'bn')}"


def _in_block(stage, block, layer, *, legacy, layers):
    return f"layer{stage}.{int(block) - 1}.{layer}"


def _squeeze_excite(stage, block, layer, *, legacy, layers):
    name = "se_module" if legacy else "se"
    return f"layer{stage}.{int(block) - 1}.{name}.{layer}"


def _shortcut(stage, block, kind, *, legacy, layers):
    # Where a pool comes first it counts, also in stage 1, where it does nothing.
    first = int(any(layer.endswith("_shortcut_pool") for layer in layers))
    return f"layer{stage}.{int(block) - 1}.downsample.{first + (kind == 'bn')}"


def _classifier(*, legacy, layers):
    return "last_linear" if legacy else "fc"


# Our layers, and the functions that give timm's module for the parts of their names.
_MODULES = {
    r"stem_(conv|bn)": _stem,
    r"stem_(conv|bn)(\d)": _deep_stem,
    r"stem_pool_(conv|bn)": _stem_pool,
    r"stage(\d+)_block(\d+)_((?:conv|bn)\d)": _in_block,
    r"stage(\d+)_block(\d+)_se/(\w+)": _squeeze_excite,
    r"stage(\d+)_block(\d+)_shortcut_(conv|bn)": _shortcut,
    CLASSIFIER: _classifier,
}

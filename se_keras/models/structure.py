"""The structure of a network, as its builder declares it."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping

STEM = 0
# Name of the layer that returns the classes, in every network.
CLASSIFIER = "predictions"


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of a network: the stem, a block, or what follows the last stage.

    Attributes:
        name: Its name, `"stage1_block2"`; that of the head is `"head"`.
        stage: Number of its stage, from 1; 0 for the stem, `None` for the head.
        block: Number of the block in its stage, from 1; `None` where there is none.
        layers: Name of each layer by its role in the part: `"conv1"` is
            `"stage1_block2_conv1"`.
    """

    name: str
    stage: int | None
    block: int | None
    layers: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Structure:
    """What a builder declares about the network that it built.

    Everything that has to know which layer plays which role reads it here: adding SE,
    the cost of each block, layer-wise learning rates, freezing, feature pyramids and
    the mapping of other projects' weights.

    Attributes:
        family: Name of the family, `"ResNet"`.
        parts: The parts in the order of computation.
        places: For each place where the network has attention with
            `placement="standard"`, whether a layer is there or not: the name of the
            attention layer, and the name of the layer that it follows.
        levels: The last layer of each level of the feature pyramid: `"P2"` has stride
            4, ..., `"P5"` stride 32.
        traits: What decides the result of the network and does not show in the names
            and shapes of its weights. Weights of a network with other traits do not
            belong to this one.
        min_size: Smallest height and width of an image, in pixels.
    """

    family: str
    parts: tuple[Part, ...]
    places: Mapping[str, str]
    levels: Mapping[str, str]
    traits: Mapping[str, object] = dataclasses.field(default_factory=dict)
    min_size: int = 1

    @property
    def stages(self) -> int:
        """Number of stages."""
        return max((part.stage or STEM for part in self.parts), default=STEM)

    @property
    def head(self) -> tuple[str, ...]:
        """Names of the layers after the last stage."""
        return tuple(
            layer
            for part in self.parts
            if part.stage is None
            for layer in part.layers.values()
        )

    @functools.cached_property
    def part_of(self) -> dict[str, Part]:
        """The part of each layer, by the name of the layer."""
        return {layer: part for part in self.parts for layer in part.layers.values()}

    def distances(self) -> dict[str, int]:
        """Returns how many stages each layer is away from the classifier.

        Layers of the last stage have 1, of the first stage as many as there are
        stages, of the stem one more; those of the head have 0.
        """
        return {
            layer: 0 if part.stage is None else self.stages + 1 - part.stage
            for layer, part in self.part_of.items()
        }

    def adapted_to(self, layers: Iterable[str]) -> "Structure":
        """Returns the structure of a model whose layers are not all the declared ones.

        A layer that was added belongs to the part of the layer before it. Where a layer
        was removed, the one before it in its part has its place.

        Args:
            layers: Names of the layers of the model, in the order of computation.
        """
        layers = list(layers)
        there = set(layers)
        found: dict[str, dict[str, str]] = {part.name: {} for part in self.parts}
        part = self.parts[0]
        roles = {
            layer: role for each in self.parts for role, layer in each.layers.items()
        }
        for layer in layers:
            part = self.part_of.get(layer, part)
            found[part.name][roles.get(layer, layer)] = layer

        def remaining(layer):
            """Returns the layer that has the place of a declared one."""
            if layer in there:
                return layer
            declared = list(self.part_of[layer].layers.values())
            before = reversed(declared[: declared.index(layer)])
            return next((each for each in before if each in there), None)

        places = {name: remaining(layer) for name, layer in self.places.items()}
        levels = {name: remaining(layer) for name, layer in self.levels.items()}
        return dataclasses.replace(
            self,
            parts=tuple(
                dataclasses.replace(each, layers=found[each.name])
                for each in self.parts
                if found[each.name]
            ),
            places={name: layer for name, layer in places.items() if layer},
            levels={name: layer for name, layer in levels.items() if layer},
        )

    def to_dict(self) -> dict:
        """Returns the structure as plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> "Structure":
        """Returns the structure that `to_dict` returned, also after JSON."""
        parts = tuple(Part(**part) for part in data["parts"])
        return cls(**{**data, "parts": parts})


class Recorder:
    """Collects the structure while a builder runs."""

    def __init__(self):
        self._parts: list[Part] = []
        self._places: dict[str, str] = {}

    def begin(self, name: str, stage: int | None, block: int | None) -> Part:
        """Begins a part, which becomes one with the last if it has the same name."""
        if not self._parts or self._parts[-1].name != name:
            self._parts.append(Part(name, stage, block, {}))
        return self._parts[-1]

    def add(self, part: Part, role: str, layer: str) -> None:
        """Adds a layer to a part."""
        part.layers[role] = layer

    def place(self, attention: str, layer: str) -> None:
        """Adds a place of attention, after a layer."""
        self._places[attention] = layer

    def names(self) -> Iterator[str]:
        """Yields the names of all layers so far."""
        for part in self._parts:
            yield from part.layers.values()

    def structure(self, **declared) -> Structure:
        """Returns what was collected, with the other attributes of a `Structure`."""
        parts = tuple(part for part in self._parts if part.layers)
        return Structure(parts=parts, places=dict(self._places), **declared)

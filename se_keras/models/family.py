"""What a family of networks declares: its builder, its table and its structure."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from se_keras.models.spec import NetworkSpec
from se_keras.models.structure import Structure


@dataclasses.dataclass(frozen=True)
class StateDictFormat:
    """How the state dicts of another project name the modules of a family.

    Attributes:
        modules: Function of a `Structure` that returns the module for each layer with
            weights: `{"stage1_block1_conv1": "layer1.0.conv1"}`. A layer inside a layer
            has a path: `"stage1_block1_se/fc1"`.
        marker: A prefix that keys of this format have, and those of the formats after
            it do not.
        classifier: The module of the classifier.
        traits: The traits of the network that the format implies.
    """

    modules: Callable[[Structure], dict[str, str]]
    marker: str
    classifier: str
    traits: Mapping[str, object] = dataclasses.field(default_factory=dict)


def _no_traits(spec) -> dict:
    return {}


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of networks.

    Attributes:
        name: Its name, for messages: `"ResNet"`.
        spec: Class of its specs.
        features: Builder: `features(spec, net, x)` applies the layers of `net`, a
            `NetworkBuilder`, to an image tensor, and returns the feature maps by level
            (`"P2"` has stride 4, ...), the last one last.
        networks: Its table: by registry name the name of the constructor and the spec.
            The plain twin of each follows by rule.
        references: Its sources, a line of Markdown each.
        head: What comes between the last feature map and the classifier:
            `head(spec, net, x)` returns a vector for each image. `None` for global
            average pooling.
        traits: Function of a spec that returns what decides the result and does not
            show in the weights (`Structure.traits`).
        state_dicts: How other projects name its modules, the most specific first.
        timm_names: Registry names of the networks that timm has, too.
        pretrained: Names of weights that `create_model` takes in addition to files,
            each with a function of a spec and a network that loads them.
        fields: Classes of which fields of its specs are made, which are public with it.
        is_outlined: Whether the builder uses the methods of `net` only, so that the
            weights of a network are known without building it.
    """

    name: str
    spec: type[NetworkSpec]
    features: Callable
    networks: Mapping[str, tuple[str, NetworkSpec]]
    references: tuple[str, ...] = ()
    head: Callable | None = None
    traits: Callable[[Any], dict] = _no_traits
    state_dicts: tuple[StateDictFormat, ...] = ()
    timm_names: frozenset[str] = frozenset()
    pretrained: Mapping[str, Callable] = dataclasses.field(default_factory=dict)
    fields: tuple[type, ...] = ()
    is_outlined: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Registry names of its table."""
        return tuple(self.networks)

"""The table of networks by name."""

import dataclasses
import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping

from se_keras.models.preprocessing import Preprocessing

# Name of the layer that gives the classes, in every network.
CLASSIFIER = "predictions"


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """One network.

    Attributes:
        name: Registry name: `"se_resnet50"`.
        constructor: Name of its constructor in `se_keras.models`: `"SEResNet50"`.
        features: Builder of its family: `features(spec, blocks, x, attention,
            output_stride)` returns the feature maps by name, the last one last.
        spec: Row of the family's table, which `features` reads.
        preprocessing: The images that it expects.
        twin: Name of the same network with SE, or without.
        squeeze_excite: The SE layer of the network, a callable that takes the
            arguments of a layer; `None` in a plain network.
        head: What stands between the last feature map and the classifier:
            `head(spec, blocks, x)` returns one vector for each image. `None` for the
            mean over all positions.
        pretrained: Names of weights that `create_model` takes beside files, each with
            a function that loads them into the network it is given.
    """

    name: str
    constructor: str
    features: Callable
    spec: object
    preprocessing: Preprocessing
    twin: str
    squeeze_excite: Callable | None = None
    head: Callable | None = None
    pretrained: Mapping[str, Callable] = dataclasses.field(default_factory=dict)


_ENTRIES: dict[str, ModelEntry] = {}


def register(
    constructor: str,
    features: Callable,
    spec: object,
    *,
    preprocessing: Preprocessing,
    squeeze_excite: Callable,
    name: str | None = None,
    has_se_name: bool = False,
    head: Callable | None = None,
    pretrained: Mapping[str, Callable] | None = None,
) -> None:
    """Registers a plain network and its twin with SE.

    Args:
        constructor: Name of the plain constructor, `"ResNet50"`; the twin's is
            `"SEResNet50"`.
        features: See `ModelEntry`.
        spec: See `ModelEntry`.
        preprocessing: See `ModelEntry`.
        squeeze_excite: The SE layer of the twin.
        name: Registry name of the plain network, that of the twin has `se_` before
            it. Defaults to the constructor's name in lower case.
        has_se_name: Whether the names given are those of the network with SE, such as
            `"SENet154"`; its plain twin is then `"SENet154Plain"`, `"senet154_plain"`.
        head: See `ModelEntry`.
        pretrained: See `ModelEntry`.
    """
    name = name or constructor.lower()
    names = (name, f"se_{name}")
    constructors = (constructor, f"SE{constructor}")
    if has_se_name:
        names = (f"{name}_plain", name)
        constructors = (f"{constructor}Plain", constructor)
    for name, twin, constructor, layer in zip(
        names, reversed(names), constructors, (None, squeeze_excite), strict=True
    ):
        if name in _ENTRIES:
            raise ValueError(f"Model {name!r} is registered already.")
        _ENTRIES[name] = ModelEntry(
            name,
            constructor,
            features,
            spec,
            preprocessing,
            twin,
            layer,
            head,
            pretrained or {},
        )


def lookup(name: str) -> ModelEntry:
    """Returns the entry of a name, or raises a `ValueError` with the nearest names."""
    if name in _ENTRIES:
        return _ENTRIES[name]
    nearest = difflib.get_close_matches(str(name), _ENTRIES, n=3)
    hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
    raise ValueError(
        "Expected the name of a model, one of `se_keras.list_models()`. "
        f"{hint}Received: {name!r}"
    )


def list_models(pattern: str = "*") -> list[str]:
    """Returns the names of all networks, sorted with numbers as numbers.

    Args:
        pattern: Only names that match this shell pattern, such as `"se_*"`.
    """
    return sorted(fnmatch.filter(_ENTRIES, pattern), key=_natural)


def _natural(name: str) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

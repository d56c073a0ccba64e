"""The table of networks by name."""

import dataclasses
import difflib
import fnmatch
import re
from collections.abc import Callable

from se_keras.models.preprocessing import Preprocessing

SE_PREFIX = "se_"


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """One network.

    Attributes:
        name: Registry name: `"se_resnet50"`.
        constructor: Name of its constructor in `se_keras.models`: `"SEResNet50"`.
        features: Builder of its family: `features(spec, blocks, x, attention)`
            returns the last feature map.
        spec: Row of the family's table, which `features` reads.
        preprocessing: The images that it expects.
        squeeze_excite: The SE layer of the network, a callable that takes the
            arguments of a layer; `None` in a plain network.
    """

    name: str
    constructor: str
    features: Callable
    spec: object
    preprocessing: Preprocessing
    squeeze_excite: Callable | None = None


_ENTRIES: dict[str, ModelEntry] = {}


def register(
    constructor: str,
    features: Callable,
    spec: object,
    *,
    preprocessing: Preprocessing,
    squeeze_excite: Callable,
    name: str | None = None,
) -> None:
    """Registers a plain network and its twin with SE.

    Args:
        constructor: Name of the plain constructor; the twin's has `SE` before it.
        features: See `ModelEntry`.
        spec: See `ModelEntry`.
        preprocessing: See `ModelEntry`.
        squeeze_excite: The SE layer of the twin.
        name: Registry name of the plain network, that of the twin has `se_` before
            it. Defaults to the constructor's name in lower case.
    """
    name = name or constructor.lower()
    plain = ModelEntry(name, constructor, features, spec, preprocessing)
    twin = dataclasses.replace(
        plain,
        name=SE_PREFIX + name,
        constructor=f"SE{constructor}",
        squeeze_excite=squeeze_excite,
    )
    for entry in (plain, twin):
        if entry.name in _ENTRIES:
            raise ValueError(f"Model {entry.name!r} is registered already.")
        _ENTRIES[entry.name] = entry


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

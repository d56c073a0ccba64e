"""The table of networks by name."""

import dataclasses
import fnmatch
import re
import sys

from se_keras.models.families import FAMILIES, family_of
from se_keras.models.family import Family
from se_keras.models.names import unknown_name
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.spec import NetworkSpec

# The beginning of the names of networks whose plain twin has a name of its own.
SE = "se_"
PLAIN = "_plain"


@dataclasses.dataclass(frozen=True)
class Network:
    """One network of the registry.

    Attributes:
        name: Registry name: `"se_resnet50"`.
        constructor: Name of its constructor in `se_keras.models`: `"SEResNet50"`.
        spec: Its spec, as `create_model` takes it.
        twin: Name of the same network without attention, or with it; `None` if there
            is none.
        built_in: Whether it is of this package, not registered by the user.
        primary: The name that was registered: `name`, or that of its twin.
    """

    name: str
    constructor: str
    spec: NetworkSpec
    twin: str | None
    built_in: bool = False
    primary: str = ""

    @property
    def family(self) -> Family:
        """Its family."""
        return family_of(self.spec)

    @property
    def preprocessing(self) -> Preprocessing:
        """The images that it expects."""
        return self.spec.preprocessing


_NETWORKS: dict[str, Network] = {}


def register(name: str, spec: NetworkSpec, constructor: str | None = None) -> None:
    """Gives a network of your own a name, and its twin without attention.

    `create_model`, `list_models` and the `se-keras` command then know both, and
    `se_keras.models` has a constructor for each.

    Args:
        name: Registry name, lower case with underscores. The twin of `"se_NAME"` is
            `"NAME"`, that of any other name `"NAME_plain"`. A spec with
            `attention=None` has no twin.
        spec: The network.
        constructor: Name of the constructor. Defaults to the name in camel case:
            `"SEMyNet"` for `"se_my_net"`.

    Raises:
        ValueError: If a name is not valid, or one of the names belongs to another
            network. Registering `name` again replaces it and its twin.

    Example:

    ```python
    register("se_tiny", ResNetSpec(block="basic", depths=(1, 1, 1, 1)))
    model = create_model("se_tiny", classes=10)
    plain = se_keras.models.Tiny(classes=10)
    ```
    """
    if not isinstance(name, str) or not re.fullmatch(
        r"[a-z][a-z0-9_]*", name.removeprefix(SE)
    ):
        raise ValueError(
            "Argument `name` must be lower-case letters, digits and underscores, and "
            f"begin with a letter, also after 'se_'. Received: name={name!r}"
        )
    family_of(spec)
    constructor = constructor or _camel_case(name)
    if not constructor.isidentifier() or constructor in _other_names():
        raise ValueError(
            "Argument `constructor` must be a name that Python accepts, and not one of "
            f"another object of se_keras.models. Received: constructor={constructor!r}"
        )
    networks = _with_twin(name, constructor, spec)
    constructors = {network.constructor: network for network in _NETWORKS.values()}
    for network in networks:
        for other in (
            _NETWORKS.get(network.name),
            constructors.get(network.constructor),
        ):
            if other and (other.built_in or other.primary != name):
                raise ValueError(
                    "Expected names that are new (with that of the twin: "
                    f"{', '.join(network.name for network in networks)}), and there is "
                    f"a network {other.name!r} ({other.constructor}). "
                    f"Received: name={name!r}, constructor={constructor!r}"
                )
    unregister(name)
    _NETWORKS.update({network.name: network for network in networks})


def _other_names() -> set[str]:
    """Returns the names in `se_keras.models` that are not constructors."""
    package = sys.modules["se_keras.models"]
    constructors = {network.constructor for network in _NETWORKS.values()}
    return {*vars(package), *dir(package)} - constructors


def unregister(name: str) -> None:
    """Removes a network that was registered, and its twin; without one does nothing."""
    network = _NETWORKS.get(name)
    if network and not network.built_in:
        del _NETWORKS[name]
        if network.twin:
            _NETWORKS.pop(network.twin, None)


def _with_twin(name, constructor, spec, built_in=False) -> list[Network]:
    if spec.attention is None:
        return [Network(name, constructor, spec, None, built_in, name)]
    if name.startswith(SE):
        twin = name.removeprefix(SE)
        plain_constructor = constructor.removeprefix("SE")
        if plain_constructor == constructor:
            plain_constructor = f"{constructor}Plain"
    else:
        twin, plain_constructor = name + PLAIN, f"{constructor}Plain"
    plain = dataclasses.replace(spec, attention=None)
    return [
        Network(name, constructor, spec, twin, built_in, name),
        Network(twin, plain_constructor, plain, name, built_in, name),
    ]


def _camel_case(name: str) -> str:
    words = name.removeprefix(SE).split("_")
    prefix = "SE" if name.startswith(SE) else ""
    return prefix + "".join(word[:1].upper() + word[1:] for word in words)


for _family in FAMILIES:
    for _name, (_constructor, _spec) in _family.networks.items():
        for _network in _with_twin(_name, _constructor, _spec, built_in=True):
            _NETWORKS[_network.name] = _network


def lookup(name: str) -> Network:
    """Returns the network of a name.

    Raises:
        ValueError: If there is none, with the nearest names.
    """
    if isinstance(name, str) and name in _NETWORKS:
        return _NETWORKS[name]
    raise unknown_name(name, _NETWORKS)


def networks() -> list[Network]:
    """Returns all networks, in the order of `list_models`."""
    return [_NETWORKS[name] for name in list_models()]


def list_models(pattern: str = "*") -> list[str]:
    """Returns the names of all networks, sorted with numbers as numbers.

    Args:
        pattern: Only names that match this shell pattern, such as `"se_*"`.
    """
    return sorted(fnmatch.filter(_NETWORKS, pattern), key=_natural)


def _natural(name: str) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

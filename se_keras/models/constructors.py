"""A constructor for each network of the registry, as `keras.applications` has them."""

import inspect
import textwrap
from collections.abc import Callable

from se_keras.models.create import create_model
from se_keras.models.image_model import ImageModel
from se_keras.models.keras_applications import ApplicationSpec
from se_keras.models.outline import CLASSES, outline_of
from se_keras.models.registry import Network, lookup, networks

# Of the text of docstrings, without their indentation.
WIDTH = 84

_created: dict[tuple[str, int], tuple[Callable[..., ImageModel], Network]] = {}


def constructor_names() -> list[str]:
    """Returns the names of the constructors of all networks, sorted."""
    return sorted(network.constructor for network in networks())


def constructor(name: str) -> Callable[..., ImageModel] | None:
    """Returns the constructor of a name, `None` if no network has it."""
    for network in networks():
        if network.constructor == name:
            # With the network, which keeps its identity valid: the user may replace it.
            key = name, id(network)
            if key not in _created:
                _created[key] = _constructor(network), network
            return _created[key][0]
    return None


def parameters() -> list[inspect.Parameter]:
    """Returns the parameters of every constructor: `create_model`'s after the first."""
    return list(inspect.signature(create_model).parameters.values())[1:]


def _constructor(network: Network) -> Callable[..., ImageModel]:
    names = [parameter.name for parameter in parameters()]

    def create(*args, **kwargs):
        _check_classes(network, dict(zip(names, args, strict=False)) | kwargs)
        return create_model(network.name, *args, **kwargs)

    create.__name__ = create.__qualname__ = network.constructor
    create.__module__ = "se_keras.models"
    create.__doc__ = docstring(network)
    signature = inspect.Signature(parameters(), return_annotation=ImageModel)
    create.__signature__ = signature  # type: ignore[attr-defined]
    return create


def _check_classes(network, given):
    """Raises a `ValueError` where `keras.applications` does."""
    weights, classes = given.get("weights"), given.get("classes", CLASSES)
    if (
        isinstance(weights, str)
        and weights in network.family.pretrained
        and given.get("include_top", True)
        and classes != CLASSES
    ):
        raise ValueError(
            f"Expected classes={CLASSES} with weights={weights!r} and include_top=True."
            f" For other classes: create_model({network.name!r}, weights={weights!r}, "
            "classes=...), which leaves the classifier out. "
            f"Received: classes={classes!r}"
        )


def docstring(network: Network) -> str:
    """Returns the docstring of a constructor."""
    names = ", ".join(f"`{parameter.name}`" for parameter in parameters())
    arguments = _filled(
        f"Those of `se_keras.create_model` after the first one: {names}.", 4
    )
    return f"""{description(network)}

Args:
{arguments}

Returns:
    An `ImageModel`.

{references(network)}
"""


def description(network: Network) -> str:
    """Returns what a network is: its name, parameters, twin and preprocessing."""
    family = network.family.name
    return "\n\n".join(
        [
            f"Creates `{network.name}`, a network of the family {family}.",
            _filled(_size(network)),
            _filled(_preprocessing(network)),
        ]
    )


def references(network: Network) -> str:
    """Returns the section of a docstring that names the papers of a network."""
    lines = [_filled(f"- {each}", 4, 2) for each in network.family.references]
    return "\n".join(["Reference:", *lines])


def _filled(text: str, indent: int = 0, hanging: int = 0) -> str:
    """Returns a paragraph in lines of `WIDTH` characters."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _size(network: Network) -> str:
    spec, sentences = network.spec, []
    if isinstance(spec, ApplicationSpec):
        number = f"{spec.parameters:,} parameters with 1000 classes"
        more = ", in addition to those of its SE layers" if spec.attention else ""
        sentences = [f"It has {number}{more}."]
    elif outline := outline_of(network):
        sentences = [f"It has {outline.parameters:,} parameters with 1000 classes."]
    if network.twin:
        other = "without" if network.spec.attention else "with"
        twin = lookup(network.twin).constructor
        sentences.append(f"The same network {other} attention is `{twin}`.")
    return " ".join(sentences)


def _preprocessing(network: Network) -> str:
    preprocessing = network.preprocessing
    height, width = preprocessing.size
    resized = " x ".join(map(str, preprocessing.resize_size))
    return (
        f"Default preprocessing: images of {height} x {width} pixels (height x width) "
        f"with {preprocessing.channels} channels, resized to at least {resized} with "
        f"{preprocessing.interpolation} interpolation, cropped in the center, and "
        f"normalized with mean {preprocessing.mean} and standard deviation "
        f"{preprocessing.std}, for pixels in the range 0 to 1."
    )

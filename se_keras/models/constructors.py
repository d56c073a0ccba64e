"""A constructor for each network of the registry, as `keras.applications` has them."""

import inspect

from se_keras.models.create import create_model
from se_keras.models.keras_applications import ApplicationSpec
from se_keras.models.outline import outline_of
from se_keras.models.registry import Network, networks

_created = {}


def constructor_names() -> list[str]:
    """Returns the names of the constructors of all networks, sorted."""
    return sorted(network.constructor for network in networks())


def constructor(name: str):
    """Returns the constructor of a name, `None` if no network has it."""
    for network in networks():
        if network.constructor == name:
            # With the network, which keeps its identity valid: the user may replace it.
            key = name, id(network)
            if key not in _created:
                _created[key] = _constructor(network), network
            return _created[key][0]
    return None


def _constructor(network: Network):
    def create(*args, **kwargs):
        return create_model(network.name, *args, **kwargs)

    create.__name__ = create.__qualname__ = network.constructor
    create.__module__ = "se_keras.models"
    create.__doc__ = docstring(network)
    signature = inspect.signature(create_model)
    create.__signature__ = signature.replace(
        parameters=list(signature.parameters.values())[1:]
    )
    return create


def docstring(network: Network) -> str:
    """Returns the docstring of a constructor."""
    preprocessing = network.preprocessing
    height, width = preprocessing.size
    references = "\n".join(f"    - {each}" for each in network.family.references)
    return f"""Creates `{network.name}`, a network of the family {network.family.name}.

    {_size(network)} By default it expects images of {height} x {width} pixels
    with {preprocessing.channels} channels, resized with {preprocessing.interpolation}
    interpolation to {preprocessing.resize_size[0]} x {preprocessing.resize_size[1]},
    cropped in the center, and normalized with mean {preprocessing.mean} and
    standard deviation {preprocessing.std}, for pixels in 0..1.

    Args:
        The arguments of `se_keras.create_model` after the first one.

    Returns:
        An `ImageModel`.

    References:
{references}
    """


def _size(network: Network) -> str:
    spec = network.spec
    if isinstance(spec, ApplicationSpec):
        without = ", without its SE layers" if spec.attention else ""
        return f"It has {spec.parameters:,} parameters{without}."
    outline = outline_of(network)
    if outline is None:
        return ""
    return f"It has {outline.parameters:,} parameters with 1000 classes."

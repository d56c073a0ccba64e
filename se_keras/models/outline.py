"""The structure and the weights of a network that is not built.

Whether a file fits a network is a question about names and shapes. A builder answers it
in milliseconds when it runs on the sizes of feature maps instead of tensors.
"""

import dataclasses
import functools
import itertools
import json
import math

import keras

from se_keras.graph.attention import attention_layer, copy_attention
from se_keras.layers import BatchNormalization, PadChannels
from se_keras.models.attention import Attention, is_function
from se_keras.models.builder import NetworkBuilder
from se_keras.models.families import family_of
from se_keras.models.head import POOLS, classify
from se_keras.models.registry import Network, networks
from se_keras.models.spec import NetworkSpec
from se_keras.models.structure import Structure

CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class Slot:
    """One weight of a network.

    Attributes:
        layer: Path of its layer: `"stem_conv"`, `"stage1_block1_se/fc1"`.
        name: `"kernel"`, `"moving_mean"`, ...
        index: Its position among the weights of its layer; Keras's files number them.
        shape: Its shape in Keras's layout.
        variable: The Keras variable, or `None` in a network that is not built.
    """

    layer: str
    name: str
    index: int
    shape: tuple[int, ...]
    variable: keras.Variable | None = dataclasses.field(
        default=None, compare=False, repr=False
    )

    @property
    def path(self) -> str:
        """Path of the Keras variable."""
        return f"{self.layer}/{self.name}"

    @property
    def top_layer(self) -> str:
        """Name of the layer of the model that it is in."""
        return self.layer.partition("/")[0]


@dataclasses.dataclass(frozen=True)
class Outline:
    """What is known of a network without building it.

    Attributes:
        structure: Its structure, with a classifier.
        weights: Its weights, from the input on.
        settings: Settings of layers that the shapes of weights do not show, by the
            names of the layers.
    """

    structure: Structure
    weights: tuple[Slot, ...]
    settings: dict[str, dict]

    @functools.cached_property
    def layers_with_weights(self) -> frozenset[str]:
        """Names of the layers that have weights."""
        return frozenset(self.structure.part_of) & {
            weight.top_layer for weight in self.weights
        }

    @property
    def parameters(self) -> int:
        """Number of parameters, without the statistics of batch norm."""
        return sum(
            math.prod(weight.shape)
            for weight in self.weights
            if weight.name not in ("moving_mean", "moving_variance")
        )


def outline_of(network: Network) -> Outline | None:
    """Returns the outline of a network of the registry, `None` if it has none."""
    if not network.family.is_outlined or is_function(network.spec.attention):
        return None
    key = network.name, id(network.spec)
    if key not in _outlines:
        # With the spec, which keeps its identity valid.
        _outlines[key] = outline(network.spec), network.spec
    return _outlines[key][0]


_outlines = {}


def outlines() -> dict[str, Outline]:
    """Returns the outlines of all networks of the registry that have one, by name."""
    found = ((network.name, outline_of(network)) for network in networks())
    return {name: each for name, each in found if each}


def outline(spec: NetworkSpec) -> Outline:
    """Returns the outline of the network that `create_model(spec)` builds.

    Args:
        spec: A spec of a family that `is_outlined`.
    """
    family = family_of(spec)
    # Sizes that the network halves as often as it likes.
    height, width = (max(32, math.ceil(n / 32) * 32) for n in spec.preprocessing.size)
    net = _Outliner(spec)
    x = _Map(height, width, spec.preprocessing.channels)
    levels = family.features(spec, net, x)
    with net.part("head", None):
        classify(family, spec, net, list(levels.values())[-1], CLASSES)
    structure = net.structure(family, spec, levels)
    return Outline(structure, tuple(net.weights), net.settings)


@dataclasses.dataclass(eq=False)
class _Map:
    """Height, width and channels of a feature map, used instead of a tensor."""

    height: int
    width: int
    channels: int

    @property
    def shape(self):
        return None, self.height, self.width, self.channels


class _Outliner(NetworkBuilder):
    """Notes what layers would have for weights instead of creating them."""

    def __init__(self, spec):
        self.weights = []
        self.settings = {}
        super().__init__(attention=Attention(self._attend(spec.attention)))

    def _call(self, kind, x, config):
        name = config["name"]
        first = x[0] if isinstance(x, list) else x
        for index, (weight, shape) in enumerate(_weights(kind, first, config)):
            self.weights.append(Slot(name, weight, index, shape))
        settings = {key: config[key] for key in _SETTINGS if key in config}
        if settings:
            self.settings[name] = settings
        return _output(kind, x, config)

    def _attend(self, attention):
        if attention is None:
            return None
        prototype = attention_layer(attention)
        config = json.dumps(keras.saving.serialize_keras_object(prototype), default=str)

        def apply(x, name):
            counts = {}
            for path, weight, shape in _weights_of(prototype, config, x.channels):
                layer = f"{name}/{path}" if path else name
                index = counts.setdefault(layer, itertools.count())
                self.weights.append(Slot(layer, weight, next(index), shape))
            return _Map(x.height, x.width, x.channels)

        return apply


# Settings of layers that the shapes of weights do not show.
_SETTINGS = ("kernel_size", "padding", "pool_size", "strides")


def _weights(kind, x, config):
    """Returns names and shapes of the weights of a layer for a feature map."""
    size = config.get("kernel_size")
    if kind is keras.layers.Conv2D:
        inputs = x.channels // config["groups"]
        kernel = [("kernel", (size, size, inputs, config["filters"]))]
        return kernel + [("bias", (config["filters"],))] * config["use_bias"]
    if kind is keras.layers.DepthwiseConv2D:
        return [("kernel", (size, size, x.channels, 1))]
    if kind is BatchNormalization:
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return [(name, (x.channels,)) for name in names]
    if kind is keras.layers.Dense:
        units = config["units"]
        return [("kernel", (x.channels, units)), ("bias", (units,))]
    return []


def _output(kind, x, config) -> _Map:
    """Returns the size of what a layer returns."""
    if isinstance(x, list):
        channels = [each.channels for each in x]
        total = sum(channels) if kind is keras.layers.Concatenate else channels[0]
        return _Map(x[0].height, x[0].width, total)
    height, width, channels = x.height, x.width, x.channels
    if kind is keras.layers.Flatten:
        return _Map(1, 1, height * width * channels)
    if kind in POOLS.values():
        return _Map(1, 1, channels)
    if kind in (keras.layers.ZeroPadding2D, keras.layers.Cropping2D):
        sign = 1 if kind is keras.layers.ZeroPadding2D else -1
        (top, bottom), (left, right) = _pairs(
            config.get("padding", config.get("cropping"))
        )
        return _Map(
            height + sign * (top + bottom), width + sign * (left + right), channels
        )
    if "strides" in config:
        window = config.get("kernel_size", config.get("pool_size"))
        height, width = (
            math.ceil(side / config["strides"])
            if config["padding"] == "same"
            else (side - window) // config["strides"] + 1
            for side in (height, width)
        )
    if kind is PadChannels:
        channels = config["channels"]
    return _Map(height, width, config.get("filters", config.get("units", channels)))


def _pairs(padding):
    return ((padding, padding),) * 2 if isinstance(padding, int) else padding


def _weights_of(prototype, config, channels):
    """Returns path, name and shape of the weights of an attention layer."""
    key = config, channels
    if key not in _attention_weights:
        layer = copy_attention(
            prototype, name="attention", dtype="float32", data_format="channels_last"
        )
        layer.build((None, 1, 1, channels))
        _attention_weights[key] = [
            (*_inside(variable.path, layer.name), tuple(variable.shape))
            for variable in layer.weights
        ]
    return _attention_weights[key]


_attention_weights = {}


def _inside(path: str, layer: str) -> tuple[str, str]:
    """Returns the path of a weight inside its layer, and its name."""
    inside, _, name = path.removeprefix(f"{layer}/").rpartition("/")
    return inside, name

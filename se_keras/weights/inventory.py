"""The weights of a network by layer: of one that is built, or of a row of the table.

Whether a file fits a network is a question about names and shapes. A network that is
not built answers it in milliseconds: its builder runs on the numbers of channels in
place of tensors.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable

import keras

from se_keras.models import resnet
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks
from se_keras.models.registry import CLASSIFIER, ModelEntry, list_models, lookup


@dataclasses.dataclass(frozen=True)
class Slot:
    """One weight of a network.

    Attributes:
        layer: Path of its layer: `"stem_conv"`, `"stage1_block1_se/fc1"`.
        name: `"kernel"`, `"moving_mean"`, ...
        index: Its place among the weights of its layer; Keras's files count them.
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


@dataclasses.dataclass(frozen=True)
class Traits:
    """What two networks with the same weights may do differently.

    Attributes:
        caffe_pool: Whether the stem pool overhangs on the bottom right, as Caffe's.
        strided_1x1: Whether the first 1x1 of a bottleneck has the stride.
        anti_alias: Whether average pools follow the strided 3x3.
    """

    caffe_pool: bool = False
    strided_1x1: bool = False
    anti_alias: bool = False


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What a network is made of.

    Attributes:
        slots: Its weights, from the input on.
        layers: Names of all layers, also of those without weights.
        traits: What the weights do not show.
    """

    slots: tuple[Slot, ...]
    layers: frozenset[str]
    traits: Traits

    @property
    def first_conv(self) -> Slot | None:
        """The kernel that sees the image."""
        return next((slot for slot in self.slots if len(slot.shape) == 4), None)


def of_model(model: keras.Model) -> Inventory:
    """Returns the inventory of a model that has the layer names of this package."""
    slots = {}
    layers = {layer.name: layer for layer in _layers(model)}
    own = [(variable.path, variable) for variable in model.weights]
    for variables in (*map(_variables, _layers(model)), own):
        counts = collections.Counter()
        for path, variable in variables:
            layer, _, name = path.rpartition("/")
            if id(variable) not in slots:
                slots[id(variable)] = Slot(
                    layer, name, counts[layer], tuple(variable.shape), variable
                )
            counts[layer] += 1

    def config(name):
        return layers[name].get_config() if name in layers else None

    return Inventory(
        tuple(slots.values()), frozenset(layers), traits_of_configs(config)
    )


def _layers(model):
    """Yields the layers of a model, and those of the models inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _variables(layer):
    """Yields the weights of a layer with their paths from the layer on.

    The path that Keras gives a variable begins with the name scopes around it.
    """
    scope, separator, _ = (layer.path or "").rpartition(layer.name)
    for variable in layer.weights:
        path = variable.path
        inside = separator and path.startswith(f"{layer.path}/")
        yield (path.removeprefix(scope) if inside else path), variable


def traits_of_configs(config: Callable[[str], dict | None]) -> Traits:
    """Returns the traits of a network.

    Args:
        config: Gives the config of a layer by its name, or `None`.
    """
    pad, conv = config("stem_pool_pad"), config("stage2_block1_conv1")
    return Traits(
        caffe_pool=bool(pad) and tuple(pad["padding"][0]) == (0, 1),
        strided_1x1=bool(conv)
        and tuple(conv["kernel_size"]) == (1, 1)
        and tuple(conv["strides"]) != (1, 1),
        anti_alias=config("stage2_block1_aa") is not None,
    )


def of_network(entry: ModelEntry) -> Inventory:
    """Returns the inventory of a ResNet of the registry, which is not built."""
    spec, recorder = entry.spec, _Recorder("channels_last")

    hidden_channels = functools.cache(
        lambda channels: entry.squeeze_excite().hidden_channels(channels)
    )

    def squeeze_excite(channels, name):
        hidden = hidden_channels(channels)
        recorder.dense(channels, hidden, f"{name}/fc1")
        recorder.dense(hidden, channels, f"{name}/fc2")
        return channels

    attention = Attention(squeeze_excite if entry.squeeze_excite else None)
    maps = entry.features(spec, recorder, 3, attention)
    recorder.dense(list(maps.values())[-1], 1000, CLASSIFIER)
    traits = Traits(
        caffe_pool=spec.stem.pool == "max_ceil",
        strided_1x1=spec.block == "bottleneck" and spec.stride_in == "1x1",
        anti_alias=spec.anti_alias,
    )
    return Inventory(tuple(recorder.slots), frozenset(recorder.layers), traits)


def networks() -> dict[str, Inventory]:
    """Returns the inventories of all ResNets of the registry, by name."""
    entries = map(lookup, list_models())
    names = (e.name for e in entries if e.features is resnet.features)
    return {name: _of_name(name) for name in names}


@functools.cache
def _of_name(name):
    return of_network(lookup(name))


@dataclasses.dataclass(frozen=True)
class _Recorder(Blocks):
    """Layers that are written down in place of applied; a tensor is its channels."""

    slots: list[Slot] = dataclasses.field(default_factory=list)
    layers: list[str] = dataclasses.field(default_factory=list)

    def channels(self, x):
        return x

    def sides(self, x):
        return None, None

    def conv(self, x, filters, kernel_size, name, *, groups=1, **where):
        shape = (kernel_size, kernel_size, x // groups, filters)
        return self._layer(filters, name, kernel=shape)

    def norm(self, x, name):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return self._layer(x, name, **dict.fromkeys(names, (x,)))

    def dense(self, x, units, name):
        return self._layer(units, name, kernel=(x, units), bias=(units,))

    def pad(self, x, margin, name):
        return self._layer(x, name)

    def relu(self, x, name):
        return self._layer(x, name)

    def max_pool(self, x, pool_size, stride, name, margin=0):
        return self._layer(x, name)

    def avg_pool(self, x, pool_size, stride, name, padding="valid"):
        return self._layer(x, name)

    def pad_channels(self, x, channels, name):
        return self._layer(channels, name)

    def add(self, a, b, name):
        return self._layer(a, name)

    def _layer(self, outputs, name, **weights):
        self.layers.append(name)
        for index, (weight, shape) in enumerate(weights.items()):
            self.slots.append(Slot(name, weight, index, shape))
        return outputs

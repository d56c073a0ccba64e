"""Networks that `keras.applications` has already, and SE in them.

The networks are built by Keras and copied layer by layer onto the image, with SE after
the layers that the spec names: the same places as `add_squeeze_excite` finds. Layers
have the names of `keras.applications`. In the Inceptions, most layers have no name of
their own, and Keras numbers them by session (`conv2d_94`); here they are numbered by
position, after a prefix (`inception_conv2d_0`), so that the names are always the same
and differ from those of layers before the network.

The head is that of this package. In Inception-v3 and Inception-ResNet-v2 it is the
same; in MobileNet the 1x1 convolution `conv_preds` of Keras is the dense layer
`predictions`, with the same weights.

The Inception-ResNet-v2 of Keras, which is the one that Google released, is not the one
that Hu et al. counted: it costs 13.16 billion multiply-adds at 299 pixels, their table
2 has 11.75 (11.76 with SE), and they released no such network. Nor is it the one that
Szegedy et al. drew, with 5, 10 and 5 blocks of 384, 1154 and 2048 channels after the
stem of Inception-v4, which would cost about 9.3 billion: it has 10, 20 and 10 blocks of
320, 1088 and 2080 channels after the stem of Inception-v3, and a 1x1 convolution to
1536 channels at the end.
"""

import collections
import dataclasses
import os
import re
import warnings
from collections.abc import Callable

import keras
import numpy as np

from se_keras.errors import UsageError
from se_keras.layers import BatchNormalization
from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.input_channels import adapt_input_channels, adaptation
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.spec import NetworkSpec
from se_keras.models.structure import CLASSIFIER, STEM

# Of ImageNet's images and of the weights.
CHANNELS, CLASSES = 3, 1000


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of a network of `keras.applications`.

    Attributes:
        name: Its name.
        stage: Number of its stage, from 1.
        attention: Name of the layer that SE follows.
        last: Name of its last layer. Defaults to `attention`.
    """

    name: str
    stage: int
    attention: str
    last: str = ""


@dataclasses.dataclass(frozen=True)
class ApplicationSpec(NetworkSpec):
    """A network of `keras.applications` with SE.

    Attributes:
        network: The function of `keras.applications` that creates it.
        stem: Name of the last layer of the stem.
        blocks: Its blocks in order.
        levels: The last layer of each level of the feature pyramid.
        prefix: What comes before the names of layers that have none in Keras's network
            and do not occur in this spec; empty if all have one.
        parameters: Number of parameters of the plain network with 1000 classes,
            without the statistics of batch norm.
        attention: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.
    """

    network: Callable | None = None
    stem: str = ""
    blocks: tuple[Block, ...] = ()
    levels: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    parameters: int = 0
    bn_momentum: float = dataclasses.field(default=0.99, kw_only=True)
    bn_epsilon: float = dataclasses.field(default=1e-3, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        if not callable(self.network):
            raise ValueError(
                "Field `network` must be a function of `keras.applications`. "
                f"Received: network={self.network!r}"
            )

    @property
    def names(self) -> set[str]:
        """Names of layers that occur in the spec."""
        blocks = (
            name for block in self.blocks for name in (block.attention, block.last)
        )
        return {self.stem, *blocks, *(name for _, name in self.levels)}


def features(spec: ApplicationSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to its last feature map.

    Args:
        spec: The network.
        net: Layout and precision of the layers; their other settings are Keras's.
        x: Image tensor.

    Returns:
        The last feature map of each stride by the name of its level, from `P2` with
        stride 4.
    """
    source = _application(spec)(include_top=False, weights=None)
    names = layer_names(spec, source)
    ends = {block.attention: block for block in spec.blocks}
    outputs = {}
    parts = _parts(spec, list(names.values()))

    def copy(layer):
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = BatchNormalization  # The same results, faster.
        return kind.from_config({**_config(layer, net), "name": names[layer.name]})

    def call(layer, *args, **kwargs):
        name = layer.name
        part, stage = parts[name]
        with net.part(part, stage):
            y = net.record(layer(*args, **kwargs), name, name)
            if name in ends:
                y = net.attention("standard", y, f"{name}_se", name=f"{name}_se")
        outputs[name] = y
        return y

    keras.models.clone_model(source, x, clone_function=copy, call_function=call)
    return {level: outputs[name] for level, name in spec.levels}


def _application(spec: ApplicationSpec) -> Callable:
    """Returns the function that creates a network; a spec without it is refused."""
    assert spec.network is not None
    return spec.network


def _parts(spec, names) -> dict[str, tuple[str, int]]:
    """Returns name and stage of the part that each layer is in.

    Args:
        spec: The network.
        names: Names of its layers, in the order of computation.
    """
    ends = [(spec.stem, "stem", STEM)]
    ends += [
        (block.last or block.attention, block.name, block.stage)
        for block in spec.blocks
    ]
    found, pending = {}, list(ends)
    for name in names:
        # What follows the last block belongs to the last stage.
        end, part, stage = pending[0] if pending else (None, "final", ends[-1][2])
        found[name] = part, stage
        if name == end:
            pending.pop(0)
    return found


def _config(layer, net) -> dict:
    """Returns the config of a layer, in the layout and precision of `net`."""
    config = layer.get_config()
    config["dtype"] = net.dtype or keras.config.dtype_policy()
    if "data_format" in config:
        config["data_format"] = net.data_format
    if "axis" in config:
        config["axis"] = net.channel_axis
    return config


# What is counted in the names of layers that have none of their own.
_KINDS = {
    keras.layers.Activation: "activation",
    keras.layers.AveragePooling2D: "average_pooling2d",
    keras.layers.BatchNormalization: "batch_normalization",
    keras.layers.Concatenate: "concatenate",
    keras.layers.Conv2D: "conv2d",
    keras.layers.MaxPooling2D: "max_pooling2d",
}


def layer_names(spec: ApplicationSpec, network: keras.Model) -> dict[str, str]:
    """Returns our name of each layer of a network of `keras.applications`.

    Args:
        spec: The spec of the network.
        network: The network, with or without its top.
    """
    counts, names, kept = collections.Counter(), {}, spec.names
    for layer in network.layers:
        kind = _KINDS.get(type(layer), type(layer).__name__.lower())
        numbered = f"{spec.prefix}_{kind}_{counts[kind]}"
        counts[kind] += 1
        keeps = not spec.prefix or layer.name in kept
        names[layer.name] = layer.name if keeps else numbered
    return names


def load_imagenet(spec: ApplicationSpec, network: keras.Model) -> None:
    """Gives a network the weights of `keras.applications`, all but those of its gates.

    Args:
        spec: The network's spec.
        network: The network. A classifier of another size than the 1000 classes of
            ImageNet keeps its weights, and a first convolution for another number of
            channels gets them summed or repeated, each with a warning.

    Raises:
        ValueError: If the weights are not there and cannot be downloaded.
    """
    layers = {layer.name: layer for layer in network.layers}
    classifier = layers.get(CLASSIFIER)
    if classifier is not None and classifier.units != CLASSES:
        warnings.warn(
            f"Layer {CLASSIFIER!r} keeps its random weights: it has {classifier.units} "
            f"classes, and the weights 'imagenet' have {CLASSES}.",
            stacklevel=3,
        )
        classifier = None
    layers[CLASSIFIER] = classifier
    source = _with_imagenet(spec)
    tops = {"predictions": CLASSIFIER, "conv_preds": CLASSIFIER}
    names = layer_names(spec, source) | tops
    for layer in source.layers:
        twin = layers.get(names[layer.name])
        if layer.weights and twin is not None:
            _copy_weights(layer, twin)


def _with_imagenet(spec):
    """Returns Keras's network with its weights, which are downloaded to its cache."""
    try:
        return _application(spec)(weights="imagenet")
    except Exception as error:
        # Keras raises nothing more special.
        failure = re.match(r"URL fetch failure on (\S+): (.*)", str(error), re.DOTALL)
        if not failure:
            raise
        address, reason = failure.groups()
        folder = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
        path = os.path.join(folder, "models", address.rpartition("/")[2])
        raise UsageError(
            f"Expected a connection to download the weights 'imagenet' ({reason}). "
            f"Download {address} where there is one, and put it at {path}. "
            "Received: weights='imagenet'"
        ) from error


def _copy_weights(source, target) -> None:
    arrays = source.get_weights()
    shapes = [tuple(weight.shape) for weight in target.weights]
    if _sees_color(source) and shapes[0] != arrays[0].shape:
        channels = shapes[0][2]
        warnings.warn(
            f"Layer {target.name!r}: {adaptation(CHANNELS, channels)}.", stacklevel=4
        )
        arrays[0] = adapt_input_channels(arrays[0], channels)
    # Of the others only those of `conv_preds` have another shape.
    target.set_weights(list(map(np.reshape, arrays, shapes)))


def _sees_color(layer) -> bool:
    """Whether a layer is the first convolution: no other has three channels."""
    kernel = layer.weights[0]
    return len(kernel.shape) == 4 and kernel.shape[2] == CHANNELS


# The preprocessing of keras.applications with mode "tf": pixels in -1..1.
HALF = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
HALF_299 = dataclasses.replace(HALF, size=(299, 299))

INCEPTION_V3 = ApplicationSpec(
    network=keras.applications.InceptionV3,
    stem="inception_max_pooling2d_1",
    blocks=tuple(
        Block(f"mixed{i}", stage, f"mixed{i}")
        for stage, modules in ((1, range(3)), (2, range(3, 8)), (3, range(8, 11)))
        for i in modules
    ),
    levels=(
        ("P2", "inception_activation_4"),
        ("P3", "mixed2"),
        ("P4", "mixed7"),
        ("P5", "mixed10"),
    ),
    prefix="inception",
    parameters=23_817_352,
    min_size=75,
    preprocessing=HALF_299,
)


def _residual(kind: int, stage: int, count: int) -> tuple[Block, ...]:
    """Returns the residual blocks of a stage of Inception-ResNet-v2.

    SE is on the residual branch, before it is scaled and added.
    """
    return tuple(
        Block(f"block{kind}_{i}", stage, f"block{kind}_{i}_conv", f"block{kind}_{i}_ac")
        for i in range(1, count + 1)
    )


INCEPTION_RESNET_V2 = ApplicationSpec(
    network=keras.applications.InceptionResNetV2,
    stem="inception_max_pooling2d_1",
    # Modules without an addition have SE on their concatenation.
    blocks=(
        Block("mixed_5b", 1, "mixed_5b"),
        *_residual(35, 1, 10),
        Block("mixed_6a", 2, "mixed_6a"),
        *_residual(17, 2, 20),
        Block("mixed_7a", 3, "mixed_7a"),
        *_residual(8, 3, 9),
        # Its sum has no activation.
        Block("block8_10", 3, "block8_10_conv"),
    ),
    levels=(
        ("P2", "inception_activation_4"),
        ("P3", "block35_10_ac"),
        ("P4", "block17_20_ac"),
        ("P5", "conv_7b_ac"),
    ),
    prefix="inception",
    parameters=55_813_192,
    min_size=75,
    preprocessing=HALF_299,
)

MOBILENET = ApplicationSpec(
    network=keras.applications.MobileNet,
    stem="conv1_relu",
    # SE is on the ReLU of the pointwise convolution. Stage 1 has stride 2.
    blocks=tuple(
        Block(f"block{i}", stage, f"conv_pw_{i}_relu")
        for stage, blocks in (
            (1, (1,)),
            (2, (2, 3)),
            (3, (4, 5)),
            (4, range(6, 12)),
            (5, (12, 13)),
        )
        for i in blocks
    ),
    levels=(
        ("P2", "conv_pw_3_relu"),
        ("P3", "conv_pw_5_relu"),
        ("P4", "conv_pw_11_relu"),
        ("P5", "conv_pw_13_relu"),
    ),
    parameters=4_231_976,
    dropout=1e-3,
    preprocessing=HALF,
)

FAMILY = Family(
    name="keras.applications",
    spec=ApplicationSpec,
    fields=(Block,),
    features=features,
    networks={
        "se_inception_v3": ("SEInceptionV3", INCEPTION_V3),
        "se_inception_resnet_v2": ("SEInceptionResNetV2", INCEPTION_RESNET_V2),
        "se_mobilenet": ("SEMobileNet", MOBILENET),
    },
    references=(
        "[Szegedy et al. 2015, Rethinking the Inception "
        "Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.",
        "[Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of "
        "Residual Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.",
        "[Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), tables 2 and 3.",
    ),
    pretrained={"imagenet": load_imagenet},
    is_outlined=False,
)

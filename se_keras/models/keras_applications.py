"""Networks that `keras.applications` has already, and SE in them.

The networks are built by Keras and copied layer by layer onto the image, with SE behind
the layers that the spec names: the same places as `add_squeeze_excite` finds. Layers
have the names of `keras.applications`. Where Keras numbers them by session
(`conv2d_94`), the numbers are those of a fresh session (`conv2d`).

The head is that of this package. In Inception-v3 and Inception-ResNet-v2 it is the
same; in MobileNet the 1x1 convolution `conv_preds` of Keras is the dense layer
`predictions`, with the same weights.

References:
    - [Szegedy et al. 2015, Rethinking the Inception
      Architecture](https://arxiv.org/abs/1512.00567): Inception-v3.
    - [Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of Residual
      Connections](https://arxiv.org/abs/1602.07261): Inception-ResNet-v2.
    - [Howard et al. 2017, MobileNets](https://arxiv.org/abs/1704.04861).
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      tables 2 and 3.

The Inception-ResNet-v2 of Keras, which is the one that Google released, is not the one
that Hu et al. counted: it costs 13.16 billion multiply-adds at 299 pixels, their table
2 says 11.75 (11.76 with SE), and they released no such network. Nor is it the one that
Szegedy et al. drew, with 5, 10 and 5 blocks of 384, 1154 and 2048 channels behind the
stem of Inception-v4, which would cost about 9.3 billion: it has 10, 20 and 10 blocks of
320, 1088 and 2080 channels behind the stem of Inception-v3, and a 1x1 convolution to
1536 channels at the end.
"""

import dataclasses
import functools
import os
import re
import warnings
from collections.abc import Callable

import keras
import numpy as np

from se_keras.errors import UsageError
from se_keras.layers import BatchNormalization, SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.input_channels import adapt_input_channels, adaptation
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.registry import CLASSIFIER, register

# Of ImageNet's images and of the weights.
CHANNELS, CLASSES = 3, 1000


@dataclasses.dataclass(frozen=True)
class ApplicationSpec(NetworkSpec):
    """One network of `keras.applications`.

    Attributes:
        network: The function of `keras.applications` that creates it.
        stages: For each stage, a pattern of whole layer names: those that SE follows.
        levels: The last layer of each level: `("P2", "activation_4")`, ...
        bn_momentum: That of Keras's network.
        bn_epsilon: That of Keras's network.
    """

    network: Callable | None = None
    stages: tuple[str, ...] = ()
    levels: tuple[tuple[str, str], ...] = ()
    bn_momentum: float = 0.99
    bn_epsilon: float = 1e-3


def features(spec: ApplicationSpec, blocks: Blocks, x, attention: Attention) -> dict:
    """Applies the network up to its last feature map.

    Args:
        spec: The network.
        blocks: Layout and precision of the layers; their settings are Keras's.
        x: Image tensor.
        attention: What follows the layers that the spec names.

    Returns:
        The last map of each stride by the name of its level, from `P2` with stride 4.
    """
    source = spec.network(include_top=False, weights=None)
    names = _stable_names(source)
    outputs = {}

    def copy(layer):
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = BatchNormalization  # The same numbers, sooner.
        return kind.from_config({**_config(layer, blocks), "name": names[layer.name]})

    def call(layer, *args, **kwargs):
        y, name = layer(*args, **kwargs), layer.name
        for stage, pattern in enumerate(spec.stages, 1):
            if re.fullmatch(pattern, name):
                y = attention("standard", y, stage=stage, name=f"{name}_se")
        outputs[name] = y
        return y

    keras.models.clone_model(source, x, clone_function=copy, call_function=call)
    return {level: outputs[name] for level, name in spec.levels}


def _config(layer, blocks) -> dict:
    """Returns the config of a layer, in the layout and precision of `blocks`."""
    config = layer.get_config()
    config["dtype"] = blocks.dtype or keras.config.dtype_policy()
    if "data_format" in config:
        config["data_format"] = blocks.data_format
    if "axis" in config:
        config["axis"] = blocks.channel_axis
    return config


def _stable_names(network) -> dict[str, str]:
    """Returns the name that each layer of a network has in a fresh session."""
    names, numbered = {}, {}
    for layer in network.layers:
        names[layer.name] = layer.name
        kind, number = re.fullmatch(r"(.*?)(?:_(\d+))?", layer.name).groups()
        if kind.replace("_", "") == type(layer).__name__.lower():
            numbered.setdefault(kind, []).append((int(number or 0), layer.name))
    for kind, layers in numbered.items():
        for i, (_, name) in enumerate(sorted(layers)):
            names[name] = f"{kind}_{i}" if i else kind
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
    names = {**_stable_names(source), "conv_preds": CLASSIFIER}
    for layer in source.layers:
        twin = layers.get(names[layer.name])
        if layer.weights and twin is not None:
            _copy_weights(layer, twin)


def _with_imagenet(spec):
    """Returns Keras's network with its weights, which are downloaded to its cache."""
    try:
        return spec.network(weights="imagenet")
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

# The keys are the registry names with underscores; constructors are those of Keras.
SPECS = {
    "inception_v3": (
        ApplicationSpec(
            network=keras.applications.InceptionV3,
            stages=(r"mixed[0-2]", r"mixed[3-7]", r"mixed([89]|10)"),
            levels=(
                ("P2", "activation_4"),
                ("P3", "mixed2"),
                ("P4", "mixed7"),
                ("P5", "mixed10"),
            ),
            min_size=75,
        ),
        HALF_299,
    ),
    "inception_resnet_v2": (
        ApplicationSpec(
            network=keras.applications.InceptionResNetV2,
            # On the residual branch, before it is scaled and added; where there is no
            # addition, on the concatenation.
            stages=(
                r"mixed_5b|block35_\d+_conv",
                r"mixed_6a|block17_\d+_conv",
                r"mixed_7a|block8_\d+_conv",
            ),
            levels=(
                ("P2", "activation_4"),
                ("P3", "block35_10_ac"),
                ("P4", "block17_20_ac"),
                ("P5", "conv_7b_ac"),
            ),
            min_size=75,
        ),
        HALF_299,
    ),
    "mobilenet": (
        ApplicationSpec(
            network=keras.applications.MobileNet,
            # The rectifiers of the pointwise convolutions. Stage 1 has stride 2.
            stages=(
                r"conv_pw_1_relu",
                r"conv_pw_[23]_relu",
                r"conv_pw_[45]_relu",
                r"conv_pw_([6-9]|1[01])_relu",
                r"conv_pw_1[23]_relu",
            ),
            levels=(
                ("P2", "conv_pw_3_relu"),
                ("P3", "conv_pw_5_relu"),
                ("P4", "conv_pw_11_relu"),
                ("P5", "conv_pw_13_relu"),
            ),
            dropout=1e-3,
        ),
        HALF,
    ),
}

for _name, (_spec, _preprocessing) in SPECS.items():
    register(
        _spec.network.__name__,
        features,
        _spec,
        name=_name,
        preprocessing=_preprocessing,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
        pretrained={"imagenet": functools.partial(load_imagenet, _spec)},
    )

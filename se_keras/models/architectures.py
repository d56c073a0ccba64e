"""Where `add_squeeze_excite` puts attention in networks that it knows.

Those of this package declare it (`Structure.places`). Those of `keras.applications`,
which declare nothing, are in a table here.
"""

import dataclasses
import itertools
import string

from se_keras.graph.insert import Architectures
from se_keras.graph.rewrite import Graph
from se_keras.models.recognition import structure_of


@dataclasses.dataclass(frozen=True)
class Application:
    """A kind of network of `keras.applications`.

    Attributes:
        name: Its name, for messages.
        signature: Names of layers of which only this kind has any.
        places: Names of the layers that SE follows, as far as a network has them;
            `None` for a kind that has its own SE.
    """

    name: str
    signature: frozenset[str]
    places: frozenset[str] | None


def _names(pattern: str, *values) -> frozenset[str]:
    """Returns the names that a pattern of `str.format` gives for some values."""
    return frozenset(pattern.format(*each) for each in itertools.product(*values))


# As many as no network has.
_BLOCKS = range(100)
_STAGES = range(2, 6)
_CONVNEXTS = (
    "",
    *(f"convnext_{size}_" for size in ["tiny", "small", "base", "large", "xlarge"]),
)

_VGG = _names("block{}_conv{}", range(1, 6), range(1, 5))
_RESNET = _names("conv{}_block{}_3_bn", _STAGES, _BLOCKS)
_INCEPTION = _names("mixed{}", _BLOCKS)
_INCEPTION_RESNET = _names("block{}_{}_conv", (35, 17, 8), _BLOCKS)
_MOBILENET = _names("conv_pw_{}_relu", _BLOCKS)
_MOBILENET_V2 = _names("block_{}_project_BN", _BLOCKS)

# Hu et al., section 3.3: on the residual branch before the addition, or on the output
# of a module without one; figures 2 and 3. The networks that the paper does not have
# follow the same rule: SE is the last step of what a block computes, before that is
# added or concatenated to the input of the block.
APPLICATIONS = (
    Application("ResNet", _RESNET, _RESNET),
    # Pre-activation: the branch ends with a convolution.
    Application(
        "ResNetV2",
        _names("conv{}_block{}_preact_bn", _STAGES, _BLOCKS),
        _names("conv{}_block{}_3_conv", _STAGES, _BLOCKS),
    ),
    # The concatenations of all modules, those with stride included.
    Application("InceptionV3", _INCEPTION, _INCEPTION),
    # Residual blocks: the linear convolution, whose scaled output is added. The three
    # modules without addition: their output.
    Application(
        "InceptionResNetV2",
        _names("block35_{}_conv", _BLOCKS),
        _INCEPTION_RESNET | {"mixed_5b", "mixed_6a", "mixed_7a"},
    ),
    # Each convolution has its ReLU inside.
    Application("VGG", frozenset({"block5_conv1"}), _VGG),
    Application("MobileNet", _MOBILENET, _MOBILENET),
    # The linear projection, as in ResNet: a sixth of the channels that the expansion
    # has, where MobileNetV3 puts SE.
    Application(
        "MobileNetV2", _MOBILENET_V2, _MOBILENET_V2 | {"expanded_conv_project_BN"}
    ),
    # The new features of a layer, before they join those of the layers before it.
    Application(
        "DenseNet",
        _names("conv{}_block{}_concat", _STAGES, _BLOCKS),
        _names("conv{}_block{}_2_conv", _STAGES, _BLOCKS),
    ),
    # The end of the residual branch, which is a pool where the stride is 2.
    Application(
        "Xception",
        frozenset({"block13_sepconv1_bn", "block13_sepconv2_bn"}),
        _names("block{}_pool", (2, 3, 4, 13))
        | _names("block{}_sepconv3_bn", range(5, 13)),
    ),
    # The concatenation that ends a cell.
    Application(
        "NASNet",
        _names("normal_concat_{}", _BLOCKS),
        _names("normal_concat_{}", _BLOCKS)
        | _names("reduction_concat_stem_{}", _BLOCKS)
        | _names("reduction_concat_reduce_{}", _BLOCKS),
    ),
    # Before the layer scale: after it the squeeze of a new network is almost 0.
    Application(
        "ConvNeXt",
        _names("{}stage_{}_block_{}_layer_scale", _CONVNEXTS, range(4), _BLOCKS),
        _names("{}stage_{}_block_{}_pointwise_conv_2", _CONVNEXTS, range(4), _BLOCKS),
    ),
    Application(
        "EfficientNet and EfficientNetV2",
        _names("block{}{}_se_reduce", range(1, 10), string.ascii_lowercase),
        None,
    ),
    Application(
        "MobileNetV3",
        _names("expanded_conv_{}_squeeze_excite_conv", _BLOCKS)
        | {"expanded_conv_squeeze_excite_conv"},
        None,
    ),
)


def find(graph: Graph) -> dict[str, dict[str, str] | None]:
    """Returns where attention goes in a graph, see `Architectures`."""
    structure = structure_of(graph.model)
    if structure is not None:
        places = {layer: name for name, layer in structure.places.items()}
        if places and places.keys() <= graph.operations.keys():
            return {f"the {structure.family} networks of se_keras": places}
    names = graph.operations.keys()
    return {
        row.name: None
        if row.places is None
        else {name: f"{name}_se" for name in names if name in row.places}
        for row in APPLICATIONS
        if row.signature & names
    }


ARCHITECTURES = Architectures(
    ("the networks of se_keras", *(row.name for row in APPLICATIONS)), find
)

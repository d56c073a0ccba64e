"""VGG with batch norm: 3x3 convolutions, max pools and three fully connected layers.

References:
    - [Simonyan and Zisserman 2014, Very Deep Convolutional
      Networks](https://arxiv.org/abs/1409.1556), configuration D.
    - torchvision's `vgg16_bn`, whose parameters it has one for one: batch norm makes
      the biases of the convolutions superfluous, but its weights have them.
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      section 6.1: SE after each non-linearity, of the convolutions.
"""

import dataclasses
import functools

import keras

from se_keras.layers import SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.preprocessing import IMAGENET
from se_keras.models.registry import register


@dataclasses.dataclass(frozen=True)
class VGGSpec(NetworkSpec):
    """One network of the family.

    Attributes:
        depths: Number of convolutions of each stage; a max pool follows each stage.
        widths: Filters of the convolutions of each stage.
        hidden: Units of the fully connected layers before the classifier.
    """

    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5
    min_size: int = 32


def features(spec: VGGSpec, blocks: Blocks, x, attention: Attention) -> dict:
    """Applies the network up to its last max pool.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: What follows each rectifier.

    Returns:
        The output of each stage from the third, `P2` with stride 4, and at last of the
        pool that follows, `P5`.
    """
    outputs = {}
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True)):
        name = f"stage{stage + 1}"
        for i in range(1, depth + 1):
            x = blocks.conv(x, width, 3, f"{name}_conv{i}", use_bias=True)
            x = blocks.norm(x, f"{name}_bn{i}")
            x = blocks.relu(x, f"{name}_relu{i}")
            x = attention("standard", x, stage=stage + 1, name=f"{name}_conv{i}_se")
        outputs[f"P{stage}"] = x
        x = blocks.max_pool(x, 2, 2, f"{name}_pool")
    return {**{k: outputs[k] for k in ("P2", "P3", "P4")}, "P5": x}


def head(spec: VGGSpec, blocks: Blocks, x):
    """Applies the fully connected layers before the classifier.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: The last feature map, of known height and width.

    Returns:
        A vector for each image.

    Raises:
        ValueError: If the size of the image is not known.
    """
    if None in x.shape[1:]:
        raise ValueError(
            "With include_top=True, the fully connected layers of VGG need an image of "
            f"known height and width. Received: feature maps of shape {x.shape[1:]}"
        )
    # In the order of (height, width, channels), whatever the layout.
    x = keras.layers.Flatten(blocks.data_format, dtype=blocks.dtype, name="flatten")(x)
    for i, units in enumerate(spec.hidden, 1):
        if i > 1:
            name = f"fc{i - 1}_dropout"
            x = keras.layers.Dropout(spec.dropout, dtype=blocks.dtype, name=name)(x)
        x = keras.layers.Dense(
            units,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            dtype=blocks.dtype,
            name=f"fc{i}",
        )(x)
        x = blocks.relu(x, f"fc{i}_relu")
    return x


SPECS = {"VGG16": VGGSpec()}

for _name, _spec in SPECS.items():
    register(
        _name,
        features,
        _spec,
        preprocessing=IMAGENET,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
        head=head,
    )

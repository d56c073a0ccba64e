"""ResNets with and without SE: a table of specs and the builder that reads it.

References:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      section 3.3: SE on the residual branch, after the last batch norm and before
      the addition.
    - timm's `resnet.py`, whose networks those for ImageNet are.
"""

import dataclasses
import functools

from se_keras.layers import PadChannels, SqueezeExcite
from se_keras.models.blocks import Blocks
from se_keras.models.preprocessing import CIFAR, IMAGENET
from se_keras.models.registry import register


@dataclasses.dataclass(frozen=True)
class Stem:
    """What comes before the first stage.

    Attributes:
        filters: Filters of the convolution.
        kernel_size: Its kernel, in pixels.
        stride: Its stride.
        pool: Whether a 3x3 max-pool of stride 2, padded by 1, follows.
    """

    filters: int = 64
    kernel_size: int = 7
    stride: int = 2
    pool: bool = True


@dataclasses.dataclass(frozen=True)
class ResNetSpec:
    """One network of the family.

    Attributes:
        block: `"basic"` (two 3x3) or `"bottleneck"` (1x1, 3x3, 1x1).
        depths: Number of blocks of each stage.
        widths: Width of each stage; a bottleneck block has 4 times as many
            output channels.
        stem: What comes before the first stage.
        shortcut: Where shapes differ, `"projection"` (1x1 convolution and batch
            norm) or `"padding"` (subsampling and zero channels).
        bn_momentum: Batch-norm momentum in Keras's convention.
        bn_epsilon: Batch-norm epsilon.
    """

    block: str
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Stem = Stem()
    shortcut: str = "projection"
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5


def features(spec: ResNetSpec, blocks: Blocks, x, attention):
    """Applies the network up to the output of its last stage.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: Callable of a tensor and a name that returns a tensor of the same
            shape, applied to each residual branch; or `None`.

    Returns:
        The feature map of the last stage.
    """
    residual, expansion = BLOCKS[spec.block]
    x = _stem(spec.stem, blocks, x)
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True)):
        for block in range(depth):
            name = f"stage{stage + 1}_block{block + 1}"
            stride = 2 if stage > 0 and block == 0 else 1
            branch = residual(blocks, x, width, stride, name)
            if attention:
                branch = attention(branch, f"{name}_se")
            shortcut = x
            if stride > 1 or blocks.channels(x) != width * expansion:
                shortcut = SHORTCUTS[spec.shortcut](
                    blocks, x, width * expansion, stride, f"{name}_shortcut"
                )
            x = blocks.add(branch, shortcut, f"{name}_add")
            x = blocks.relu(x, f"{name}_out")
    return x


def _stem(stem: Stem, blocks: Blocks, x):
    x = blocks.conv(x, stem.filters, stem.kernel_size, "stem_conv", stride=stem.stride)
    x = blocks.norm(x, "stem_bn")
    x = blocks.relu(x, "stem_relu")
    return blocks.max_pool(x, 3, 2, "stem_pool", margin=1) if stem.pool else x


def _basic(blocks: Blocks, x, width: int, stride: int, name: str):
    x = blocks.conv(x, width, 3, f"{name}_conv1", stride=stride)
    x = blocks.norm(x, f"{name}_bn1")
    x = blocks.relu(x, f"{name}_relu1")
    x = blocks.conv(x, width, 3, f"{name}_conv2")
    return blocks.norm(x, f"{name}_bn2")


def _bottleneck(blocks: Blocks, x, width: int, stride: int, name: str):
    x = blocks.conv(x, width, 1, f"{name}_conv1")
    x = blocks.norm(x, f"{name}_bn1")
    x = blocks.relu(x, f"{name}_relu1")
    x = blocks.conv(x, width, 3, f"{name}_conv2", stride=stride)
    x = blocks.norm(x, f"{name}_bn2")
    x = blocks.relu(x, f"{name}_relu2")
    x = blocks.conv(x, 4 * width, 1, f"{name}_conv3")
    return blocks.norm(x, f"{name}_bn3")


def _projection(blocks: Blocks, x, channels: int, stride: int, name: str):
    x = blocks.conv(x, channels, 1, f"{name}_conv", stride=stride)
    return blocks.norm(x, f"{name}_bn")


def _padding(blocks: Blocks, x, channels: int, stride: int, name: str):
    if stride > 1:
        x = blocks.max_pool(x, 1, stride, f"{name}_subsample")
    return PadChannels(
        channels, data_format=blocks.data_format, dtype=blocks.dtype, name=f"{name}_pad"
    )(x)


# The residual branch of a block, and its output channels for a width of 1.
BLOCKS = {"basic": (_basic, 1), "bottleneck": (_bottleneck, 4)}
SHORTCUTS = {"projection": _projection, "padding": _padding}


# He et al. section 3.4, with the stride in the 3x3 convolution as in timm.
IMAGENET_SPECS = {
    "ResNet18": ResNetSpec("basic", (2, 2, 2, 2)),
    "ResNet34": ResNetSpec("basic", (3, 4, 6, 3)),
    "ResNet50": ResNetSpec("bottleneck", (3, 4, 6, 3)),
    "ResNet101": ResNetSpec("bottleneck", (3, 4, 23, 3)),
    "ResNet152": ResNetSpec("bottleneck", (3, 8, 36, 3)),
}

# He et al. section 4.2: 6n + 2 layers, three stages of n blocks.
CIFAR_SPECS = {
    f"ResNet{6 * n + 2}": ResNetSpec(
        "basic",
        (n, n, n),
        widths=(16, 32, 64),
        stem=Stem(filters=16, kernel_size=3, stride=1, pool=False),
        shortcut="padding",
    )
    for n in (3, 5, 7, 9, 18)
}

for _name, _spec in IMAGENET_SPECS.items():
    register(
        _name,
        features,
        _spec,
        preprocessing=IMAGENET,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16, divisor=8),
    )
for _name, _spec in CIFAR_SPECS.items():
    register(
        _name,
        features,
        _spec,
        preprocessing=CIFAR,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
    )

"""Pre-activation ResNets for CIFAR, thin and deep or wide and shallow.

References:
    - [He et al. 2016, Identity Mappings in Deep Residual
      Networks](https://arxiv.org/abs/1603.05027) and its release,
      KaimingHe/resnet-1k-layers: ResNet-164.
    - [Zagoruyko and Komodakis 2016, Wide Residual
      Networks](https://arxiv.org/abs/1605.07146) and its release,
      szagoruyko/wide-residual-networks: WRN-16-8.
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      tables 4 and 5: both with SE on the residual branch before the addition.
"""

import dataclasses
import functools

from se_keras.layers import SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.preprocessing import CIFAR
from se_keras.models.registry import register
from se_keras.models.stages import block_places


@dataclasses.dataclass(frozen=True)
class Conv:
    """One convolution of a block, behind batch norm and rectifier.

    Attributes:
        kernel_size: In pixels.
        expansion: Its filters for a stage of width 1.
    """

    kernel_size: int
    expansion: int = 1


@dataclasses.dataclass(frozen=True)
class PreActResNetSpec(NetworkSpec):
    """One network of the family.

    Attributes:
        block: A key of `BLOCKS`: `"basic"` (two 3x3) or `"bottleneck"` (1x1, 3x3, 1x1).
        depths: Number of blocks of each stage.
        widths: Width of each stage; a bottleneck block has 4 times as many output
            channels.
        stem: Filters of the first convolution.
    """

    block: str = "basic"
    depths: tuple[int, ...] = (3, 3, 3)
    widths: tuple[int, ...] = (16, 32, 64)
    stem: int = 16


# The residual branch of a block; the first convolution has the stride, also where it
# is 1x1, as in the release.
BLOCKS = {
    "basic": (Conv(3), Conv(3)),
    "bottleneck": (Conv(1), Conv(3), Conv(1, expansion=4)),
}


def features(spec: PreActResNetSpec, blocks: Blocks, x, attention: Attention) -> dict:
    """Applies the network up to the last batch norm and its rectifier.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: What enters each block.

    Returns:
        The output of each stage by the name of its level, from `P0` with stride 1.
        Those before the last are sums that no batch norm has seen.
    """
    x = blocks.conv(x, spec.stem, 3, "stem_conv")
    outputs = {}
    for place in block_places(spec.depths):
        x = _block(spec, blocks, x, attention, place)
        outputs[f"P{place.stage - 1}"] = x
    x = _activate(blocks, x, "final")
    return {**outputs, f"P{len(spec.depths) - 1}": x}


def _block(spec, blocks, x, attention, place):
    se = functools.partial(attention, stage=place.stage, name=f"{place.name}_se")
    convs, width = BLOCKS[spec.block], spec.widths[place.stage - 1]
    channels = convs[-1].expansion * width
    branch = _activate(blocks, se("pre", x), f"{place.name}_preact1")
    shortcut = x
    if place.stride > 1 or blocks.channels(x) != channels:
        # The projection takes what the branch takes.
        name = f"{place.name}_shortcut_conv"
        shortcut = blocks.conv(branch, channels, 1, name, stride=place.stride)
    for i, conv in enumerate(convs, 1):
        if i > 1:
            branch = _activate(blocks, branch, f"{place.name}_preact{i}")
        if i == len(convs):
            branch = se("inside", branch)
        branch = blocks.conv(
            branch,
            conv.expansion * width,
            conv.kernel_size,
            f"{place.name}_conv{i}",
            stride=place.stride if i == 1 else 1,
        )
    branch, shortcut = se("standard", branch), se("identity", shortcut)
    branch = blocks.drop_branch(branch, place.depth, f"{place.name}_drop_path")
    return se("post", blocks.add(branch, shortcut, f"{place.name}_add"))


def _activate(blocks, x, name):
    return blocks.relu(blocks.norm(x, f"{name}_bn"), f"{name}_relu")


# The keys are the registry names, written as constructors.
SPECS = {
    "ResNet164": PreActResNetSpec(block="bottleneck", depths=(18, 18, 18)),
    # Depth 16, and each stage 8 times as wide.
    "WRN_16_8": PreActResNetSpec(depths=(2, 2, 2), widths=(128, 256, 512)),
}

for _name, _spec in SPECS.items():
    register(
        _name,
        features,
        _spec,
        preprocessing=CIFAR,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
    )

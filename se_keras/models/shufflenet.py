"""ShuffleNet: grouped 1x1 convolutions, and a shuffle between their groups.

Its stages 2 to 4 are stages 1 to 3 here: those that have blocks.

ShuffleNet 1x with 3 groups costs 137.5 million multiply-adds, 138.1 with SE. The 140
million in the tables of both papers is the budget that all networks 1x share, whatever
their groups. The 2 million more with SE are its 0.6, and 1.6 for scaling the channels.

References:
    - [Zhang et al. 2017, ShuffleNet](https://arxiv.org/abs/1707.01083), figure 2 and
      table 1.
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      table 3: SE on the residual branch, before the addition or concatenation.
"""

import dataclasses
import functools

from se_keras.layers import ChannelShuffle, SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.preprocessing import IMAGENET
from se_keras.models.registry import register
from se_keras.models.stages import block_places


@dataclasses.dataclass(frozen=True)
class ShuffleNetSpec(NetworkSpec):
    """One network of the family.

    Attributes:
        depths: Number of blocks of each stage.
        widths: Output channels of each stage.
        groups: Groups of the 1x1 convolutions.
        stem: Filters of the first convolution.
    """

    depths: tuple[int, ...] = (4, 8, 4)
    widths: tuple[int, ...] = (240, 480, 960)
    groups: int = 3
    stem: int = 24


def features(spec: ShuffleNetSpec, blocks: Blocks, x, attention: Attention) -> dict:
    """Applies the network up to the output of its last stage.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: What enters each block.

    Returns:
        The output of the stem, `P2` with stride 4, and of each stage, `P3` to `P5`.
    """
    x = blocks.conv(x, spec.stem, 3, "stem_conv", stride=2)
    x = blocks.norm(x, "stem_bn")
    x = blocks.relu(x, "stem_relu")
    x = blocks.max_pool(x, 3, 2, "stem_pool", margin=1)
    outputs = {"P2": x}
    for place in block_places(spec.depths, stride=2):
        x = _block(spec, blocks, x, attention, place)
        outputs[f"P{place.stage + 2}"] = x
    return outputs


def _block(spec, blocks, x, attention, place):
    name, width = place.name, spec.widths[place.stage - 1]
    se = functools.partial(attention, stage=place.stage, name=f"{name}_se")
    # Few channels come from the stem: their convolution has no groups.
    first_groups = 1 if name == "stage1_block1" else spec.groups
    branch = blocks.conv(
        se("pre", x), width // 4, 1, f"{name}_conv1", groups=first_groups
    )
    branch = blocks.norm(branch, f"{name}_bn1")
    branch = blocks.relu(branch, f"{name}_relu1")
    branch = ChannelShuffle(
        spec.groups, blocks.data_format, dtype=blocks.dtype, name=f"{name}_shuffle"
    )(branch)
    branch = blocks.depthwise_conv(branch, 3, f"{name}_conv2", stride=place.stride)
    branch = blocks.norm(branch, f"{name}_bn2")
    branch = se("inside", branch)
    # A concatenation with the shortcut has to make up the width.
    outputs = width - blocks.channels(x) if place.stride > 1 else width
    branch = blocks.conv(branch, outputs, 1, f"{name}_conv3", groups=spec.groups)
    branch = se("standard", blocks.norm(branch, f"{name}_bn3"))
    if place.stride > 1:
        # The zeros at the border count.
        x = blocks.pad(x, 1, f"{name}_shortcut_pad")
        x = blocks.avg_pool(x, 3, 2, f"{name}_shortcut_pool")
        x = blocks.concat([se("identity", x), branch], f"{name}_concat")
    else:
        branch = blocks.drop_branch(branch, place.depth, f"{name}_drop_path")
        x = blocks.add(se("identity", x), branch, f"{name}_add")
    return se("post", blocks.relu(x, f"{name}_out"))


# ShuffleNet 1x with g = 3 is the one of the paper of SE.
SPECS = {"ShuffleNet": ShuffleNetSpec()}

for _name, _spec in SPECS.items():
    register(
        _name,
        features,
        _spec,
        preprocessing=IMAGENET,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
    )

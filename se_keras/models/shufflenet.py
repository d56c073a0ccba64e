"""ShuffleNet: grouped 1x1 convolutions, and a shuffle between their groups.

Its stages 2 to 4 are stages 1 to 3 here: those that have blocks.

ShuffleNet 1x with 3 groups costs 137.5 million multiply-adds, 138.1 with SE. The 140
million in the tables of both papers is the budget that all networks 1x share, whatever
their groups. The 2 million more with SE are its 0.6, and 1.6 for scaling the channels.
"""

import dataclasses
import itertools

from se_keras.layers import ChannelShuffle
from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.spec import NetworkSpec, check_integer, check_integers
from se_keras.models.stages import block_places


@dataclasses.dataclass(frozen=True)
class ShuffleNetSpec(NetworkSpec):
    """A ShuffleNet.

    Attributes:
        depths: Number of blocks of each stage.
        widths: Output channels of each stage, as many as `depths`.
        groups: Groups of the 1x1 convolutions.
        stem: Filters of the first convolution.
        attention: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.

    Reference:
        [Zhang et al. 2017](https://arxiv.org/abs/1707.01083), figure 2 and table 1.
    """

    depths: tuple[int, ...] = (4, 8, 4)
    widths: tuple[int, ...] = (240, 480, 960)
    groups: int = 3
    stem: int = 24

    def __post_init__(self):
        super().__post_init__()
        check_integers("depths", self.depths)
        check_integers("widths", self.widths, "depths", len(self.depths))
        check_integer("groups", self.groups)
        check_integer("stem", self.stem)
        for before, width in itertools.pairwise((self.stem, *self.widths)):
            # A block with a stride appends `width - before` channels to its shortcut.
            if width <= before or any(
                n % self.groups for n in (width - before, width // 4)
            ):
                raise ValueError(
                    "Field `widths` must rise from `stem`, by multiples of `groups`, "
                    "and a quarter of each width must be a multiple of `groups`. "
                    f"Received: stem={self.stem}, widths={self.widths}, "
                    f"groups={self.groups}"
                )


def features(spec: ShuffleNetSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to the output of its last stage.

    Args:
        spec: The network.
        net: The layers to build with.
        x: Image tensor.

    Returns:
        The output of the stem, `P2` with stride 4, and of each stage, `P3` to `P5`.
    """
    with net.part("stem"):
        x = net.norm(net.conv(x, spec.stem, 3, "conv", stride=2), "bn")
        x = net.relu(x, "relu")
        x = net.max_pool(x, 3, 2, "pool", zeros=1)
    outputs = {"P2": x}
    for place in block_places(spec.depths, stride=2):
        with net.block(place):
            x = _block(spec, net, x, place)
        outputs[f"P{place.stage + 2}"] = x
    return outputs


def _block(spec, net, x, place):
    width = spec.widths[place.stage - 1]
    # Few channels come from the stem: their convolution has no groups.
    first_groups = 1 if (place.stage, place.block) == (1, 1) else spec.groups
    branch = net.attention("pre", x)
    branch = net.conv(branch, width // 4, 1, "conv1", groups=first_groups)
    branch = net.norm(branch, "bn1")
    branch = net.relu(branch, "relu1")
    branch = net.apply(
        ChannelShuffle,
        branch,
        "shuffle",
        groups=spec.groups,
        data_format=net.data_format,
    )
    branch = net.depthwise_conv(branch, 3, "conv2", stride=place.stride)
    branch = net.norm(branch, "bn2")
    branch = net.attention("inside", branch)
    # A concatenation with the shortcut has to make up the width.
    outputs = width - net.channels(x) if place.stride > 1 else width
    branch = net.conv(branch, outputs, 1, "conv3", groups=spec.groups)
    branch = net.attention("standard", net.norm(branch, "bn3"))
    if place.stride > 1:
        # The zeros at the border count.
        x = net.pad(x, 1, "shortcut_pad")
        x = net.avg_pool(x, 3, 2, "shortcut_pool")
        x = net.concat([net.attention("identity", x), branch], "concat")
    else:
        branch = net.drop_branch(branch, place.depth)
        x = net.add(net.attention("identity", x), branch, "add")
    return net.attention("post", net.relu(x, "out"))


# ShuffleNet 1x with g = 3 is the one of the SE paper.
NETWORKS = {"se_shufflenet": ("SEShuffleNet", ShuffleNetSpec())}

FAMILY = Family(
    name="ShuffleNet",
    spec=ShuffleNetSpec,
    features=features,
    networks=NETWORKS,
    references=(
        "[Zhang et al. 2017, ShuffleNet](https://arxiv.org/abs/1707.01083), figure 2 "
        "and table 1.",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), table 3: SE on the residual "
        "branch, before the addition or concatenation.",
    ),
)

"""Pre-activation ResNets for CIFAR, thin and deep or wide and shallow."""

import dataclasses

from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.preprocessing import CIFAR, Preprocessing
from se_keras.models.spec import NetworkSpec, check_integer, check_integers, check_key
from se_keras.models.stages import block_places


@dataclasses.dataclass(frozen=True)
class Conv:
    """One convolution of a block, after batch norm and ReLU.

    Attributes:
        kernel_size: In pixels.
        expansion: Its filters for a stage of width 1.
    """

    kernel_size: int
    expansion: int = 1


@dataclasses.dataclass(frozen=True)
class PreActResNetSpec(NetworkSpec):
    """A pre-activation ResNet or wide ResNet.

    Attributes:
        block: `"basic"` (two 3x3 convolutions) or `"bottleneck"` (1x1, 3x3, 1x1).
        depths: Number of blocks of each stage.
        widths: Width of each stage, as many as `depths`; a bottleneck block has 4
            times as many output channels.
        stem: Filters of the first convolution.
        preprocessing: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.

    Reference:
        [He et al. 2016](https://arxiv.org/abs/1603.05027);
        [Zagoruyko and Komodakis 2016](https://arxiv.org/abs/1605.07146).
    """

    block: str = "basic"
    depths: tuple[int, ...] = (3, 3, 3)
    widths: tuple[int, ...] = (16, 32, 64)
    stem: int = 16
    preprocessing: Preprocessing = dataclasses.field(default=CIFAR, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        check_key("block", self.block, BLOCKS)
        check_integers("depths", self.depths)
        check_integers("widths", self.widths, "depths", len(self.depths))
        check_integer("stem", self.stem)


# The residual branch of a block; the first convolution has the stride, also where it
# is 1x1, as in the release.
BLOCKS = {
    "basic": (Conv(3), Conv(3)),
    "bottleneck": (Conv(1), Conv(3), Conv(1, expansion=4)),
}


def features(spec: PreActResNetSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to the last batch norm and its ReLU.

    Args:
        spec: The network.
        net: The layers to build with.
        x: Image tensor.

    Returns:
        The output of each stage by the name of its level, from `P0` with stride 1.
        Those before the last are sums without a batch norm after them.
    """
    with net.part("stem"):
        x = net.conv(x, spec.stem, 3, "conv")
    outputs = {}
    for place in block_places(spec.depths):
        with net.block(place):
            x = _block(spec, net, x, place)
        outputs[f"P{place.stage - 1}"] = x
    with net.part("final", stage=len(spec.depths)):
        x = net.relu(net.norm(x, "bn"), "relu")
    return {**outputs, f"P{len(spec.depths) - 1}": x}


def _block(spec, net, x, place):
    convs, width = BLOCKS[spec.block], spec.widths[place.stage - 1]
    channels = convs[-1].expansion * width
    branch = _activate(net, net.attention("pre", x), "preact1")
    shortcut = x
    if place.stride > 1 or net.channels(x) != channels:
        # The projection takes what the branch takes.
        shortcut = net.conv(branch, channels, 1, "shortcut_conv", stride=place.stride)
    for i, conv in enumerate(convs, 1):
        if i > 1:
            branch = _activate(net, branch, f"preact{i}")
        if i == len(convs):
            branch = net.attention("inside", branch)
        branch = net.conv(
            branch,
            conv.expansion * width,
            conv.kernel_size,
            f"conv{i}",
            stride=place.stride if i == 1 else 1,
        )
    branch = net.attention("standard", branch)
    shortcut = net.attention("identity", shortcut)
    branch = net.drop_branch(branch, place.depth)
    return net.attention("post", net.add(branch, shortcut, "add"))


def _activate(net, x, role):
    return net.relu(net.norm(x, f"{role}_bn"), f"{role}_relu")


NETWORKS = {
    "se_resnet164": (
        "SEResNet164",
        PreActResNetSpec(block="bottleneck", depths=(18, 18, 18)),
    ),
    # Depth 16, and each stage 8 times as wide.
    "se_wrn_16_8": (
        "SEWRN_16_8",
        PreActResNetSpec(depths=(2, 2, 2), widths=(128, 256, 512)),
    ),
}

FAMILY = Family(
    name="pre-activation ResNet",
    spec=PreActResNetSpec,
    features=features,
    networks=NETWORKS,
    references=(
        "[He et al. 2016, Identity Mappings in Deep Residual "
        "Networks](https://arxiv.org/abs/1603.05027) and its release, "
        "KaimingHe/resnet-1k-layers: ResNet-164.",
        "[Zagoruyko and Komodakis 2016, Wide Residual "
        "Networks](https://arxiv.org/abs/1605.07146) and its release, "
        "szagoruyko/wide-residual-networks: WRN-16-8.",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5: both with SE on "
        "the residual branch before the addition.",
    ),
)

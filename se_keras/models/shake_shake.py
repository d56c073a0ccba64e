"""Shake-Shake networks for CIFAR: two residual branches, mixed at random in training.

SE is on the mix, before it is added to the shortcut: as in a ResNeXt, whose 32 paths
are summed before their one SE, the two branches together are the residual branch.
"""

import dataclasses

import keras

from se_keras.layers import ShakeShake
from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.preprocessing import CIFAR, Preprocessing
from se_keras.models.spec import NetworkSpec, check_integer, check_integers, check_key
from se_keras.models.stages import block_places


@dataclasses.dataclass(frozen=True)
class ShakeShakeSpec(NetworkSpec):
    """A Shake-Shake network.

    Attributes:
        block: `"basic"` (two 3x3 convolutions after a ReLU, which the release has for
            CIFAR-10) or `"resnext"` (1x1, grouped 3x3, 1x1 before a ReLU, which it has
            for CIFAR-100).
        depths: Number of blocks of each stage.
        width: Width of the first stage; each further stage has twice the width.
        groups: Groups of the 3x3 convolution of a `"resnext"` block. Each has as many
            channels as its stage is wide; the block has 4 times as many outputs.
        stem: Filters of the first convolution.
        backward: Weights of the branches in the backward pass, `"shake"` or `"even"`,
            see `ShakeShake`.
        preprocessing: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.

    Reference:
        [Gastaldi 2017](https://arxiv.org/abs/1705.07485).
    """

    block: str = "basic"
    depths: tuple[int, ...] = (4, 4, 4)
    width: int = 96
    groups: int = 1
    stem: int = 16
    backward: str = "shake"
    preprocessing: Preprocessing = dataclasses.field(default=CIFAR, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        check_key("block", self.block, BLOCKS)
        check_key("backward", self.backward, ("shake", "even"))
        check_integers("depths", self.depths)
        for name in ("width", "groups", "stem"):
            check_integer(name, getattr(self, name))


def features(spec: ShakeShakeSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to its last ReLU.

    Args:
        spec: The network.
        net: The layers to build with. With the placement `"inside"` each branch of a
            block has attention.
        x: Image tensor.

    Returns:
        The output of each stage by the name of its level, from `P0` with stride 1.
    """
    block, starts_with_relu = BLOCKS[spec.block]
    with net.part("stem"):
        x = net.norm(net.conv(x, spec.stem, 3, "conv"), "bn")
        if not starts_with_relu:
            x = net.relu(x, "relu")
    outputs = {}
    for place in block_places(spec.depths):
        with net.block(place):
            x = block(spec, net, x, place)
        outputs[f"P{place.stage - 1}"] = x
    if starts_with_relu:
        stage = len(spec.depths)
        with net.part("final", stage=stage):
            outputs[f"P{stage - 1}"] = net.relu(x, "relu")
    return outputs


def _basic(spec, net, x, place):
    """Returns `x + mix(branches(relu(x)))`."""
    width = spec.width << (place.stage - 1)

    def branch(x, role):
        x = net.conv(x, width, 3, f"{role}_conv1", stride=place.stride)
        x = net.norm(x, f"{role}_bn1")
        x = net.relu(x, f"{role}_relu1")
        x = net.attention("inside", x, f"{role}_se")
        x = net.conv(x, width, 3, f"{role}_conv2")
        return net.norm(x, f"{role}_bn2")

    shortcut = x
    if net.channels(x) != width:
        shortcut = net.relu(x, "shortcut_relu")
        shortcut = _two_paths(net, shortcut, width, place.stride)
    x = net.relu(net.attention("pre", x), "relu")
    return _add(spec, net, branch, x, shortcut, place)


def _two_paths(net, x, channels, stride):
    """Two strided 1x1 convolutions that see different pixels, and batch norm."""
    shifted = net.pad(x, ((1, 0), (1, 0)), "shortcut_shift_pad")
    shifted = net.apply(
        keras.layers.Cropping2D,
        shifted,
        "shortcut_shift_crop",
        cropping=((0, 1), (0, 1)),
        data_format=net.data_format,
    )
    paths = [
        net.conv(path, channels // 2, 1, f"shortcut_conv{i}", stride=stride)
        for i, path in enumerate((x, shifted), 1)
    ]
    return net.norm(net.concat(paths, "shortcut_concat"), "shortcut_bn")


def _resnext(spec, net, x, place):
    """Returns `relu(x + mix(branches(x)))`."""
    width = spec.width << (place.stage - 1)

    def branch(x, role):
        x = net.conv(x, width * spec.groups, 1, f"{role}_conv1")
        x = net.norm(x, f"{role}_bn1")
        x = net.relu(x, f"{role}_relu1")
        x = net.conv(
            x,
            width * spec.groups,
            3,
            f"{role}_conv2",
            stride=place.stride,
            groups=spec.groups,
        )
        x = net.norm(x, f"{role}_bn2")
        x = net.relu(x, f"{role}_relu2")
        x = net.attention("inside", x, f"{role}_se")
        x = net.conv(x, 4 * width, 1, f"{role}_conv3")
        return net.norm(x, f"{role}_bn3")

    shortcut = x
    if net.channels(x) != 4 * width:
        shortcut = net.conv(x, 4 * width, 1, "shortcut_conv", stride=place.stride)
        shortcut = net.norm(shortcut, "shortcut_bn")
    return _add(spec, net, branch, net.attention("pre", x), shortcut, place)


# The block, and whether it starts with a ReLU or ends with one.
BLOCKS = {"basic": (_basic, True), "resnext": (_resnext, False)}


def _add(spec, net, branch, x, shortcut, place):
    """Adds the mix of two branches to the shortcut."""
    branches = [branch(x, f"branch{i}") for i in (1, 2)]
    x = net.apply(ShakeShake, branches, "shake", backward=spec.backward)
    x = net.attention("standard", x)
    x = net.drop_branch(x, place.depth)
    x = net.add(x, net.attention("identity", shortcut), "add")
    if not BLOCKS[spec.block][1]:
        x = net.relu(x, "out")
    return net.attention("post", x)


NETWORKS = {
    "se_shake_shake_26_2x96d": ("SEShakeShake26_2x96d", ShakeShakeSpec()),
    "se_shake_even_29_2x4x64d": (
        "SEShakeEven29_2x4x64d",
        ShakeShakeSpec(
            block="resnext",
            depths=(3, 3, 3),
            width=64,
            groups=4,
            stem=64,
            backward="even",
        ),
    ),
}

FAMILY = Family(
    name="Shake-Shake",
    spec=ShakeShakeSpec,
    features=features,
    networks=NETWORKS,
    references=(
        "[Gastaldi 2017, Shake-Shake "
        "regularization](https://arxiv.org/abs/1705.07485) and its release, "
        "xgastaldi/shake-shake: 26 2x96d (Shake-Shake-Image) and 29 2x4x64d "
        "(Shake-Even-Image).",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), tables 4 and 5.",
    ),
)

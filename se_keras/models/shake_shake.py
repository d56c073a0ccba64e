"""Shake-Shake networks for CIFAR: two residual branches, mixed at random in training.

SE sits on the mix, before it is added to the shortcut: as in a ResNeXt, whose 32 paths
are summed before their one SE, the two branches together are the residual branch.

References:
    - [Gastaldi 2017, Shake-Shake regularization](https://arxiv.org/abs/1705.07485) and
      its release, xgastaldi/shake-shake: 26 2x96d (Shake-Shake-Image) and 29 2x4x64d
      (Shake-Even-Image).
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      tables 4 and 5.
"""

import dataclasses
import functools

import keras

from se_keras.layers import ShakeShake, SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.preprocessing import CIFAR
from se_keras.models.registry import register
from se_keras.models.stages import block_places


@dataclasses.dataclass(frozen=True)
class ShakeShakeSpec(NetworkSpec):
    """One network of the family.

    Attributes:
        block: A key of `BLOCKS`: `"basic"` (two 3x3 behind a rectifier, which the
            release has for CIFAR-10) or `"resnext"` (1x1, grouped 3x3, 1x1 before a
            rectifier, which it has for CIFAR-100).
        depths: Number of blocks of each stage.
        width: Width of the first stage; each further stage has twice the width.
        groups: Groups of the 3x3 convolution of a `"resnext"` block. Each has as many
            channels as its stage is wide; the block has 4 times as many outputs.
        stem: Filters of the first convolution.
        backward: Shares in the backward pass, see `ShakeShake`.
    """

    block: str = "basic"
    depths: tuple[int, ...] = (4, 4, 4)
    width: int = 96
    groups: int = 1
    stem: int = 16
    backward: str = "shake"


def features(spec: ShakeShakeSpec, blocks: Blocks, x, attention: Attention) -> dict:
    """Applies the network up to its last rectifier.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: What enters each block; with the placement `"inside"` each of its
            branches.

    Returns:
        The output of each stage by the name of its level, from `P0` with stride 1.
    """
    block, starts_with_relu = BLOCKS[spec.block]
    x = blocks.conv(x, spec.stem, 3, "stem_conv")
    x = blocks.norm(x, "stem_bn")
    if not starts_with_relu:
        x = blocks.relu(x, "stem_relu")
    outputs = {}
    for place in block_places(spec.depths):
        x = block(spec, blocks, x, attention, place)
        outputs[f"P{place.stage - 1}"] = x
    if starts_with_relu:
        outputs[f"P{len(spec.depths) - 1}"] = blocks.relu(x, "final_relu")
    return outputs


def _basic(spec, blocks, x, attention, place):
    """Returns `x + mix(branches(relu(x)))`."""
    name, width = place.name, spec.width << (place.stage - 1)
    se = functools.partial(attention, stage=place.stage)

    def branch(x, name):
        x = blocks.conv(x, width, 3, f"{name}_conv1", stride=place.stride)
        x = blocks.norm(x, f"{name}_bn1")
        x = blocks.relu(x, f"{name}_relu1")
        x = se("inside", x, name=f"{name}_se")
        x = blocks.conv(x, width, 3, f"{name}_conv2")
        return blocks.norm(x, f"{name}_bn2")

    shortcut = x
    if blocks.channels(x) != width:
        shortcut = blocks.relu(x, f"{name}_shortcut_relu")
        shortcut = _two_paths(blocks, shortcut, width, place.stride, f"{name}_shortcut")
    x = blocks.relu(se("pre", x, name=f"{name}_se"), f"{name}_relu")
    return _add(spec, blocks, branch, x, shortcut, se, place)


def _two_paths(blocks, x, channels, stride, name):
    """Two strided 1x1 convolutions that see different pixels, and batch norm."""
    shifted = blocks.pad(x, ((1, 0), (1, 0)), f"{name}_shift_pad")
    shifted = keras.layers.Cropping2D(
        ((0, 1), (0, 1)),
        data_format=blocks.data_format,
        dtype=blocks.dtype,
        name=f"{name}_shift_crop",
    )(shifted)
    paths = [
        blocks.conv(path, channels // 2, 1, f"{name}_conv{i}", stride=stride)
        for i, path in enumerate((x, shifted), 1)
    ]
    return blocks.norm(blocks.concat(paths, f"{name}_concat"), f"{name}_bn")


def _resnext(spec, blocks, x, attention, place):
    """Returns `relu(x + mix(branches(x)))`."""
    name, width = place.name, spec.width << (place.stage - 1)
    se = functools.partial(attention, stage=place.stage)

    def branch(x, name):
        x = blocks.conv(x, width * spec.groups, 1, f"{name}_conv1")
        x = blocks.norm(x, f"{name}_bn1")
        x = blocks.relu(x, f"{name}_relu1")
        x = blocks.conv(
            x,
            width * spec.groups,
            3,
            f"{name}_conv2",
            stride=place.stride,
            groups=spec.groups,
        )
        x = blocks.norm(x, f"{name}_bn2")
        x = blocks.relu(x, f"{name}_relu2")
        x = se("inside", x, name=f"{name}_se")
        x = blocks.conv(x, 4 * width, 1, f"{name}_conv3")
        return blocks.norm(x, f"{name}_bn3")

    shortcut = x
    if blocks.channels(x) != 4 * width:
        conv = f"{name}_shortcut_conv"
        shortcut = blocks.conv(x, 4 * width, 1, conv, stride=place.stride)
        shortcut = blocks.norm(shortcut, f"{name}_shortcut_bn")
    x = se("pre", x, name=f"{name}_se")
    return _add(spec, blocks, branch, x, shortcut, se, place)


# The block, and whether it starts with a rectifier or ends with one.
BLOCKS = {"basic": (_basic, True), "resnext": (_resnext, False)}


def _add(spec, blocks, branch, x, shortcut, se, place):
    """Adds the mix of two branches to the shortcut."""
    name = place.name
    x = ShakeShake(backward=spec.backward, dtype=blocks.dtype, name=f"{name}_shake")(
        [branch(x, f"{name}_branch{i}") for i in (1, 2)]
    )
    x = se("standard", x, name=f"{name}_se")
    x = blocks.drop_branch(x, place.depth, f"{name}_drop_path")
    shortcut = se("identity", shortcut, name=f"{name}_se")
    x = blocks.add(x, shortcut, f"{name}_add")
    if not BLOCKS[spec.block][1]:
        x = blocks.relu(x, f"{name}_out")
    return se("post", x, name=f"{name}_se")


# By the keys of the registry, with the names of the constructors.
SPECS = {
    "shake_shake_26_2x96d": ("ShakeShake26_2x96d", ShakeShakeSpec()),
    "shake_even_29_2x4x64d": (
        "ShakeEven29_2x4x64d",
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

for _name, (_constructor, _spec) in SPECS.items():
    register(
        _constructor,
        features,
        _spec,
        name=_name,
        preprocessing=CIFAR,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
    )

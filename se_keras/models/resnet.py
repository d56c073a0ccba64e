"""ResNets with and without SE: a table of specs and the builder that reads it.

References:
    - [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      section 3.3: SE on the residual branch, after the last batch norm and before
      the addition; and its original release for Caffe.
    - timm's `resnet.py` and `senet.py`, whose networks those for ImageNet are.
"""

import dataclasses
import functools
import math

from se_keras.layers import SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.preprocessing import CIFAR, IMAGENET
from se_keras.models.registry import register
from se_keras.models.stages import relative_depth


@dataclasses.dataclass(frozen=True)
class Stem:
    """What comes before the first stage.

    Attributes:
        filters: Filters of each convolution.
        kernel_size: Kernel of each convolution, in pixels.
        stride: Stride of the first convolution.
        pool: A key of `STEM_POOLS`, or `None`.
    """

    filters: tuple[int, ...] = (64,)
    kernel_size: int = 7
    stride: int = 2
    pool: str | None = "max"


@dataclasses.dataclass(frozen=True)
class ResNetSpec(NetworkSpec):
    """One network of the family.

    Attributes:
        block: A key of `BLOCKS`: `"basic"` (two 3x3) or `"bottleneck"` (1x1, 3x3, 1x1).
        depths: Number of blocks of each stage.
        widths: Width of each stage; a bottleneck block has 4 times as many
            output channels.
        stem: What comes before the first stage.
        groups: Groups of the 3x3 convolution of a bottleneck (ResNeXt's cardinality).
        group_width: Channels of a group where the stage's width is 64.
        stride_in: Which convolution of a bottleneck has the stride, `"1x1"` (He et al.,
            Caffe) or `"3x3"`.
        reduce_first: The first 1x1 of a bottleneck has this part of the 3x3's width.
        shortcut: A key of `SHORTCUTS`: what happens where shapes differ.
        anti_alias: Whether the strided 3x3 runs at stride 1, and a 2x2 average pool
            follows its activation.
        relu_before_se: Whether the residual branch ends with a rectifier, as in the
            basic blocks of the Caffe release.
    """

    block: str = "bottleneck"
    depths: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Stem = Stem()
    groups: int = 1
    group_width: int = 64
    stride_in: str = "3x3"
    reduce_first: int = 1
    shortcut: str = "projection"
    anti_alias: bool = False
    relu_before_se: bool = False

    @property
    def stem_stride(self) -> int:
        """Stride of the first stage's feature map."""
        return self.stem.stride * (2 if self.stem.pool else 1)

    @property
    def output_stride(self) -> int:
        """Stride of the last stage's feature map, without dilation."""
        return self.stem_stride * 2 ** (len(self.depths) - 1)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a block is: what its parts need beside the spec.

    Attributes:
        name: Prefix of the names of its layers.
        stage: Number of its stage, from 1.
        width: Width of its stage.
        stride: Stride of the block.
        first_dilation: Dilation of its first 3x3 convolution.
        dilation: Dilation of the others.
        depth: Where it is, from 0, the first block of all, to 1, the last.
    """

    name: str
    stage: int
    width: int
    stride: int
    first_dilation: int
    dilation: int
    depth: float


def features(
    spec: ResNetSpec,
    blocks: Blocks,
    x,
    attention: Attention,
    output_stride: int | None = None,
) -> dict:
    """Applies the network up to the output of its last stage.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: What enters each block.
        output_stride: Stride of the last feature map; below 32, later stages have
            dilated convolutions in place of strides. Defaults to the network's own.

    Returns:
        The output of each stage by the name of its level: `P2` has stride 4 in the
        undilated network.
    """
    residual, expansion = BLOCKS[spec.block]
    x = _stem(spec.stem, blocks, x)
    net_stride = spec.stem_stride
    output_stride = output_stride or spec.output_stride
    level = int(math.log2(net_stride))
    outputs, dilation = {}, 1
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True)):
        stride, first_dilation = (1 if stage == 0 else 2), dilation
        if net_stride * stride > output_stride:
            stride, dilation = 1, dilation * stride
        net_stride *= stride
        for block in range(depth):
            place = Place(
                f"stage{stage + 1}_block{block + 1}",
                stage + 1,
                width,
                stride if block == 0 else 1,
                first_dilation if block == 0 else dilation,
                dilation,
                relative_depth(spec.depths, stage + 1, block + 1),
            )
            x = _block(spec, blocks, x, attention, residual, width * expansion, place)
        outputs[f"P{level + stage}"] = x
    return outputs


def _block(spec, blocks, x, attention, residual, channels, place):
    se = functools.partial(attention, stage=place.stage, name=f"{place.name}_se")
    branch = residual(spec, blocks, se("pre", x), se, place)
    branch = se("standard", branch)
    branch = blocks.drop_branch(branch, place.depth, f"{place.name}_drop_path")
    shortcut = x
    if (
        place.stride > 1
        or blocks.channels(x) != channels
        or place.first_dilation != place.dilation
    ):
        shortcut = SHORTCUTS[spec.shortcut](blocks, x, channels, place)
    x = blocks.add(branch, se("identity", shortcut), f"{place.name}_add")
    return se("post", blocks.relu(x, f"{place.name}_out"))


def _basic(spec, blocks, x, se, place):
    name, width = place.name, place.width
    x = blocks.conv(
        x,
        width,
        3,
        f"{name}_conv1",
        stride=place.stride,
        dilation=place.first_dilation,
    )
    x = blocks.norm(x, f"{name}_bn1")
    x = se("inside", blocks.relu(x, f"{name}_relu1"))
    x = blocks.conv(x, width, 3, f"{name}_conv2", dilation=place.dilation)
    x = blocks.norm(x, f"{name}_bn2")
    return blocks.relu(x, f"{name}_relu2") if spec.relu_before_se else x


def _bottleneck(spec, blocks, x, se, place):
    name = place.name
    width = place.width * spec.group_width // 64 * spec.groups
    anti_alias = spec.anti_alias and place.stride > 1
    stride_1x1 = place.stride if spec.stride_in == "1x1" else 1
    stride_3x3 = place.stride if spec.stride_in == "3x3" and not anti_alias else 1
    x = blocks.conv(
        x, width // spec.reduce_first, 1, f"{name}_conv1", stride=stride_1x1
    )
    x = blocks.norm(x, f"{name}_bn1")
    x = blocks.relu(x, f"{name}_relu1")
    x = blocks.conv(
        x,
        width,
        3,
        f"{name}_conv2",
        stride=stride_3x3,
        groups=spec.groups,
        dilation=place.first_dilation,
    )
    x = blocks.norm(x, f"{name}_bn2")
    x = blocks.relu(x, f"{name}_relu2")
    if anti_alias:
        if any(side and side % 2 for side in blocks.sides(x)):
            # The pool would drop a row that the shortcut's pool keeps.
            raise ValueError(
                "The anti-aliased networks halve feature maps of even size only: "
                "height and width of images must be multiples of 32. Received: a "
                f"feature map of shape {x.shape} before {name}_aa"
            )
        x = blocks.avg_pool(x, 2, 2, f"{name}_aa")
    x = se("inside", x)
    x = blocks.conv(x, 4 * place.width, 1, f"{name}_conv3")
    return blocks.norm(x, f"{name}_bn3")


# The residual branch of a block, and its output channels for a width of 1.
BLOCKS = {"basic": (_basic, 1), "bottleneck": (_bottleneck, 4)}


def _projection(blocks, x, channels, place, kernel_size=1):
    """1x1 convolution; in SENet-154 3x3 where there is a stride or a dilation."""
    if place.stride == 1 and place.dilation == 1:
        kernel_size = 1
    name = f"{place.name}_shortcut"
    x = blocks.conv(
        x,
        channels,
        kernel_size,
        f"{name}_conv",
        stride=place.stride,
        dilation=place.first_dilation if kernel_size > 1 else 1,
    )
    return blocks.norm(x, f"{name}_bn")


def _pooled_projection(blocks, x, channels, place):
    """Average pool before a 1x1 convolution of stride 1 (He et al. 2018, ResNet-D)."""
    name = f"{place.name}_shortcut"
    if place.stride > 1:
        # The windows at the border average what they have, as ceil_mode does.
        x = blocks.avg_pool(x, 2, place.stride, f"{name}_pool", padding="same")
    elif place.dilation > 1:
        # timm counts the zeros here.
        x = blocks.pad(x, ((0, 1), (0, 1)), f"{name}_pool_pad")
        x = blocks.avg_pool(x, 2, 1, f"{name}_pool")
    x = blocks.conv(x, channels, 1, f"{name}_conv")
    return blocks.norm(x, f"{name}_bn")


def _padding(blocks, x, channels, place):
    """Subsampling and zero channels: option A of He et al. 2015, no parameters."""
    name = f"{place.name}_shortcut"
    if place.stride > 1:
        x = blocks.max_pool(x, 1, place.stride, f"{name}_subsample")
    return blocks.pad_channels(x, channels, f"{name}_pad")


SHORTCUTS = {
    "projection": _projection,
    "projection_3x3": functools.partial(_projection, kernel_size=3),
    "pooled_projection": _pooled_projection,
    "padding": _padding,
}


def _stem(stem: Stem, blocks: Blocks, x):
    for i, filters in enumerate(stem.filters):
        index = i + 1 if len(stem.filters) > 1 else ""
        stride = stem.stride if i == 0 else 1
        x = blocks.conv(
            x, filters, stem.kernel_size, f"stem_conv{index}", stride=stride
        )
        x = blocks.norm(x, f"stem_bn{index}")
        x = blocks.relu(x, f"stem_relu{index}")
    return STEM_POOLS[stem.pool](blocks, x) if stem.pool else x


def _conv_pool(blocks, x):
    x = blocks.conv(x, blocks.channels(x), 3, "stem_pool_conv", stride=2)
    x = blocks.norm(x, "stem_pool_bn")
    return blocks.relu(x, "stem_pool_relu")


STEM_POOLS = {
    "max": lambda blocks, x: blocks.max_pool(x, 3, 2, "stem_pool", margin=1),
    # Caffe's: windows that overhang on the bottom right only. Exact for odd sizes too.
    "max_ceil": lambda blocks, x: blocks.max_pool(
        x, 3, 2, "stem_pool", margin=((0, 1), (0, 1))
    ),
    "avg": lambda blocks, x: blocks.avg_pool(x, 2, 2, "stem_pool"),
    "conv": _conv_pool,
}

STEM_CIFAR = Stem((16,), kernel_size=3, stride=1, pool=None)
STEM_CAFFE = Stem(pool="max_ceil")
STEM_D = Stem((32, 32, 64), kernel_size=3)
STEM_T = Stem((24, 32, 64), kernel_size=3)
STEM_D_AA = Stem((32, 32, 64), kernel_size=3, pool="avg")
STEM_WIDE_AA = Stem((64, 64, 128), kernel_size=3, pool="avg")
STEM_RS = Stem((32, 32, 64), kernel_size=3, pool="conv")
STEM_154 = Stem((64, 64, 128), kernel_size=3)
STEM_154_CAFFE = Stem((64, 64, 128), kernel_size=3, pool="max_ceil")

DEPTHS = {
    18: (2, 2, 2, 2),
    26: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    154: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
    201: (3, 24, 36, 4),
    269: (3, 30, 48, 8),
    270: (4, 29, 53, 4),
    350: (4, 36, 72, 4),
    420: (4, 44, 87, 4),
}


def _spec(depth: int, **fields) -> ResNetSpec:
    block = "basic" if depth < 26 or depth == 34 else "bottleneck"
    return ResNetSpec(**{"block": block, "depths": DEPTHS[depth], **fields})


def _resnext(depth: int, groups: int, group_width: int, **fields) -> ResNetSpec:
    return _spec(depth, groups=groups, group_width=group_width, **fields)


_POOLED = {"shortcut": "pooled_projection"}
_D = {"stem": STEM_D, **_POOLED}
_AA = {"stem": STEM_D_AA, "anti_alias": True, **_POOLED}
_CAFFE = {"stem": STEM_CAFFE, "stride_in": "1x1"}
_154 = {"shortcut": "projection_3x3", "reduce_first": 2}

# timm's `resnet.py`. The keys are the registry names, written as constructors.
TIMM_SPECS = {
    "ResNet18": _spec(18),
    "ResNet34": _spec(34),
    "ResNet50": _spec(50),
    "ResNet101": _spec(101),
    "ResNet152": _spec(152),
    "ResNet50t": _spec(50, stem=STEM_T, **_POOLED),
    "ResNet152d": _spec(152, **_D),
    "ResNet200d": _spec(200, **_D),
    "ResNet269d": _spec(269, **_D),
    "ResNetAA50d": _spec(50, **_AA),
    "ResNeXt26d_32x4d": _resnext(26, 32, 4, **_D),
    "ResNeXt26t_32x4d": _resnext(26, 32, 4, stem=STEM_T, **_POOLED),
    "ResNeXt50_32x4d": _resnext(50, 32, 4),
    "ResNeXt101_32x4d": _resnext(101, 32, 4),
    "ResNeXt101_32x8d": _resnext(101, 32, 8),
    "ResNeXt101_64x4d": _resnext(101, 64, 4),
    "ResNeXt101d_32x8d": _resnext(101, 32, 8, **_D),
    "ResNeXtAA101d_32x8d": _resnext(101, 32, 8, **_AA),
    "ResNeXtAA201d_32x8d": _resnext(201, 32, 8, **{**_AA, "stem": STEM_WIDE_AA}),
}

# The networks of the original release (hujie-frank/SENet), timm's `senet.py`.
CAFFE_SPECS = {
    "ResNet18_Caffe": _spec(18, stem=STEM_CAFFE, relu_before_se=True),
    "ResNet34_Caffe": _spec(34, stem=STEM_CAFFE, relu_before_se=True),
    "ResNet50_Caffe": _spec(50, **_CAFFE),
    "ResNet101_Caffe": _spec(101, **_CAFFE),
    "ResNet152_Caffe": _spec(152, **_CAFFE),
    "ResNeXt26_32x4d_Caffe": _resnext(26, 32, 4, stem=STEM_CAFFE),
    "ResNeXt50_32x4d_Caffe": _resnext(50, 32, 4, stem=STEM_CAFFE),
    "ResNeXt101_32x4d_Caffe": _resnext(101, 32, 4, stem=STEM_CAFFE),
}

# SENet-154 (the paper, section 6.6 and appendix): in timm's form and in Caffe's.
SENET_SPECS = {
    "SENet154": _resnext(154, 64, 4, stem=STEM_154, **_154),
    "SENet154_Caffe": _resnext(154, 64, 4, stem=STEM_154_CAFFE, dropout=0.2, **_154),
}

# Bello et al. 2021, Revisiting ResNets.
RS_SPECS = {
    f"ResNetRS{depth}": _spec(depth, stem=STEM_RS, **_POOLED)
    for depth in (50, 101, 152, 200, 270, 350, 420)
}

# He et al. section 4.2: 6n + 2 layers, three stages of n blocks.
CIFAR_SPECS = {
    f"ResNet{6 * n + 2}": ResNetSpec(
        block="basic",
        depths=(n, n, n),
        widths=(16, 32, 64),
        stem=STEM_CIFAR,
        shortcut="padding",
    )
    for n in (3, 5, 7, 9, 18)
}

SE_PAPER = functools.partial(SqueezeExcite, ratio=16)
SE_TIMM = functools.partial(SqueezeExcite, ratio=16, divisor=8)
SE_RS = functools.partial(SqueezeExcite, ratio=4, divisor=8)


def _register(specs, squeeze_excite, preprocessing=IMAGENET, **options):
    for key, spec in specs.items():
        register(
            # 32x4d is the ResNeXt of the paper, which its constructors need not say.
            key.replace("_32x4d", ""),
            features,
            spec,
            name=key.lower(),
            preprocessing=preprocessing,
            squeeze_excite=squeeze_excite,
            **options,
        )


_register(TIMM_SPECS, SE_TIMM)
_register(CAFFE_SPECS, SE_PAPER)
_register(SENET_SPECS, SE_PAPER, has_se_name=True)
_register(RS_SPECS, SE_RS, has_se_name=True)
_register(CIFAR_SPECS, SE_PAPER, preprocessing=CIFAR)

"""ResNets with and without SE: a table of specs and the builder that reads it."""

import dataclasses
import functools
import math
from typing import Any

from se_keras.layers import SqueezeExcite
from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family, StateDictFormat
from se_keras.models.preprocessing import CIFAR
from se_keras.models.spec import NetworkSpec, check_integer, check_integers, check_key
from se_keras.models.stages import block_places
from se_keras.models.structure import CLASSIFIER, STEM, Part, Structure

OUTPUT_STRIDES = (8, 16, 32)
# Fields that a basic block does not have.
_OF_BOTTLENECKS = ("groups", "group_width", "stride_in", "reduce_first", "anti_alias")


@dataclasses.dataclass(frozen=True)
class Stem:
    """What comes before the first stage of a ResNet.

    Attributes:
        filters: Filters of each convolution.
        kernel_size: Kernel size of each convolution, in pixels.
        stride: Stride of the first convolution.
        pool: What follows the convolutions: `"max"` (3x3, stride 2), `"max_ceil"` (the
            same with Caffe's padding), `"avg"` (2x2, stride 2), `"conv"` (a 3x3
            convolution of stride 2), or `None`.
    """

    filters: tuple[int, ...] = (64,)
    kernel_size: int = 7
    stride: int = 2
    pool: str | None = "max"

    def __post_init__(self):
        check_integers("filters", self.filters)
        check_integer("kernel_size", self.kernel_size)
        check_integer("stride", self.stride)
        check_key("pool", self.pool, (*STEM_POOLS, None))


@dataclasses.dataclass(frozen=True)
class ResNetSpec(NetworkSpec):
    """A ResNet, ResNeXt or SENet-154: what `create_model` and `register` take.

    Attributes:
        block: `"basic"` (two 3x3 convolutions) or `"bottleneck"` (1x1, 3x3, 1x1).
        depths: Number of blocks of each stage.
        widths: Width of each stage, as many as `depths`; a bottleneck block has 4
            times as many output channels.
        stem: What comes before the first stage.
        groups: Groups of the 3x3 convolution of a bottleneck (ResNeXt's cardinality).
        group_width: Channels of a group where the stage's width is 64.
        stride_in: Which convolution of a bottleneck has the stride, `"1x1"` (He et al.,
            Caffe) or `"3x3"`.
        reduce_first: Width of the 3x3 convolution of a bottleneck, divided by that of
            the first 1x1.
        shortcut: What the shortcut does where shapes differ: `"projection"` (a 1x1
            convolution), `"projection_3x3"` (3x3 where there is a stride),
            `"pooled_projection"` (average pool and 1x1, ResNet-D) or `"padding"`
            (channels of zeros).
        anti_alias: Whether the strided 3x3 runs at stride 1, and a 2x2 average pool
            follows its activation.
        relu_before_se: Whether the residual branch ends with a ReLU, as in the basic
            blocks of the Caffe release.
        attention: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.

    Reference:
        [He et al. 2015](https://arxiv.org/abs/1512.03385);
        [Hu et al. 2017](https://arxiv.org/abs/1709.01507), section 3.3: SE on the
        residual branch, after the last batch norm and before the addition.

    Example:

    ```python
    stem = Stem((32,), kernel_size=3)
    spec = ResNetSpec(block="basic", depths=(1, 1, 1, 1), stem=stem)
    model = create_model(spec, classes=10, input_shape=(64, 64, 3))
    ```
    """

    block: str = "bottleneck"
    depths: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Stem = dataclasses.field(default_factory=Stem)
    groups: int = 1
    group_width: int = 64
    stride_in: str = "3x3"
    reduce_first: int = 1
    shortcut: str = "projection"
    anti_alias: bool = False
    relu_before_se: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_key("block", self.block, BLOCKS)
        check_key("shortcut", self.shortcut, SHORTCUTS)
        check_key("stride_in", self.stride_in, ("1x1", "3x3"))
        check_integers("depths", self.depths)
        check_integers("widths", self.widths, "depths", len(self.depths))
        for name in ("groups", "group_width", "reduce_first"):
            check_integer(name, getattr(self, name))
        for field in dataclasses.fields(self):
            if self.block == "basic" and field.name in _OF_BOTTLENECKS:
                value = getattr(self, field.name)
                if value != field.default:
                    raise ValueError(
                        f"Field `{field.name}` is for block='bottleneck'. "
                        f"Received: {field.name}={value!r} with block='basic'"
                    )
        if not isinstance(self.stem, Stem):
            raise ValueError(f"Field `stem` must be a `Stem`. Received: {self.stem!r}")

    @property
    def stem_stride(self) -> int:
        """Stride of the first stage's feature map."""
        return self.stem.stride * (2 if self.stem.pool else 1)

    @property
    def output_strides(self) -> tuple[int, ...]:
        """8, 16 and 32 for a network whose last feature map has stride 32 or more."""
        stride = self.stem_stride * 2 ** (len(self.depths) - 1)
        return OUTPUT_STRIDES if stride >= max(OUTPUT_STRIDES) else ()


def features(spec: ResNetSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to the output of its last stage.

    Args:
        spec: The network.
        net: The layers to build with. With its `output_stride` below that of the
            network, later stages have dilated convolutions instead of strides.
        x: Image tensor.

    Returns:
        The output of each stage by the name of its level: `P2` has stride 4 in the
        undilated network.
    """
    with net.part("stem"):
        x = _stem(spec.stem, net, x)
    first_level = int(math.log2(spec.stem_stride))
    outputs = {}
    for place in block_places(
        spec.depths, stem_stride=spec.stem_stride, output_stride=net.output_stride
    ):
        with net.block(place):
            x = _block(spec, net, x, place)
        outputs[f"P{first_level + place.stage - 1}"] = x
    return outputs


def _block(spec, net, x, place):
    residual, expansion = BLOCKS[spec.block]
    width = spec.widths[place.stage - 1]
    branch = residual(spec, net, net.attention("pre", x), width, place)
    branch = net.attention("standard", branch)
    branch = net.drop_branch(branch, place.depth)
    shortcut = x
    if (
        place.stride > 1
        or net.channels(x) != width * expansion
        or place.first_dilation != place.dilation
    ):
        shortcut = SHORTCUTS[spec.shortcut](net, x, width * expansion, place)
    x = net.add(branch, net.attention("identity", shortcut), "add")
    return net.attention("post", net.relu(x, "out"))


def _basic(spec, net, x, width, place):
    stride, dilation = place.stride, place.first_dilation
    x = net.conv(x, width, 3, "conv1", stride=stride, dilation=dilation)
    x = net.norm(x, "bn1")
    x = net.attention("inside", net.relu(x, "relu1"))
    x = net.conv(x, width, 3, "conv2", dilation=place.dilation)
    x = net.norm(x, "bn2")
    return net.relu(x, "relu2") if spec.relu_before_se else x


def _bottleneck(spec, net, x, width, place):
    inner = width * spec.group_width // 64 * spec.groups
    anti_alias = spec.anti_alias and place.stride > 1
    stride_1x1 = place.stride if spec.stride_in == "1x1" else 1
    stride_3x3 = place.stride if spec.stride_in == "3x3" and not anti_alias else 1
    x = net.conv(x, inner // spec.reduce_first, 1, "conv1", stride=stride_1x1)
    x = net.norm(x, "bn1")
    x = net.relu(x, "relu1")
    x = net.conv(
        x,
        inner,
        3,
        "conv2",
        stride=stride_3x3,
        groups=spec.groups,
        dilation=place.first_dilation,
    )
    x = net.norm(x, "bn2")
    x = net.relu(x, "relu2")
    if anti_alias:
        if any(size and size % 2 for size in net.size(x)):
            # The pool would drop a row that the shortcut's pool keeps.
            raise ValueError(
                "The anti-aliased networks halve feature maps of even size only: "
                "height and width of images must be multiples of 32. Received: a "
                f"feature map of height and width {net.size(x)} before a pool of "
                f"{place.name}"
            )
        x = net.avg_pool(x, 2, 2, "aa")
    x = net.attention("inside", x)
    x = net.conv(x, 4 * width, 1, "conv3")
    return net.norm(x, "bn3")


# The residual branch of a block, and its output channels for a width of 1.
BLOCKS = {"basic": (_basic, 1), "bottleneck": (_bottleneck, 4)}


def _projection(net, x, channels, place, kernel_size=1):
    """1x1 convolution; in SENet-154 3x3 where there is a stride or a dilation."""
    if place.stride == 1 and place.dilation == 1:
        kernel_size = 1
    x = net.conv(
        x,
        channels,
        kernel_size,
        "shortcut_conv",
        stride=place.stride,
        dilation=place.first_dilation if kernel_size > 1 else 1,
    )
    return net.norm(x, "shortcut_bn")


def _pooled_projection(net, x, channels, place):
    """Average pool before a 1x1 convolution of stride 1 (He et al. 2018, ResNet-D)."""
    if place.stride > 1:
        # The windows at the border average what they have, as ceil_mode does.
        x = net.avg_pool(x, 2, place.stride, "shortcut_pool", padding="same")
    elif place.dilation > 1:
        # timm counts the zeros here.
        x = net.pad(x, ((0, 1), (0, 1)), "shortcut_pool_pad")
        x = net.avg_pool(x, 2, 1, "shortcut_pool")
    x = net.conv(x, channels, 1, "shortcut_conv")
    return net.norm(x, "shortcut_bn")


def _padding(net, x, channels, place):
    """Subsampling and zero channels: option A of He et al. 2015, no parameters."""
    if place.stride > 1:
        x = net.max_pool(x, 1, place.stride, "shortcut_subsample")
    return net.pad_channels(x, channels, "shortcut_pad")


SHORTCUTS = {
    "projection": _projection,
    "projection_3x3": functools.partial(_projection, kernel_size=3),
    "pooled_projection": _pooled_projection,
    "padding": _padding,
}


def _stem(stem: Stem, net: NetworkBuilder, x):
    for i, filters in enumerate(stem.filters):
        index = i + 1 if len(stem.filters) > 1 else ""
        stride = stem.stride if i == 0 else 1
        x = net.conv(x, filters, stem.kernel_size, f"conv{index}", stride=stride)
        x = net.norm(x, f"bn{index}")
        x = net.relu(x, f"relu{index}")
    return STEM_POOLS[stem.pool](net, x) if stem.pool else x


def _conv_pool(net, x):
    x = net.conv(x, net.channels(x), 3, "pool_conv", stride=2)
    x = net.norm(x, "pool_bn")
    return net.relu(x, "pool_relu")


STEM_POOLS = {
    "max": lambda net, x: net.max_pool(x, 3, 2, "pool", zeros=1),
    # Caffe's: windows that overhang on the bottom right only. Exact for odd sizes too.
    "max_ceil": lambda net, x: net.max_pool(x, 3, 2, "pool", zeros=((0, 1), (0, 1))),
    "avg": lambda net, x: net.avg_pool(x, 2, 2, "pool"),
    "conv": _conv_pool,
}


def traits(spec: ResNetSpec) -> dict:
    """Returns what the weights of a network do not show."""
    return {
        "caffe_pool": spec.stem.pool == "max_ceil",
        "strided_1x1": spec.block == "bottleneck" and spec.stride_in == "1x1",
        "anti_alias": spec.anti_alias,
    }


def timm_modules(structure: Structure, *, legacy: bool) -> dict[str, str]:
    """Returns timm's module for each layer with weights.

    Args:
        structure: The network.
        legacy: Whether the modules are those of timm's `senet.py`, which has the
            networks of the Caffe release, or those of its `resnet.py`.
    """
    # Where a pool comes first in the shortcuts it counts, also in stage 1, where it
    # does nothing.
    pooled = any("shortcut_pool" in part.layers for part in structure.parts)
    modules = {CLASSIFIER: "last_linear" if legacy else "fc"}
    for part in structure.parts:
        if part.stage is None:
            continue
        if part.stage == STEM:
            found = _legacy_stem(part) if legacy else _timm_stem(part)
        else:
            found = _timm_block(part, int(pooled), "se_module" if legacy else "se")
        modules |= {
            f"{part.layers[role]}{path}": module
            for (role, path), module in found.items()
            if role in part.layers
        }
    return modules


def _stem_indices(part: Part) -> list:
    """Returns what numbers the convolutions of a stem: nothing if it has one."""
    if "conv" in part.layers:
        return [""]
    return [i for i in range(1, len(part.layers)) if f"conv{i}" in part.layers]


def _legacy_stem(part: Part) -> dict:
    return {
        (f"{kind}{i}", ""): f"layer0.{kind}{i or 1}"
        for i in _stem_indices(part)
        for kind in ("conv", "bn")
    }


def _timm_stem(part: Part) -> dict:
    modules = {("pool_conv", ""): "maxpool.0", ("pool_bn", ""): "maxpool.1"}
    *first, last = _stem_indices(part)
    if not first:
        return {("conv", ""): "conv1", ("bn", ""): "bn1", **modules}
    # A sequence of convolution, norm and activation, three times; its last norm is
    # outside.
    for i in (*first, last):
        modules[f"conv{i}", ""] = f"conv1.{3 * (i - 1)}"
        modules[f"bn{i}", ""] = f"conv1.{3 * (i - 1) + 1}" if i in first else "bn1"
    return modules


def _timm_block(part: Part, first: int, se: str) -> dict:
    block = f"layer{part.stage}.{(part.block or 1) - 1}"
    return {
        **{
            (f"{kind}{i}", ""): f"{block}.{kind}{i}"
            for kind in ("conv", "bn")
            for i in (1, 2, 3)
        },
        # SE, effective SE and ECA.
        **{
            ("se", f"/{layer}"): f"{block}.{se}.{layer}"
            for layer in ("fc1", "fc2", "fc", "conv")
        },
        ("shortcut_conv", ""): f"{block}.downsample.{first}",
        ("shortcut_bn", ""): f"{block}.downsample.{first + 1}",
    }


STATE_DICTS = (
    StateDictFormat(
        functools.partial(timm_modules, legacy=True),
        marker="layer0.",
        classifier="last_linear",
        traits={"caffe_pool": True},
    ),
    StateDictFormat(
        functools.partial(timm_modules, legacy=False),
        marker="layer1.",
        classifier="fc",
        traits={"caffe_pool": False},
    ),
)


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


SE_TIMM = functools.partial(SqueezeExcite, ratio=16, divisor=8)
SE_RS = functools.partial(SqueezeExcite, ratio=4, divisor=8)


def _spec(depth: int, **fields) -> ResNetSpec:
    block = "basic" if depth < 26 or depth == 34 else "bottleneck"
    return ResNetSpec(**{"block": block, "depths": DEPTHS[depth], **fields})


def _resnext(depth: int, groups: int, group_width: int, **fields) -> ResNetSpec:
    return _spec(depth, groups=groups, group_width=group_width, **fields)


_POOLED: dict[str, Any] = {"shortcut": "pooled_projection"}
_D: dict[str, Any] = {"stem": STEM_D, **_POOLED}
_AA: dict[str, Any] = {"stem": STEM_D_AA, "anti_alias": True, **_POOLED}
_CAFFE = {"stem": STEM_CAFFE, "stride_in": "1x1"}
_154 = {"shortcut": "projection_3x3", "reduce_first": 2}


def _timm(depth: int, groups: int = 1, group_width: int = 64, **fields) -> ResNetSpec:
    return _resnext(depth, groups, group_width, attention=SE_TIMM, **fields)


# timm's `resnet.py`.
TIMM = {
    "se_resnet18": ("SEResNet18", _timm(18)),
    "se_resnet34": ("SEResNet34", _timm(34)),
    "se_resnet50": ("SEResNet50", _timm(50)),
    "se_resnet101": ("SEResNet101", _timm(101)),
    "se_resnet152": ("SEResNet152", _timm(152)),
    "se_resnet50t": ("SEResNet50t", _timm(50, stem=STEM_T, **_POOLED)),
    "se_resnet152d": ("SEResNet152d", _timm(152, **_D)),
    "se_resnet200d": ("SEResNet200d", _timm(200, **_D)),
    "se_resnet269d": ("SEResNet269d", _timm(269, **_D)),
    "se_resnetaa50d": ("SEResNetAA50d", _timm(50, **_AA)),
    "se_resnext26d_32x4d": ("SEResNeXt26d", _timm(26, 32, 4, **_D)),
    "se_resnext26t_32x4d": (
        "SEResNeXt26t",
        _timm(26, 32, 4, stem=STEM_T, **_POOLED),
    ),
    "se_resnext50_32x4d": ("SEResNeXt50", _timm(50, 32, 4)),
    "se_resnext101_32x4d": ("SEResNeXt101", _timm(101, 32, 4)),
    "se_resnext101_32x8d": ("SEResNeXt101_32x8d", _timm(101, 32, 8)),
    "se_resnext101_64x4d": ("SEResNeXt101_64x4d", _timm(101, 64, 4)),
    "se_resnext101d_32x8d": ("SEResNeXt101d_32x8d", _timm(101, 32, 8, **_D)),
    "se_resnextaa101d_32x8d": ("SEResNeXtAA101d_32x8d", _timm(101, 32, 8, **_AA)),
    "se_resnextaa201d_32x8d": (
        "SEResNeXtAA201d_32x8d",
        _timm(201, 32, 8, **{**_AA, "stem": STEM_WIDE_AA}),
    ),
}

# Bello et al. 2021, Revisiting ResNets, also of timm's `resnet.py`.
RS = {
    f"resnetrs{depth}": (
        f"ResNetRS{depth}",
        _spec(depth, stem=STEM_RS, attention=SE_RS, **_POOLED),
    )
    for depth in (50, 101, 152, 200, 270, 350, 420)
}

# The networks of the original release (hujie-frank/SENet), timm's `senet.py`.
CAFFE = {
    "se_resnet18_caffe": (
        "SEResNet18_Caffe",
        _spec(18, stem=STEM_CAFFE, relu_before_se=True),
    ),
    "se_resnet34_caffe": (
        "SEResNet34_Caffe",
        _spec(34, stem=STEM_CAFFE, relu_before_se=True),
    ),
    "se_resnet50_caffe": ("SEResNet50_Caffe", _spec(50, **_CAFFE)),
    "se_resnet101_caffe": ("SEResNet101_Caffe", _spec(101, **_CAFFE)),
    "se_resnet152_caffe": ("SEResNet152_Caffe", _spec(152, **_CAFFE)),
    "se_resnext26_32x4d_caffe": (
        "SEResNeXt26_Caffe",
        _resnext(26, 32, 4, stem=STEM_CAFFE),
    ),
    "se_resnext50_32x4d_caffe": (
        "SEResNeXt50_Caffe",
        _resnext(50, 32, 4, stem=STEM_CAFFE),
    ),
    "se_resnext101_32x4d_caffe": (
        "SEResNeXt101_Caffe",
        _resnext(101, 32, 4, stem=STEM_CAFFE),
    ),
    "senet154_caffe": (
        "SENet154_Caffe",
        _resnext(154, 64, 4, stem=STEM_154_CAFFE, dropout=0.2, **_154),
    ),
}

# SENet-154 (the paper, section 6.6 and appendix) in the form of timm's `resnet.py`.
SENET = {"senet154": ("SENet154", _resnext(154, 64, 4, stem=STEM_154, **_154))}

# He et al. section 4.2: 6n + 2 layers, three stages of n blocks.
CIFAR_NETWORKS = {
    f"se_resnet{6 * n + 2}": (
        f"SEResNet{6 * n + 2}",
        ResNetSpec(
            block="basic",
            depths=(n, n, n),
            widths=(16, 32, 64),
            stem=STEM_CIFAR,
            shortcut="padding",
            preprocessing=CIFAR,
        ),
    )
    for n in (3, 5, 7, 9, 18)
}

# Networks without SE that timm has, too; it has the weights of the others with SE only.
_TIMM_PLAIN = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet50t",
    "resnet101",
    "resnet152",
    "resnet152d",
    "resnet200d",
    "resnetaa50d",
    "resnext50_32x4d",
    "resnext101_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
)

FAMILY = Family(
    name="ResNet",
    spec=ResNetSpec,
    fields=(Stem,),
    features=features,
    networks={**TIMM, **CAFFE, **SENET, **RS, **CIFAR_NETWORKS},
    references=(
        "[He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385).",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), section 3.3: SE on the residual "
        "branch, after the last batch norm and before the addition; and its original "
        "release for Caffe.",
        "timm's `resnet.py` and `senet.py`, which have the networks for ImageNet.",
    ),
    traits=traits,
    state_dicts=STATE_DICTS,
    timm_names=frozenset((*TIMM, *CAFFE, *SENET, *RS, *_TIMM_PLAIN)),
)

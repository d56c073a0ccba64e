"""BN-Inception: modules of parallel convolutions whose outputs are concatenated.

SE sits on the output of a whole module, the two with a stride included.

References:
    - [Ioffe and Szegedy 2015, Batch Normalization](https://arxiv.org/abs/1502.03167),
      figure 5.
    - [Hu et al. 2017, Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
      figure 2, and its original release, hujie-frank/SENet, whose network this is.
"""

import dataclasses
import functools

from se_keras.layers import SqueezeExcite
from se_keras.models.attention import Attention
from se_keras.models.blocks import Blocks, NetworkSpec
from se_keras.models.preprocessing import IMAGENET
from se_keras.models.registry import register


@dataclasses.dataclass(frozen=True)
class Module:
    """One module: four branches, or three where it has a stride.

    Attributes:
        name: Its name, `"3a"`.
        stage: Number of its stage, from 1. A stage starts with a stride.
        single: Filters of the 1x1 convolution that is a branch by itself; `None` with
            a stride.
        triple: Filters of the 1x1 and the 3x3 convolution.
        double: Filters of the 1x1 and of each of the two 3x3 convolutions.
        projection: Filters of the 1x1 convolution behind the pool; `None` with a
            stride.
        pool: A key of `POOLS`.
    """

    name: str
    stage: int
    single: int | None
    triple: tuple[int, int]
    double: tuple[int, int]
    projection: int | None
    pool: str = "avg"

    @property
    def stride(self) -> int:
        """Stride of the module."""
        return 1 if self.projection else 2


@dataclasses.dataclass(frozen=True)
class BNInceptionSpec(NetworkSpec):
    """One network of the family.

    Attributes:
        stem: Filters of the 7x7, the 1x1 and the 3x3 convolution before the modules.
        modules: The modules in order.
    """

    stem: tuple[int, int, int] = (64, 64, 192)
    modules: tuple[Module, ...] = ()


def features(spec: BNInceptionSpec, blocks: Blocks, x, attention: Attention) -> dict:
    """Applies the network up to the output of its last module.

    Args:
        spec: The network.
        blocks: The layers to build with.
        x: Image tensor.
        attention: What follows each module.

    Returns:
        The last map of each stride by the name of its level: that of the stem, `P2`,
        and that of each stage, `P3` to `P5`.
    """
    conv7x7, conv1x1, conv3x3 = spec.stem
    x = _conv(blocks, x, conv7x7, 7, "stem_1", stride=2)
    x = _max_pool(blocks, x, "stem_pool1", stride=2)
    x = _conv(blocks, x, conv1x1, 1, "stem_2")
    x = _conv(blocks, x, conv3x3, 3, "stem_3")
    outputs = {"P2": x}
    x = _max_pool(blocks, x, "stem_pool2", stride=2)
    for module in spec.modules:
        x = _module(blocks, x, module)
        name = f"inception_{module.name}_se"
        x = attention("standard", x, stage=module.stage, name=name)
        outputs[f"P{module.stage + 2}"] = x
    return outputs


def _module(blocks, x, module):
    name, stride = f"inception_{module.name}", module.stride
    branches = []
    if module.single:
        branches.append(_conv(blocks, x, module.single, 1, f"{name}_1x1"))
    reduced, filters = module.triple
    y = _conv(blocks, x, reduced, 1, f"{name}_3x3_reduce")
    branches.append(_conv(blocks, y, filters, 3, f"{name}_3x3", stride=stride))
    reduced, filters = module.double
    y = _conv(blocks, x, reduced, 1, f"{name}_double3x3_reduce")
    y = _conv(blocks, y, filters, 3, f"{name}_double3x3a")
    branches.append(_conv(blocks, y, filters, 3, f"{name}_double3x3b", stride=stride))
    y = POOLS[module.pool](blocks, x, f"{name}_pool", stride=stride)
    if module.projection:
        y = _conv(blocks, y, module.projection, 1, f"{name}_pool_proj")
    return blocks.concat([*branches, y], f"{name}_concat")


def _conv(blocks, x, filters, kernel_size, name, stride=1):
    x = blocks.conv(x, filters, kernel_size, f"{name}_conv", stride=stride)
    return blocks.relu(blocks.norm(x, f"{name}_bn"), f"{name}_relu")


def _max_pool(blocks, x, name, stride):
    # Caffe's windows of stride 2 overhang on the bottom right, as these do at an even
    # size. At an odd size these are as many as, and where, those of the convolutions
    # beside the pool are; Caffe would have one less and fail.
    return blocks.max_pool(x, 3, stride, name, padding="same")


def _avg_pool(blocks, x, name, stride):
    # Caffe's divides by 9 at the border too.
    x = blocks.pad(x, 1, f"{name}_pad")
    return blocks.avg_pool(x, 3, stride, name)


POOLS = {"avg": _avg_pool, "max": _max_pool}

SPECS = {
    "BNInception": BNInceptionSpec(
        modules=(
            Module("3a", 1, 64, (64, 64), (64, 96), 32),
            Module("3b", 1, 64, (64, 96), (64, 96), 64),
            Module("3c", 2, None, (128, 160), (64, 96), None, "max"),
            Module("4a", 2, 224, (64, 96), (96, 128), 128),
            Module("4b", 2, 192, (96, 128), (96, 128), 128),
            Module("4c", 2, 160, (128, 160), (128, 160), 128),
            Module("4d", 2, 96, (128, 192), (160, 192), 128),
            Module("4e", 3, None, (128, 192), (192, 256), None, "max"),
            Module("5a", 3, 352, (192, 320), (160, 224), 128),
            Module("5b", 3, 352, (192, 320), (192, 224), 128, "max"),
        )
    ),
}

for _name, _spec in SPECS.items():
    register(
        _name,
        features,
        _spec,
        name="bn_inception",
        preprocessing=IMAGENET,
        squeeze_excite=functools.partial(SqueezeExcite, ratio=16),
    )

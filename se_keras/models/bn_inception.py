"""BN-Inception: modules of parallel convolutions whose outputs are concatenated.

SE is on the output of a whole module, the two with a stride included.
"""

import dataclasses

from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.spec import NetworkSpec, check_integer, check_integers, check_key


@dataclasses.dataclass(frozen=True)
class InceptionModule:
    """One module of BN-Inception: four branches, or three where it has a stride.

    Attributes:
        name: Its name, `"3a"`.
        stage: Number of its stage, from 1. A stage starts with a stride.
        single: Filters of the 1x1 convolution that is a branch of its own; `None` with
            a stride.
        triple: Filters of the 1x1 and the 3x3 convolution.
        double: Filters of the 1x1 and of each of the two 3x3 convolutions.
        projection: Filters of the 1x1 convolution after the pool; `None` with a
            stride.
        pool: `"avg"` or `"max"`.
    """

    name: str
    stage: int
    single: int | None
    triple: tuple[int, int]
    double: tuple[int, int]
    projection: int | None
    pool: str = "avg"

    def __post_init__(self):
        check_key("pool", self.pool, POOLS)
        check_integer("stage", self.stage)
        check_integers("triple", self.triple)
        check_integers("double", self.double)

    @property
    def stride(self) -> int:
        """Stride of the module."""
        return 1 if self.projection else 2


@dataclasses.dataclass(frozen=True)
class BNInceptionSpec(NetworkSpec):
    """A BN-Inception network.

    Attributes:
        stem: Filters of the 7x7, the 1x1 and the 3x3 convolution before the modules.
        modules: The modules in order. Defaults to those of the paper.
        attention: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.

    Reference:
        [Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167), figure 5.
    """

    stem: tuple[int, int, int] = (64, 64, 192)
    modules: tuple[InceptionModule, ...] = dataclasses.field(
        default_factory=lambda: MODULES
    )

    def __post_init__(self):
        super().__post_init__()
        check_integers("stem", self.stem)
        if not self.modules:
            raise ValueError("Field `modules` must have at least one. Received: ()")


def features(spec: BNInceptionSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to the output of its last module.

    Args:
        spec: The network.
        net: The layers to build with. Attention follows each module.
        x: Image tensor.

    Returns:
        The last feature map of each stride by the name of its level: that of the stem,
        `P2`, and that of each stage, `P3` to `P5`.
    """
    conv7x7, conv1x1, conv3x3 = spec.stem
    with net.part("stem"):
        x = _conv(net, x, conv7x7, 7, "1", stride=2)
        x = _max_pool(net, x, "pool1", stride=2)
        x = _conv(net, x, conv1x1, 1, "2")
        x = _conv(net, x, conv3x3, 3, "3")
        outputs = {"P2": x}
        x = _max_pool(net, x, "pool2", stride=2)
    for module in spec.modules:
        with net.part(f"inception_{module.name}", module.stage):
            x = net.attention("standard", _module(net, x, module))
        outputs[f"P{module.stage + 2}"] = x
    return outputs


def _module(net, x, module):
    stride, branches = module.stride, []
    if module.single:
        branches.append(_conv(net, x, module.single, 1, "1x1"))
    reduced, filters = module.triple
    y = _conv(net, x, reduced, 1, "3x3_reduce")
    branches.append(_conv(net, y, filters, 3, "3x3", stride=stride))
    reduced, filters = module.double
    y = _conv(net, x, reduced, 1, "double3x3_reduce")
    y = _conv(net, y, filters, 3, "double3x3a")
    branches.append(_conv(net, y, filters, 3, "double3x3b", stride=stride))
    y = POOLS[module.pool](net, x, "pool", stride=stride)
    if module.projection:
        y = _conv(net, y, module.projection, 1, "pool_proj")
    return net.concat([*branches, y], "concat")


def _conv(net, x, filters, kernel_size, role, stride=1):
    x = net.conv(x, filters, kernel_size, f"{role}_conv", stride=stride)
    return net.relu(net.norm(x, f"{role}_bn"), f"{role}_relu")


def _max_pool(net, x, role, stride):
    # Caffe's windows of stride 2 overhang on the bottom right, as these do at an even
    # size. At an odd size these have the number and position of those of the
    # convolutions next to the pool; Caffe would have one less and fail.
    return net.max_pool(x, 3, stride, role, padding="same")


def _avg_pool(net, x, role, stride):
    # Caffe's divides by 9 at the border too.
    x = net.pad(x, 1, f"{role}_pad")
    return net.avg_pool(x, 3, stride, role)


POOLS = {"avg": _avg_pool, "max": _max_pool}

MODULES: tuple[InceptionModule, ...] = (
    InceptionModule("3a", 1, 64, (64, 64), (64, 96), 32),
    InceptionModule("3b", 1, 64, (64, 96), (64, 96), 64),
    InceptionModule("3c", 2, None, (128, 160), (64, 96), None, "max"),
    InceptionModule("4a", 2, 224, (64, 96), (96, 128), 128),
    InceptionModule("4b", 2, 192, (96, 128), (96, 128), 128),
    InceptionModule("4c", 2, 160, (128, 160), (128, 160), 128),
    InceptionModule("4d", 2, 96, (128, 192), (160, 192), 128),
    InceptionModule("4e", 3, None, (128, 192), (192, 256), None, "max"),
    InceptionModule("5a", 3, 352, (192, 320), (160, 224), 128),
    InceptionModule("5b", 3, 352, (192, 320), (192, 224), 128, "max"),
)

NETWORKS = {"se_bn_inception": ("SEBNInception", BNInceptionSpec())}

FAMILY = Family(
    name="BN-Inception",
    spec=BNInceptionSpec,
    fields=(InceptionModule,),
    features=features,
    networks=NETWORKS,
    references=(
        "[Ioffe and Szegedy 2015, Batch "
        "Normalization](https://arxiv.org/abs/1502.03167), figure 5.",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), figure 2, and its original "
        "release, hujie-frank/SENet, which has this network.",
    ),
)

"""VGG with batch norm: 3x3 convolutions, max pools and three fully connected layers."""

import dataclasses

import keras

from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.spec import NetworkSpec, check_integers


@dataclasses.dataclass(frozen=True)
class VGGSpec(NetworkSpec):
    """A VGG with batch norm.

    Attributes:
        depths: Number of convolutions of each stage; a max pool follows each stage.
        widths: Filters of the convolutions of each stage, as many as `depths`.
        hidden: Units of the fully connected layers before the classifier.
        attention: See `NetworkSpec`, also for the other fields that all specs have.

    Raises:
        ValueError: If a field is not valid.

    Reference:
        [Simonyan and Zisserman 2014](https://arxiv.org/abs/1409.1556), configuration D.
    """

    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = dataclasses.field(default=0.5, kw_only=True)
    min_size: int = dataclasses.field(default=32, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        check_integers("depths", self.depths)
        check_integers("widths", self.widths, "depths", len(self.depths))
        check_integers("hidden", self.hidden)


def features(spec: VGGSpec, net: NetworkBuilder, x) -> dict:
    """Applies the network up to its last max pool.

    Args:
        spec: The network.
        net: The layers to build with. Attention follows each ReLU.
        x: Image tensor.

    Returns:
        The output of each stage from the third, `P2` with stride 4, and of the pool
        after the last stage, which has the next level: `P5` in a VGG of five stages.
    """
    outputs = {}
    for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths, strict=True)):
        with net.part(f"stage{stage + 1}", stage + 1):
            for i in range(1, depth + 1):
                x = net.conv(x, width, 3, f"conv{i}", use_bias=True)
                x = net.norm(x, f"bn{i}")
                x = net.relu(x, f"relu{i}")
                x = net.attention("standard", x, f"conv{i}_se")
            outputs[f"P{stage}"] = x
            x = net.max_pool(x, 2, 2, "pool")
    last = len(spec.depths)
    levels = {level: y for level, y in outputs.items() if level not in ("P0", "P1")}
    return {**levels, f"P{last}": x}


def head(spec: VGGSpec, net: NetworkBuilder, x):
    """Applies the fully connected layers before the classifier.

    Args:
        spec: The network.
        net: The layers to build with.
        x: The last feature map, of known height and width.

    Returns:
        A vector for each image.

    Raises:
        ValueError: If the size of the image is not known.
    """
    if None in net.size(x):
        raise ValueError(
            "With include_top=True, the fully connected layers of VGG need an image of "
            f"known height and width. Received: feature maps of shape {x.shape[1:]}"
        )
    # In the order of (height, width, channels), whatever the layout.
    x = net.apply(keras.layers.Flatten, x, "flatten", data_format=net.data_format)
    for i, units in enumerate(spec.hidden, 1):
        if i > 1:
            role = f"fc{i - 1}_dropout"
            x = net.apply(keras.layers.Dropout, x, role, rate=spec.dropout)
        x = net.apply(
            keras.layers.Dense,
            x,
            f"fc{i}",
            units=units,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        )
        x = net.relu(x, f"fc{i}_relu")
    return x


NETWORKS = {"se_vgg16": ("SEVGG16", VGGSpec())}

FAMILY = Family(
    name="VGG",
    spec=VGGSpec,
    features=features,
    head=head,
    networks=NETWORKS,
    references=(
        "[Simonyan and Zisserman 2014, Very Deep Convolutional "
        "Networks](https://arxiv.org/abs/1409.1556), configuration D.",
        "torchvision's `vgg16_bn`, which has the same parameters: batch norm makes the "
        "biases of the convolutions superfluous, but its weights have them.",
        "[Hu et al. 2017, Squeeze-and-Excitation "
        "Networks](https://arxiv.org/abs/1709.01507), section 6.1: SE after each "
        "non-linearity of the convolutions.",
    ),
)

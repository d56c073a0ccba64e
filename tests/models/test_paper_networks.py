"""The networks of the paper other than ResNet: sizes, and that each one works."""

import keras
import numpy as np
import pytest

from se_keras import create_model
from se_keras.layers.gate import Gate
from se_keras.models.attention import PLACEMENTS
from tests.models.tools import images

# A small image for each network; classes and parameters, in millions where only that
# is published; the gates' part of them.
NETWORKS = {
    # The original release counts 11,931,622 with SE; pytorchcv for the plain one.
    "bn_inception": ((64, 96, 3), 1000, 11_285_224, 646_398),
    # Zhang et al.: 1.9M; pytorchcv.
    "shufflenet": ((64, 96, 3), 1000, 1_865_728, 619_238),
    # torchvision.
    "vgg16": ((32, 64, 3), 1000, 138_365_992, 230_792),
    # keras.applications.
    "inception_v3": ((75, 91, 3), 1000, 23_817_352, 1_661_620),
    "inception_resnet_v2": ((75, 91, 3), 1000, 55_813_192, 9_249_254),
    "mobilenet": ((64, 96, 3), 1000, 4_231_976, 486_068),
    # pytorchcv; 1.7M in He et al. 2016.
    "resnet164": ((16, 24, 3), 10, 1_703_258, 202_104),
    # 11.0M in Zagoruyko and Komodakis 2016.
    "wrn_16_8": ((16, 24, 3), 10, 10_961_370, 87_920),
    # 26.2M and 34.4M in Gastaldi 2017.
    "shake_shake_26_2x96d": ((16, 24, 3), 10, 26_192_922, 99_624),
    "shake_even_29_2x4x64d": ((16, 24, 3), 10, 34_437_450, 521_808),
}
# TensorFlow compiles each grouped convolution by itself, and slowly, on the CPU.
QUICK = ("se_bn_inception", "se_mobilenet", "se_wrn_16_8")


def names(prefixes=("", "se_"), quick=QUICK):
    """Returns the networks as parameters of a test, all but `quick` as slow."""
    found = [prefix + name for name in NETWORKS for prefix in prefixes]
    assert set(quick) <= set(found)
    return [
        name if name in quick else pytest.param(name, marks=pytest.mark.slow)
        for name in found
    ]


def small(name, **arguments):
    shape = NETWORKS[name.removeprefix("se_")][0]
    return create_model(name, **{"classes": 5, "input_shape": shape, **arguments})


def small_images(model):
    return images(2, *model.input_shape[1:])


def parameters(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.parametrize(
    "name",
    names(
        prefixes=("se_",), quick=("se_bn_inception", "se_mobilenet", "se_shufflenet")
    ),
)
def test_parameters(name):
    _, classes, plain, gates = NETWORKS[name.removeprefix("se_")]
    model = create_model(name, classes=classes)
    weights = [w for x in model.layers if isinstance(x, Gate) for w in x.weights]
    assert parameters(weights) == gates
    assert parameters(model.trainable_weights) - gates == plain


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("resnet164", "1.7"),
        ("wrn_16_8", "11.0"),
        ("shake_shake_26_2x96d", "26.2"),
        ("shake_even_29_2x4x64d", "34.4"),
    ],
)
def test_counts_are_the_published_ones(name, millions):
    assert f"{NETWORKS[name][2] / 1e6:.1f}" == millions


@pytest.mark.parametrize(
    "name", names(prefixes=("se_",), quick=("se_shufflenet", "se_mobilenet"))
)
def test_levels(name):
    """A level has the stride that its name states; the last is the output."""
    height, width, _ = NETWORKS[name.removeprefix("se_")][0]
    maps = small(name, include_top=False, pyramid=True).output
    first = 0 if min(height, width) < 32 else 2
    assert list(maps) == [f"P{level}" for level in range(first, first + len(maps))]
    assert len(maps) == (3 if first == 0 else 4)
    # The Inceptions of keras.applications do not pad at each stride.
    lost = 31 if "inception_" in name.replace("bn_inception", "") else 0
    for level, tensor in maps.items():
        stride = 2 ** int(level[1:])
        for size, part in ((height, tensor.shape[1]), (width, tensor.shape[2])):
            assert (size - lost) / stride - 1 < part <= size / stride
    last = small(name, include_top=False).output
    assert list(maps.values())[-1].shape == last.shape


@pytest.mark.parametrize("name", names(prefixes=("se_",), quick=("se_mobilenet",)))
def test_layout_and_precision(name):
    shape = NETWORKS[name.removeprefix("se_")][0]
    model = small(
        name,
        input_shape=(shape[2], *shape[:2]),
        data_format="channels_first",
        dtype="mixed_bfloat16",
    )
    assert keras.config.dtype_policy().name == "float32"
    hidden = [x for x in model.layers if x.name not in ("image", "predictions")]
    assert {x.compute_dtype for x in hidden} == {"bfloat16"}
    layouts = {getattr(x, "data_format", "channels_first") for x in hidden}
    assert layouts == {"channels_first"}
    assert model.output.dtype == "float32"
    expected = [w.shape for w in small(name).weights]
    assert [w.shape for w in model.weights] == expected


ONE_PLACE = (
    "bn_inception",
    "vgg16",
    "inception_v3",
    "inception_resnet_v2",
    "mobilenet",
)


@pytest.mark.parametrize("name", names(prefixes=("",), quick=("wrn_16_8",)))
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_placement(name, placement):
    arguments = {"attention": "eca", "placement": placement}
    if placement == "standard" or name not in ONE_PLACE:
        assert any(isinstance(x, Gate) for x in small(name, **arguments).layers)
    else:
        message = f"'{name}' has no place .*Received: placement='{placement}'"
        with pytest.raises(ValueError, match=message):
            small(name, **arguments)


def test_one_output_stride():
    message = "'mobilenet' has one output stride.*Received: output_stride=16"
    with pytest.raises(ValueError, match=message):
        small("mobilenet", output_stride=16)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("vgg16", (31, 64, 3)),
        ("inception_v3", (75, 74, 3)),
        ("inception_resnet_v2", (74, None, 3)),
    ],
)
def test_image_that_is_too_small(name, shape):
    with pytest.raises(ValueError, match=r"needs images of at least .*Received: "):
        create_model(name, input_shape=shape)

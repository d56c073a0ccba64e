"""The ResNets: sizes, layers and their names, a saved network in another process."""

import functools
import subprocess
import sys

import keras
import numpy as np
import pytest

from se_keras import create_model
from tests.helpers import relative_error
from tests.models.tools import SHAPE, images, outputs, randomize


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # torchvision and timm.
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        # timm.
        ("se_resnet18", 11_779_624),
        ("se_resnet34", 21_960_416),
        ("se_resnet50", 28_088_024),
        ("se_resnet101", 49_326_872),
        ("se_resnet152", 66_821_848),
    ],
)
def test_parameters_of_imagenet_networks(name, count):
    assert trainable_parameters(create_model(name)) == count


@pytest.mark.parametrize(
    ("n", "millions"), [(3, "0.27"), (5, "0.46"), (7, "0.66"), (9, "0.85"), (18, "1.7")]
)
def test_parameters_of_cifar_networks(n, millions):
    """He et al. 2015, section 4.2 and table 6; Hu et al. 2018, section 4 with r=16."""
    plain, twin = (
        trainable_parameters(create_model(f"{prefix}resnet{6 * n + 2}", classes=10))
        for prefix in ("", "se_")
    )

    def conv_bn(inputs, outputs):
        return 9 * inputs * outputs + 2 * outputs

    assert plain == (
        conv_bn(3, 16)
        + 2 * n * conv_bn(16, 16)
        + conv_bn(16, 32)
        + (2 * n - 1) * conv_bn(32, 32)
        + conv_bn(32, 64)
        + (2 * n - 1) * conv_bn(64, 64)
        + 64 * 10
        + 10
    )
    assert f"{plain / 1e6:.{len(millions) - 2}f}" == millions
    assert twin - plain == sum(
        n * (2 * c * c // 16 + c + c // 16) for c in (16, 32, 64)
    )


@pytest.mark.slow
def test_comes_back_in_another_process(tmp_path):
    model = randomize(create_model("se_resnet20", classes=5, input_shape=SHAPE))
    model.class_names = tuple("abcde")
    model.save(tmp_path / "model.keras")
    x = images(2, *SHAPE)
    np.save(tmp_path / "x.npy", x)
    script = """if True:
        import keras, numpy, se_keras
        model = keras.models.load_model("model.keras")
        y = model(numpy.load("x.npy"), training=False)
        numpy.save("y.npy", keras.ops.convert_to_numpy(y))
        assert type(model) is se_keras.models.ImageModel
        assert model.preprocessing.size == (40, 56)
        assert model.class_names == tuple("abcde")
    """
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    assert relative_error(np.load(tmp_path / "y.npy"), outputs(model, x)) < 1e-6


@pytest.mark.parametrize(
    ("name", "last_bn", "depths"),
    [
        ("se_resnet18", "bn2", (2, 2, 2, 2)),
        ("se_resnet50", "bn3", (3, 4, 6, 3)),
        ("se_resnet20", "bn2", (3, 3, 3)),
    ],
)
def test_se_is_between_the_last_batch_norm_and_the_addition(name, last_bn, depths):
    """Hu et al. 2018, section 3.3 and figure 3."""
    model = create_model(name, input_shape=SHAPE)
    blocks = [
        f"stage{stage}_block{block}"
        for stage, depth in enumerate(depths, 1)
        for block in range(1, depth + 1)
    ]
    assert [f"{block}_se" for block in blocks] == [
        layer.name for layer in model.layers if layer.name.endswith("_se")
    ]
    for block in blocks:
        se, bn, add, out = (
            model.get_layer(f"{block}_{part}") for part in ("se", last_bn, "add", "out")
        )
        assert se.input is bn.output
        branch, shortcut = add.input
        assert branch is se.output
        assert not shortcut._keras_history.operation.name.startswith(f"{block}_bn")
        assert out.input is add.output


@pytest.mark.parametrize("name", ["se_resnet50", "se_resnet20"])
def test_batch_norm_is_that_of_the_sources(name):
    """Momentum 0.1 of PyTorch is 0.9 of Keras."""
    settings = {
        (layer.momentum, layer.epsilon)
        for layer in create_model(name, input_shape=SHAPE).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert settings == {(0.9, 1e-5)}


@functools.cache
def layer_names(name):
    return [layer.name for layer in create_model(name).layers]


@pytest.mark.parametrize(
    ("name", "prefix", "suffixes"),
    [
        ("se_resnet50", "stem_", "conv_pad conv bn relu pool_pad pool"),
        (
            "se_resnet50",
            "stage3_block1_",
            "conv1 bn1 relu1 conv2_pad conv2 bn2 relu2 conv3 bn3 se "
            "shortcut_conv shortcut_bn add out",
        ),
        (
            "se_resnet50",
            "stage3_block2_",
            "conv1 bn1 relu1 conv2 bn2 relu2 conv3 bn3 se add out",
        ),
        ("se_resnet20", "stem_", "conv bn relu"),
        ("se_resnet20", "stage3_block2_", "conv1 bn1 relu1 conv2 bn2 se add out"),
        (
            "se_resnet20",
            "stage3_block1_",
            "conv1_pad conv1 bn1 relu1 conv2 bn2 se "
            "shortcut_subsample shortcut_pad add out",
        ),
    ],
)
def test_layer_names(name, prefix, suffixes):
    names = [layer for layer in layer_names(name) if layer.startswith(prefix)]
    assert sorted(names) == sorted(prefix + suffix for suffix in suffixes.split())


@pytest.mark.parametrize(
    ("name", "stages"), [("se_resnet50", {1, 2, 3, 4}), ("se_resnet20", {1, 2, 3})]
)
def test_every_layer_name_says_where_it_is(name, stages):
    first, *body, pool, classifier = layer_names(name)
    assert (first, pool, classifier) == ("image", "avg_pool", "predictions")
    places = {layer.split("_")[0] for layer in body}
    assert places == {"stem", *(f"stage{stage}" for stage in stages)}


def test_anti_aliased_networks_refuse_odd_feature_maps():
    with pytest.raises(ValueError, match=r"multiples of 32.*Received: .*6, 9"):
        create_model("se_resnetaa50d", input_shape=(96, 144, 3))

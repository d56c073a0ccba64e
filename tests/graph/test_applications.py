"""Every network of `keras.applications`: SE in and out, a step of training, a file."""

import gc
import inspect
import re

import keras
import numpy as np
import pytest

from se_keras import layers
from se_keras.graph import add_squeeze_excite, remove_squeeze_excite
from se_keras.graph.rewrite import Graph, Ref
from tests.graph.tools import as_in_a_file, gates
from tests.helpers import relative_error, run_large, to_numpy

NETWORKS = {
    name: function
    for name, function in vars(keras.applications).items()
    if inspect.isfunction(function)
}

# The smallest images that the networks take; 32 by default. In the deepest
# EfficientNets gradients are infinite there, without SE too: their last batch norms see
# one position of two images.
SIZES = {
    "EfficientNetB7": 64,
    "EfficientNetV2L": 64,
    "EfficientNetV2M": 64,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "Xception": 71,
}

# Gates by rule: blocks or modules in the papers of the networks.
GATES = {
    "ConvNeXtBase": 36,
    "ConvNeXtLarge": 36,
    "ConvNeXtSmall": 36,
    "ConvNeXtTiny": 18,
    "ConvNeXtXLarge": 36,
    "DenseNet121": 58,
    "DenseNet169": 82,
    "DenseNet201": 98,
    "InceptionResNetV2": 43,
    "InceptionV3": 11,
    "MobileNet": 13,
    "MobileNetV2": 17,
    "NASNetLarge": 22,
    "NASNetMobile": 16,
    "ResNet101": 33,
    "ResNet101V2": 33,
    "ResNet152": 50,
    "ResNet152V2": 50,
    "ResNet50": 16,
    "ResNet50V2": 16,
    "VGG16": 13,
    "VGG19": 16,
    "Xception": 12,
}
HAVE_SE = sorted(set(NETWORKS) - set(GATES))

# One gate of each family, and a pattern of the one layer that takes its output.
ADJACENT = {
    "ConvNeXtTiny": (
        "convnext_tiny_stage_0_block_0_pointwise_conv_2_se",
        "convnext_tiny_stage_0_block_0_layer_scale",
    ),
    "DenseNet121": ("conv2_block1_2_conv_se", "conv2_block1_concat"),
    "InceptionResNetV2": ("block35_1_conv_se", r"custom_scale_layer(_\d+)?"),
    "InceptionV3": ("mixed10_se", "avg_pool"),
    "MobileNet": ("conv_pw_1_relu_se", "conv_pad_2"),
    "MobileNetV2": ("block_2_project_BN_se", "block_2_add"),
    "ResNet50": ("conv2_block1_3_bn_se", "conv2_block1_add"),
    "ResNet50V2": ("conv2_block1_3_conv_se", "conv2_block1_out"),
    "VGG16": ("block1_conv2_se", "block1_pool"),
    "Xception": ("block5_sepconv3_bn_se", r"add(_\d+)?"),
}

# Parameters that SE adds at ratio 16, as in tables 1 and 3 of the paper.
PARAMETERS = {
    "MobileNet": 479_744 + 6_324,
    "ResNet50": 2_514_944 + 16_048,
}

QUICK = ("MobileNet", "ResNet50", "VGG16")
# The smallest of each of the other families; the others are the same layers again.
SMALL = (
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50V2",
    "Xception",
)


def marks(name):
    if name in QUICK:
        return ()
    return pytest.mark.slow if name in SMALL else (pytest.mark.slow, run_large)


EACH_NETWORK = [pytest.param(name, marks=marks(name)) for name in sorted(NETWORKS)]


@pytest.fixture
def _free_memory():
    yield
    keras.backend.clear_session()
    gc.collect()


def create(name: str) -> keras.Model:
    size = SIZES.get(name, 32)
    return NETWORKS[name](
        weights=None,
        input_shape=(size, size, 3),
        classes=10,
        classifier_activation=None,
    )


def calibrate(model: keras.Model, images) -> None:
    """Gives batch normalization the statistics of some images, so that signals pass."""
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def predict(model: keras.Model, images) -> np.ndarray:
    return to_numpy(model(images, training=False))


def places(name: str):
    """Returns what `after` must be for a network."""
    if name in GATES:
        return None
    return lambda layer: layer.name.endswith("_project_bn")


@pytest.mark.usefixtures("_free_memory")
@pytest.mark.parametrize("name", EACH_NETWORK)
def test_round_trip(name, tmp_path):
    size = SIZES.get(name, 32)
    images = np.random.default_rng(0).uniform(0, 255, (4, size, size, 3))
    images = images.astype("float32")
    model = create(name)
    calibrate(model, images)
    images = images[:2]
    expected = predict(model, images)
    assert relative_error(expected[1], expected[0]) > 1e-3

    se_model = add_squeeze_excite(model, after=places(name))
    added = gates(se_model)
    assert len(added) == GATES.get(name, len(added)) > 0
    if name in PARAMETERS:
        parameters = se_model.count_params() - model.count_params()
        assert parameters == PARAMETERS[name]
    if name in ADJACENT:
        gate, consumer = ADJACENT[name]
        ((found, _),) = Graph(se_model).consumers(Ref(gate))
        assert re.fullmatch(consumer, found)
    assert relative_error(predict(se_model, images), expected) < 1e-5

    plain = remove_squeeze_excite(se_model)
    assert as_in_a_file(plain.get_config()) == as_in_a_file(model.get_config())
    assert relative_error(predict(plain, images), expected) < 1e-5
    del plain, model

    optimizer = keras.optimizers.SGD(1e-3, global_clipnorm=1.0)
    se_model.compile(optimizer, "mse", run_eagerly=True)
    se_model.train_on_batch(images, np.ones((2, 10)))
    biases = [to_numpy(gate.fc2.bias) for gate in added]
    # Stochastic depth skips some blocks in a step, and with them their gates.
    skips = any(layer.name.endswith("_drop") for layer in se_model.layers)
    assert sum(bias.any() for bias in biases) >= len(added) * (0.75 if skips else 1)
    assert all(np.isfinite(bias).all() for bias in biases)

    expected = predict(se_model, images)
    file = tmp_path / "model.keras"
    se_model.save(file)
    del se_model, added
    loaded = keras.models.load_model(file, compile=False)
    file.unlink()
    assert relative_error(predict(loaded, images), expected) < 1e-5


def test_every_network_has_a_rule_or_se():
    assert set(GATES) <= set(NETWORKS)
    assert all(name.startswith(("EfficientNet", "MobileNetV3")) for name in HAVE_SE)


@pytest.mark.parametrize("name", ["EfficientNetB0", "MobileNetV3Small"])
def test_networks_with_se_need_after(name):
    model = create(name)
    with pytest.raises(ValueError, match=r"not have SE already: .* has its own SE"):
        add_squeeze_excite(model)


def test_rule_refuses_a_second_time():
    model = add_squeeze_excite(create("MobileNet"))
    with pytest.raises(ValueError, match="it has layer 'conv_pw_1_relu_se'"):
        add_squeeze_excite(model)


def test_rule_refuses_two_architectures():
    image = keras.Input((32, 32, 3))
    features = [
        NETWORKS[name](weights=None, include_top=False, input_tensor=image).output
        for name in ("MobileNet", "VGG16")
    ]
    with pytest.raises(ValueError, match="layers of VGG and MobileNet"):
        add_squeeze_excite(keras.Model(image, features))


def test_gate_prototype_is_copied_to_each_place():
    gate = layers.SqueezeExcite(divisor=8)
    model = add_squeeze_excite(create("MobileNet"), attention=gate)
    widths = [copy.fc1.units for copy in gates(model)]
    assert widths[:6] == [8, 8, 8, 16, 16, 32]
    assert not gate.built

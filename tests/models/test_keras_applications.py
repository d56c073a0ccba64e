"""Networks of `keras.applications`: the same function, and SE where it belongs."""

import dataclasses

import keras
import numpy as np
import pytest

from se_keras import SqueezeExcite, create_model, models
from se_keras.errors import UsageError
from se_keras.models import keras_applications, registry
from tests.helpers import relative_error, to_numpy
from tests.models.tools import images, outputs, randomize

SIZES = {
    "mobilenet": (64, 96),
    "inception_v3": (75, 91),
    "inception_resnet_v2": (75, 91),
}
NAMES = [
    pytest.param(name, marks=() if name == "mobilenet" else pytest.mark.slow)
    for name in SIZES
]


def applied(name, **arguments):
    """Returns the network of `keras.applications` with weights of our own."""
    model = registry.lookup(name).spec.network(
        **{
            "weights": None,
            "input_shape": (*SIZES[name], 3),
            "classes": 5,
            "classifier_activation": None,
            **arguments,
        }
    )
    return randomize(model)


def ours(name, **arguments):
    shape = (*SIZES[name.removeprefix("se_")], 3)
    return create_model(
        name,
        **{
            "input_shape": shape,
            "classes": 5,
            "classifier_activation": None,
            **arguments,
        },
    )


def copy_weights(spec, source, target):
    """Copies the weights of Keras's network to those of ours."""
    names = keras_applications.layer_names(spec, source)
    for layer in source.layers:
        if not layer.weights:
            continue
        name = names[layer.name]
        is_top = layer.name in ("predictions", "conv_preds")
        twin = target.get_layer("predictions" if is_top else name)
        for weight, other in zip(layer.weights, twin.weights, strict=True):
            assert weight.name == other.name
            other.assign(np.reshape(to_numpy(weight), other.shape))


@pytest.mark.parametrize("name", NAMES)
def test_plain_twin_is_the_network_of_keras(name):
    theirs, model = applied(name), ours(name)
    copy_weights(registry.lookup(name).spec, theirs, model)
    x = images(2, *SIZES[name], 3)
    expected = to_numpy(theirs(x, training=False))
    assert relative_error(expected[0], expected[1]) > 0.05
    assert relative_error(to_numpy(model(x, training=False)), expected) < 1e-5


def input_names(layer):
    """Returns the names of the layers whose outputs a layer takes; "" for the image."""
    before = [x._keras_history.operation for x in keras.tree.flatten(layer.input)]
    is_input = keras.layers.InputLayer
    return ["" if isinstance(x, is_input) else x.name for x in before]


@pytest.mark.parametrize("name", NAMES)
def test_se_is_where_add_squeeze_excite_puts_it(name):
    from se_keras.graph import add_squeeze_excite

    network = registry.lookup(name).spec.network
    shape = {"include_top": False, "input_shape": (*SIZES[name], 3)}
    expected = add_squeeze_excite(
        network(weights=None, **shape), identity_start=False, name="network"
    )
    spec = registry.lookup(name).spec
    names = keras_applications.layer_names(spec, expected)
    names |= {x.name: x.name for x in expected.layers if isinstance(x, SqueezeExcite)}
    model = create_model(f"se_{name}", **shape)
    ours = {x.name: x for x in model.layers}
    gates = {x.name for x in model.layers if isinstance(x, SqueezeExcite)}
    assert gates == {x.name for x in expected.layers if isinstance(x, SqueezeExcite)}
    for layer in expected.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        twin = ours[names[layer.name]]
        assert isinstance(twin, type(layer))  # Batch norm is a subclass of Keras's.
        config = {**layer.get_config(), "name": twin.name}
        if "axis" in config:
            config["axis"] = -1
        assert twin.get_config() == config
        expected_inputs = [names.get(name, name) for name in input_names(layer)]
        assert input_names(twin) == expected_inputs


def test_names_do_not_depend_on_the_session():
    spec = registry.lookup("inception_v3").spec
    for _ in range(2):
        network = spec.network(weights=None, include_top=False)
        names = set(keras_applications.layer_names(spec, network).values())
        assert len(names) == len(network.layers)
        assert {"inception_conv2d_0", "inception_conv2d_93", "mixed9"} < names
        assert "inception_conv2d_94" not in names


@pytest.mark.parametrize(
    "name", ["mobilenet", pytest.param("inception_v3", marks=pytest.mark.slow)]
)
def test_behind_a_layer_that_keras_named(name):
    """Keras numbers the names of its Inceptions as it does this layer's."""
    x = keras.layers.Conv2D(3, 2)(keras.Input((160, 160, 3)))
    create_model(f"se_{name}", input_tensor=x, classes=3)


@pytest.mark.parametrize("name", NAMES)
def test_parameters(name):
    network = registry.lookup(name).spec.network(weights=None)
    parameters = sum(weight.size for weight in map(to_numpy, network.trainable_weights))
    assert registry.lookup(name).spec.parameters == parameters


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("mobilenet", (1, 2, 2, 6, 2)),
        pytest.param("inception_v3", (3, 5, 3), marks=pytest.mark.slow),
        pytest.param("inception_resnet_v2", (11, 21, 11), marks=pytest.mark.slow),
    ],
)
def test_stages(name, gates):
    for stage, count in enumerate(gates, 1):
        model = ours(name, attention="eca", stages=(stage,))
        assert sum(x.name.endswith("_se") for x in model.layers) == count


def test_dropout_is_that_of_keras():
    theirs = keras.applications.MobileNet(weights=None)
    (expected,) = (x for x in theirs.layers if isinstance(x, keras.layers.Dropout))
    assert create_model("mobilenet").get_layer("dropout").rate == expected.rate


@pytest.mark.parametrize("name", SIZES)
def test_preprocessing_is_that_of_keras(name):
    module = getattr(keras.applications, name)
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
    preprocessing = registry.lookup(name).preprocessing
    expected = module.preprocess_input(x.copy(), data_format="channels_last")
    np.testing.assert_allclose(preprocessing.normalize(x), expected, rtol=0, atol=2e-6)
    assert preprocessing.size == ((224, 224) if name == "mobilenet" else (299, 299))


@pytest.fixture
def imagenet(monkeypatch):
    """Uses weights of our own instead of those that Keras downloads."""
    models = []

    def network(weights):
        assert weights == "imagenet"
        models.append(applied("mobilenet", classes=1000))
        return models[-1]

    load_from(network, monkeypatch)
    return models


def load_from(network, monkeypatch):
    """Makes `weights="imagenet"` call `network` for Keras's network."""

    def load(spec, model):
        spec = dataclasses.replace(spec, network=network)
        keras_applications.load_imagenet(spec, model)

    monkeypatch.setitem(keras_applications.FAMILY.pretrained, "imagenet", load)


def test_imagenet(imagenet):
    model = ours("mobilenet", weights="imagenet", classes=1000)
    x = images(2, *SIZES["mobilenet"], 3)
    expected = to_numpy(imagenet[0](x, training=False))
    assert relative_error(to_numpy(model(x, training=False)), expected) < 1e-5


def test_imagenet_leaves_the_gates_alone(imagenet):
    keras.utils.set_random_seed(0)
    fresh = ours("se_mobilenet", classes=1000)
    keras.utils.set_random_seed(0)
    model = ours("se_mobilenet", classes=1000, weights="imagenet")
    plain = ours("mobilenet", classes=1000, weights="imagenet")
    for layer in model.layers:
        gate = isinstance(layer, SqueezeExcite)
        twin = (fresh if gate else plain).get_layer(layer.name)
        for weight, other in zip(layer.weights, twin.weights, strict=True):
            np.testing.assert_array_equal(to_numpy(weight), to_numpy(other))


def test_imagenet_with_other_classes_is_refused_as_by_keras(imagenet):
    settings = {"weights": "imagenet", "classes": 5, "input_shape": (64, 96, 3)}
    with pytest.raises(ValueError, match="1000"):
        keras.applications.MobileNet(**settings)
    with pytest.raises(ValueError, match=r"classes=1000.*Received: classes=5"):
        models.SEMobileNet(**settings)
    models.SEMobileNet(include_top=False, **settings)


def test_imagenet_with_other_classes(imagenet):
    with pytest.warns(UserWarning, match="'predictions' keeps .* 5 classes"):
        model = ours("mobilenet", weights="imagenet")
    x = images(2, *SIZES["mobilenet"], 3)
    actual, expected = (
        outputs(network, x, "conv_pw_13_relu") for network in (model, imagenet[0])
    )
    assert relative_error(actual, expected) < 1e-5


@pytest.mark.filterwarnings("error")
def test_imagenet_without_top(imagenet):
    model = ours("mobilenet", weights="imagenet", include_top=False, pooling="avg")
    assert model.output_shape == (None, 1024)


@pytest.mark.parametrize("channels", [1, 6])
def test_imagenet_in_other_channels(imagenet, channels):
    """The same gray picture in each channel gives what it gives in color."""
    how = "summed to 1" if channels == 1 else "repeated and scaled to 6"
    with pytest.warns(UserWarning, match=f"'conv1': 3 input channels .*{how}"):
        model = ours("se_mobilenet", weights="imagenet", input_shape=(64, 96, channels))
    gray = images(2, 64, 96, 1)
    actual = outputs(model, np.repeat(gray, channels, -1), "conv1_relu")
    expected = outputs(imagenet[0], np.repeat(gray, 3, -1), "conv1_relu")
    assert relative_error(actual, expected) < 1e-5
    assert model.preprocessing.channels == channels


def test_imagenet_behind_other_layers(imagenet):
    image = keras.Input((64, 96, 2))
    x = keras.layers.Conv2D(3, 1, name="adapt")(image)
    model = ours(
        "mobilenet",
        input_tensor=x,
        input_shape=None,
        classes=1000,
        weights="imagenet",
    )
    for name in ("conv1", "conv_pw_13"):
        (actual,), (expected,) = (
            network.get_layer(name).get_weights() for network in (model, imagenet[0])
        )
        np.testing.assert_array_equal(actual, expected)


def test_imagenet_without_network(monkeypatch, tmp_path):
    """The error of Keras itself, on an address that is nowhere."""

    def network(weights):
        keras.utils.get_file(
            "weights.h5", "http://localhost:9/a/weights.h5", cache_dir=tmp_path
        )

    load_from(network, monkeypatch)
    with pytest.raises(
        UsageError,
        match=r"refused\).*Download http://localhost:9/a/weights\.h5 .*"
        r"\.keras/models/weights\.h5\. Received: weights='imagenet'",
    ):
        ours("mobilenet", weights="imagenet")


def test_input_tensor():
    image = keras.Input((64, 96, 3))
    scaled = keras.layers.Rescaling(1 / 64, offset=-1)(image)
    model = ours("mobilenet", input_tensor=scaled, input_shape=None)
    assert model.inputs[0] is image
    direct = ours("mobilenet")
    model.set_weights(direct.get_weights())
    x = images(2, 64, 96, 3)
    expected = to_numpy(direct(x / 64 - 1, training=False))
    assert relative_error(to_numpy(model(x, training=False)), expected) < 1e-4

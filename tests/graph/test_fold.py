"""The inference form: the same outputs, and the work that is gone."""

import keras
import numpy as np
import pytest
from keras import layers

from se_keras import SqueezeExcite, fold
from se_keras.layers import EffectiveSqueezeExcite, PadChannels
from se_keras.layers.gate import Gate
from tests.graph.tools import arguments, outputs, randomize
from tests.helpers import relative_error, run_large, to_numpy
from tests.models.test_every_network import NETWORKS, QUICK, small_images
from tests.models.test_every_network import network as network
from tests.models.tools import outputs as network_outputs

EACH = [
    pytest.param(name, marks=() if name in QUICK else (pytest.mark.slow, run_large))
    for name in NETWORKS
]


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def assert_same_outputs(folded, model, tolerance=1e-6):
    inputs = arguments(folded)
    for actual, expected in zip(
        outputs(folded, inputs), outputs(model, inputs), strict=True
    ):
        assert relative_error(actual, expected) < tolerance


@pytest.mark.parametrize("network", EACH, indirect=True)
def test_networks(network):
    network.layers[-1].activation = keras.activations.linear
    folded = fold(network)
    x = small_images(network)
    expected = network_outputs(network, x)
    assert relative_error(expected[0], expected[1]) > 0.02
    assert relative_error(network_outputs(folded, x), expected) < 1e-5
    assert not any(isinstance(layer, Gate) for layer in folded.layers)
    assert folded.preprocessing == network.preprocessing
    norms = [x for x in folded.layers if isinstance(x, layers.BatchNormalization)]
    # Pre-activation: some norms follow an addition, not a convolution.
    assert not norms or "preact" in norms[0].name or "shuffle" in network.name


LINEAR = [
    (layers.Conv1D(4, 3, strides=2), (11, 6)),
    (layers.Conv2D(6, 3, padding="same", groups=2, use_bias=False), (9, 8, 4)),
    (layers.Conv2D(6, 3, dilation_rate=2), (9, 8, 4)),
    (layers.Conv3D(4, 2), (5, 6, 7, 2)),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (9, 8, 4)),
    (layers.DepthwiseConv2D(3, use_bias=False), (9, 8, 4)),
    (layers.DepthwiseConv1D(3), (9, 4)),
    (layers.Dense(5), (7,)),
    (layers.Dense(5, use_bias=False), (6, 7)),
]


@pytest.mark.parametrize(("layer", "shape"), LINEAR)
@pytest.mark.parametrize("settings", [{}, {"center": False, "scale": False}])
def test_batch_norm_becomes_part_of_a_linear_layer(layer, shape, settings):
    layer = type(layer).from_config(layer.get_config())
    model = keras.Sequential(
        [
            keras.Input(shape),
            layer,
            layers.BatchNormalization(epsilon=0.01, **settings),
            layers.ReLU(),
        ]
    )
    folded = fold(randomize(model))
    assert kinds(folded) == ["InputLayer", type(layer).__name__, "ReLU"]
    assert_same_outputs(folded, model)


def branches(kind):
    """Returns a model with a batch norm that cannot be folded, for one reason each."""
    image = keras.Input((8, 8, 3))
    conv = layers.Conv2D(4, 3, activation="relu" if kind == "activation" else None)
    norm = layers.BatchNormalization(axis=1 if kind == "axis" else -1)
    x = conv(image)
    y = norm(x)
    results = [y]
    if kind == "output":
        results.append(x)
    if kind == "consumer":
        results.append(layers.ReLU()(x))
    if kind == "shared convolution":
        results.append(conv(image + 1))
    if kind == "shared norm":
        results.append(norm(layers.Conv2D(4, 3)(image)))
    return randomize(keras.Model(image, results))


@pytest.mark.parametrize(
    "kind",
    [
        "activation",
        "axis",
        "consumer",
        "output",
        "shared convolution",
        "shared norm",
    ],
)
def test_batch_norm_stays_where_folding_would_change_something(kind):
    model = branches(kind)
    folded = fold(model)
    assert "BatchNormalization" in kinds(folded)
    assert_same_outputs(folded, model)


def gated(*before, shape=(9, 8, 4), **arguments):
    """Returns a model whose gates are neither open nor closed, so that they count."""
    gate = SqueezeExcite(ratio=2, name="se", **arguments)
    model = randomize(keras.Sequential([keras.Input(shape), *before, gate]))
    rng = np.random.default_rng(2)
    for layer, deviation in ((gate.fc1, 0.05), (gate.fc2, 0.5)):
        for weight in layer.weights:
            weight.assign(rng.normal(0, deviation, weight.shape))
    x = rng.uniform(0, 5, (2, *shape)).astype("float32")
    for layer in model.layers[:-1]:
        x = layer(x)
    assert np.ptp(to_numpy(gate.gate(x))) > 0.01
    return model


@pytest.mark.parametrize(
    ("layer", "moves"),
    [
        (layers.Conv2D(16, 1), True),
        (layers.Conv2D(16, 1, use_bias=False), True),
        (layers.Conv2D(2, 1), False),  # more channels before it than after
        (layers.Conv2D(16, 3, padding="same"), False),
        (layers.Conv2D(16, 1, strides=2), False),
        (layers.Conv2D(16, 1, groups=2), False),
        (layers.Conv2D(16, 1, activation="relu"), False),
    ],
)
def test_squeeze_moves_before_a_pointwise_convolution(layer, moves):
    model = gated(type(layer).from_config({**layer.get_config(), "name": "conv"}))
    folded = fold(model)
    pool = folded.get_layer("se_squeeze")
    assert (pool.input is folded.input) == moves
    assert_same_outputs(folded, model)


def test_squeeze_moves_when_the_batch_norm_between_is_gone():
    model = gated(layers.Conv2D(16, 1), layers.BatchNormalization())
    folded = fold(model)
    assert folded.get_layer("se_squeeze").input is folded.input
    assert_same_outputs(folded, model)


@pytest.mark.parametrize("shape", [(6, 4), (9, 8, 4), (5, 6, 7, 4)])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"squeeze": "max"},
        {"use_bias": False, "activation": "tanh"},
        {"gate_activation": "hard_sigmoid"},
    ],
)
def test_squeeze_excite_becomes_layers_of_keras(shape, arguments):
    model = gated(shape=shape, **arguments)
    folded = fold(model)
    assert all(type(x).__module__.startswith("keras.") for x in folded.layers)
    assert_same_outputs(folded, model)


@pytest.mark.parametrize(
    ("pool", "padding", "becomes"),
    [
        (1, PadChannels(7, data_format="channels_last"), True),
        (2, PadChannels(7, data_format="channels_last"), False),
        (1, layers.ReLU(), False),
    ],
)
def test_shortcut_without_parameters_becomes_a_convolution(pool, padding, becomes):
    model = keras.Sequential(
        [
            keras.Input((9, 8, 4)),
            layers.MaxPooling2D(pool, 2),
            type(padding).from_config(padding.get_config()),
        ]
    )
    folded = fold(model)
    assert (kinds(folded) == ["InputLayer", "Conv2D"]) == becomes
    assert_same_outputs(folded, model)


def prelus():
    return layers.PReLU(), layers.PReLU(shared_axes=[1])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("prelu", prelus(), ids=["each channel", "shared"])
@pytest.mark.parametrize("rank", [3, 4])
def test_activations_with_weights_become_layers(data_format, prelu, rank):
    shape = (4, 9, 8)[: rank - 1] if data_format == "channels_first" else (9, 8, 4)
    model = gated(
        shape=shape[-rank + 1 :],
        activation=prelu,
        gate_activation=prelu,
        data_format=data_format,
    )
    for layer in (model.layers[-1].activation, model.layers[-1].gate_activation):
        layer.alpha.assign(np.linspace(0.1, 0.7, layer.alpha.shape[0]))
    folded = fold(model)
    assert kinds(folded).count("PReLU") == 2
    assert_same_outputs(folded, model)


@pytest.mark.parametrize(
    ("activation", "folds"),
    [
        ("softmax", False),
        (layers.Softmax(), False),
        (layers.LeakyReLU(), True),
        (keras.activations.tanh, True),
    ],
)
def test_activations_over_the_channels(activation, folds):
    """After a convolution with channels first they need another axis."""
    model = gated(
        shape=(4, 9, 8), data_format="channels_first", gate_activation=activation
    )
    folded = fold(model)
    assert ("SqueezeExcite" not in kinds(folded)) == folds
    assert_same_outputs(folded, model)


def test_gates_with_a_mask_stay():
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(tokens)
    x = SqueezeExcite(ratio=2)(layers.Dense(16)(x))
    model = keras.Model(tokens, layers.LSTM(3)(x))
    words = np.array([[1, 2, 0], [3, 0, 0]])
    folded = fold(randomize(model))
    for found, expected in zip(
        outputs(folded, words), outputs(model, words), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    part = keras.Sequential([keras.Input((None, 4)), SqueezeExcite(ratio=2)])
    outer = keras.Model(
        tokens, layers.LSTM(3)(part(layers.Embedding(9, 4, mask_zero=True)(tokens)))
    )
    np.testing.assert_array_equal(
        outputs(fold(outer), words)[0], outputs(outer, words)[0]
    )


def test_shortcut_that_something_else_takes_stays():
    image = keras.Input((8, 8, 4))
    pooled = layers.MaxPooling2D(1, 2)(image)
    model = keras.Model(
        image, [PadChannels(7, data_format="channels_last")(pooled), pooled]
    )
    folded = fold(model)
    assert "PadChannels" in kinds(folded)
    assert_same_outputs(folded, model)


def test_channels_first():
    model = gated(shape=(4, 9, 8), data_format="channels_first")
    assert_same_outputs(fold(model), model)


def test_other_gates_stay():
    model = randomize(
        keras.Sequential([keras.Input((8, 8, 4)), EffectiveSqueezeExcite()])
    )
    folded = fold(model)
    assert kinds(folded)[-1] == "EffectiveSqueezeExcite"
    assert_same_outputs(folded, model)


def test_a_shared_gate_stays():
    image = keras.Input((8, 8, 4))
    gate = SqueezeExcite(ratio=2)
    model = randomize(keras.Model(image, [gate(image), gate(image * 2)]))
    folded = fold(model)
    assert "SqueezeExcite" in kinds(folded)
    assert_same_outputs(folded, model)


def test_dropout_goes():
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)])
    assert kinds(fold(model)) == ["InputLayer", "Dense"]


class Noise(layers.Dropout):
    """A dropout that drops in inference too."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


class Odd(layers.BatchNormalization):
    """Another normalization."""

    def call(self, inputs, **arguments):
        return 2 * super().call(inputs, **arguments)


class Open(SqueezeExcite):
    """A gate that computes something else."""

    def call(self, x):
        return 2 * super().call(x)


@pytest.mark.parametrize(
    ("layer", "call"),
    [
        (layers.Dropout(0.5), {"training": True}),
        (layers.BatchNormalization(), {"training": True}),
        (Noise(0.5), {}),
        (Odd(), {}),
        (Open(ratio=2), {}),
    ],
    ids=["dropout", "norm", "own dropout", "own norm", "own gate"],
)
def test_what_inference_does_not_leave_out_stays(layer, call):
    image = keras.Input((6, 6, 4))
    x = layers.Conv2D(8, 1)(image)
    layer = type(layer).from_config(layer.get_config())
    model = keras.Model(image, layer(x, **call))
    assert type(layer).__name__ in kinds(fold(model))


def part(kind):
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(16, 1)(image)
    x = layers.BatchNormalization()(x)
    if kind == "sequential":
        return keras.Sequential(
            [keras.Input((8, 8, 4)), layers.Conv2D(16, 1), layers.BatchNormalization()]
        )
    outputs = [SqueezeExcite(ratio=2)(x), x] if kind == "two outputs" else x
    return keras.Model(image, outputs)


@pytest.mark.parametrize("end", ["layer", "output"])
@pytest.mark.parametrize("call", [{}, {"training": False}], ids=["plain", "told"])
@pytest.mark.parametrize("kind", ["functional", "sequential", "two outputs", "twice"])
def test_models_inside_are_folded(kind, call, end):
    image = keras.Input((8, 8, 4))
    inside = part(kind)
    results = keras.tree.flatten(inside(image, **call))
    if kind == "twice":
        results += keras.tree.flatten(inside(2 * image, **call))
    if end == "layer":
        results = [layers.GlobalAveragePooling2D()(x) for x in results]
    model = randomize(keras.Model(image, results))
    folded = fold(model)
    names = {type(layer).__name__ for layer in folded._flatten_layers()}
    assert not names & {"BatchNormalization", "SqueezeExcite"}
    assert_same_outputs(folded, model)
    assert fold(folded).count_params() == folded.count_params()


def test_layers_inside_are_found_by_name_however_often_it_is_folded():
    model = keras.Sequential([keras.Input((8, 8, 4)), part("sequential")])
    names = [layer.name for layer in model.layers[0].layers]
    folded = fold(fold(model))
    inside = folded.get_layer(model.layers[0].name)
    assert [layer.name for layer in inside.layers[1:]] == names[:1]


def add_lora(layer):
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))


@pytest.mark.parametrize(
    ("change", "last"),
    [
        (lambda model: model.quantize("int8"), layers.BatchNormalization()),
        (lambda model: add_lora(model.layers[0]), layers.BatchNormalization()),
        (lambda model: add_lora(model.layers[1].fc1), SqueezeExcite(ratio=2)),
    ],
    ids=["int8", "lora", "lora in a gate"],
)
def test_layers_with_other_weights_than_a_kernel(change, last):
    last = type(last).from_config(last.get_config())
    model = randomize(keras.Sequential([keras.Input((8, 8, 4)), layers.Dense(8), last]))
    change(model)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(fold(model).predict(x, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_quantized_gates_stay(mode):
    model = keras.Sequential([keras.Input((8, 8, 4)), SqueezeExcite(ratio=2)])
    model.quantize(mode)
    folded = fold(model)
    assert kinds(folded) == ["InputLayer", "SqueezeExcite"]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    np.testing.assert_array_equal(to_numpy(folded(x)), to_numpy(model(x)))


def test_frozen_layers_stay_frozen():
    image = keras.Input((8, 8, 4))
    x = layers.MaxPooling2D(1, 2)(image)
    x = PadChannels(8)(x)
    x = SqueezeExcite(ratio=2)(layers.BatchNormalization()(layers.Conv2D(8, 1)(x)))
    model = keras.Model(image, layers.Dense(3)(x))
    for layer in model.layers[:-1]:
        layer.trainable = False
    inside = keras.Sequential([keras.Input((8, 8, 4)), keras.Model(image, x)])
    inside.layers[0].trainable = False
    for each, count in ((model, 2), (inside, 0)):
        assert len(fold(each).trainable_weights) == count


def test_names_that_others_have_already():
    image = keras.Input((8, 8, 4))
    x = SqueezeExcite(ratio=2, name="se")(layers.Conv2D(8, 1)(image))
    for end in ("squeeze", "fc1", "fc2", "scale", "fc1_1"):
        x = layers.Rescaling(2.0, name=f"se_{end}")(x)
    model = randomize(keras.Model(image, x))
    folded = fold(model)
    assert "SqueezeExcite" not in kinds(folded)
    assert_same_outputs(folded, model)


def test_a_model_inside_that_is_told_to_train_stays():
    image = keras.Input((8, 8, 4))
    model = keras.Model(image, part("functional")(image, training=True))
    names = [type(layer).__name__ for layer in fold(model)._flatten_layers()]
    assert "BatchNormalization" in names


def test_the_model_stays_as_it_is():
    model = gated(layers.Conv2D(16, 1), layers.BatchNormalization())
    before = [np.array(w) for w in model.get_weights()]
    fold(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_statistics_far_from_one_keep_their_digits():
    """Against float64 arithmetic, where float32 folding would lose digits."""
    rng = np.random.default_rng(0)
    model = keras.Sequential(
        [keras.Input((4, 4, 8)), layers.Conv2D(8, 1), layers.BatchNormalization()]
    )
    conv, norm = model.layers
    kernel = rng.normal(size=(1, 1, 8, 8))
    statistics = [
        rng.uniform(0.1, 2, 8),
        rng.normal(size=8),
        rng.normal(0, 100, 8),
        np.exp(rng.uniform(-12, 12, 8)),
    ]
    conv.set_weights([kernel, rng.normal(size=8)])
    norm.set_weights(statistics)
    folded = fold(model)
    kernel, bias = (np.asarray(w, "float64") for w in conv.get_weights())
    gamma, beta, mean, variance = (np.asarray(w, "float64") for w in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    actual = folded.layers[-1].get_weights()
    np.testing.assert_array_equal(actual[0], (kernel * scale).astype("float32"))
    np.testing.assert_array_equal(
        actual[1], ((bias - mean) * scale + beta).astype("float32")
    )


def test_it_comes_back_from_a_file_without_this_package(tmp_path):
    model = gated(layers.Conv2D(16, 1), layers.BatchNormalization())
    folded = fold(model, name="inference")
    assert folded.name == "inference"
    folded.save(tmp_path / "m.keras")
    assert_same_outputs(keras.models.load_model(tmp_path / "m.keras"), model)


def test_a_model_without_a_graph():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="functional or a Sequential"):
        fold(Subclassed())

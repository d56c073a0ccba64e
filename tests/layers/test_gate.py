"""What every gate must do, whatever it computes."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from se_keras.layers import (
    ConcurrentSqueezeExcite,
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    Gate,
    SpatialSqueezeExcite,
    SqueezeExcite,
)
from tests.helpers import ROOT, feature_maps, randomized, relative_error, to_numpy

# Number of weights, and the shape of the gates for an input of shape (2, 5, 7, 8).
GATES = {
    SqueezeExcite: (4, (2, 8)),
    EffectiveSqueezeExcite: (2, (2, 8)),
    EfficientChannelAttention: (1, (2, 8)),
    SpatialSqueezeExcite: (2, (2, 5, 7, 1)),
    ConcurrentSqueezeExcite: (6, (2, 5, 7, 8)),
}
TOLERANCE = {"float32": 1e-6, "mixed_float16": 2e-3, "mixed_bfloat16": 2e-2}
NORMAL = keras.initializers.serialize(keras.initializers.RandomNormal(stddev=0.3))
UNIFORM = keras.initializers.serialize(keras.initializers.RandomUniform(-1, 1))
L2 = keras.regularizers.serialize(keras.regularizers.L2(0.1))

# Every argument at least once with a value that is not its default.
ARGUMENTS = [
    (
        SqueezeExcite,
        {
            "ratio": 3,
            "divisor": 2,
            "min_channels": 4,
            "round_limit": 0.9,
            "activation": "silu",
            "gate_activation": "hard_sigmoid",
            "squeeze": "max",
            "kernel_initializer": NORMAL,
            "bias_initializer": UNIFORM,
            "kernel_regularizer": L2,
            "data_format": "channels_first",
        },
    ),
    (SqueezeExcite, {"hidden_channels": 5, "use_bias": False}),
    (
        EffectiveSqueezeExcite,
        {
            "gate_activation": "sigmoid",
            "kernel_initializer": NORMAL,
            "bias_initializer": UNIFORM,
            "kernel_regularizer": L2,
            "data_format": "channels_first",
        },
    ),
    (EffectiveSqueezeExcite, {"use_bias": False}),
    (
        EfficientChannelAttention,
        {
            "gamma": 1,
            "beta": 2,
            "gate_activation": "hard_sigmoid",
            "kernel_initializer": NORMAL,
            "data_format": "channels_first",
        },
    ),
    (EfficientChannelAttention, {"kernel_size": 5}),
    (
        SpatialSqueezeExcite,
        {
            "gate_activation": "hard_sigmoid",
            "kernel_initializer": NORMAL,
            "bias_initializer": UNIFORM,
            "kernel_regularizer": L2,
            "data_format": "channels_first",
        },
    ),
    (SpatialSqueezeExcite, {"use_bias": False}),
    (
        ConcurrentSqueezeExcite,
        {"ratio": 4, "merge": "multiply", "data_format": "channels_first"},
    ),
    (ConcurrentSqueezeExcite, {"merge": "max", "dtype": "mixed_bfloat16"}),
]

every_gate = pytest.mark.parametrize("gate_cls", GATES)
every_precision = pytest.mark.parametrize("dtype", TOLERANCE)


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


@every_gate
def test_is_a_keras_layer(gate_cls):
    TestCase().run_layer_test(
        gate_cls,
        init_kwargs={},
        input_shape=(2, 5, 7, 8),
        expected_output_shape=(2, 5, 7, 8),
        expected_output_dtype="float32",
        expected_num_trainable_weights=GATES[gate_cls][0],
        expected_num_non_trainable_weights=0,
        expected_num_losses=0,
    )


@every_gate
@every_precision
def test_gate_is_output_over_input(gate_cls, dtype):
    x = np.abs(feature_maps(2, 5, 7, 8)) + 0.5
    layer = gate_cls(dtype=dtype)

    gates = layer.gate(x)

    assert tuple(gates.shape) == GATES[gate_cls][1]
    assert dtype_of(gates) == layer.compute_dtype
    expected = to_numpy(layer(x)) / x
    actual = to_numpy(layer.broadcast(gates, x))
    actual = np.broadcast_to(actual, expected.shape)
    assert relative_error(actual, expected) < TOLERANCE[dtype]


@every_gate
@every_precision
def test_gate_of_a_keras_tensor(gate_cls, dtype):
    x = feature_maps(2, 5, 7, 8)
    inputs = keras.Input((5, 7, 8))
    layer = gate_cls(dtype=dtype)

    gates = layer.gate(inputs)

    assert gates.shape == (None, *GATES[gate_cls][1][1:])
    assert gates.dtype == layer.compute_dtype
    np.testing.assert_array_equal(
        to_numpy(keras.Model(inputs, gates)(x)), to_numpy(layer.gate(x))
    )


@every_gate
@every_precision
def test_output_has_the_compute_dtype(gate_cls, dtype):
    x = feature_maps(2, 5, 7, 8)
    inputs = keras.Input(x.shape[1:])
    layer = randomized(gate_cls(dtype=dtype), x.shape)
    precise = randomized(gate_cls(), x.shape)

    outputs = layer(x)

    assert dtype_of(outputs) == layer.compute_dtype
    assert layer(inputs).dtype == layer.compute_dtype
    assert layer.compute_output_spec(inputs).dtype == layer.compute_dtype
    assert {dtype_of(w) for w in layer.weights} == {"float32"}
    assert relative_error(to_numpy(outputs), to_numpy(precise(x))) < TOLERANCE[dtype]


@every_gate
def test_unknown_spatial_sizes(gate_cls):
    layer = gate_cls()
    inputs = keras.Input((None, None, 8))
    model = keras.Model(inputs, layer(inputs))

    assert model.output_shape == (None, None, None, 8)
    for shape in [(2, 5, 7, 8), (1, 9, 4, 8), (3, 1, 1, 8)]:
        x = feature_maps(*shape)
        y = model.predict(x, verbose=0)
        assert relative_error(y, to_numpy(layer(x))) < 1e-6


@every_gate
def test_default_data_format_is_that_of_keras(gate_cls):
    keras.config.set_image_data_format("channels_first")
    assert gate_cls().data_format == "channels_first"


@every_gate
def test_learns_inside_sequential(gate_cls):
    layer = gate_cls()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(128, 3, activation="relu"),
            layer,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = layer.get_weights()

    model.train_on_batch(np.abs(feature_maps(4, 8, 8, 3)), np.arange(4))

    for old, new in zip(before, layer.get_weights(), strict=True):
        assert np.any(old != new)


@pytest.mark.parametrize(
    ("gate_cls", "kernels"),
    [(SqueezeExcite, 2), (EffectiveSqueezeExcite, 1), (SpatialSqueezeExcite, 1)],
)
def test_kernel_regularizer(gate_cls, kernels):
    layer = randomized(
        gate_cls(kernel_regularizer=keras.regularizers.L2(0.1)), (1, 5, 7, 8)
    )
    weights = [w for w in layer.weights if w.name == "kernel"]

    assert len(layer.losses) == len(weights) == kernels
    expected = 0.1 * sum(np.sum(to_numpy(w) ** 2) for w in weights)
    assert to_numpy(sum(layer.losses)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "gate_cls", [SqueezeExcite, EffectiveSqueezeExcite, SpatialSqueezeExcite]
)
def test_initializers(gate_cls):
    layer = gate_cls(kernel_initializer="ones", bias_initializer="ones")
    layer.build((None, 5, 7, 8))
    assert all(np.all(w == 1) for w in layer.get_weights())


@pytest.mark.parametrize("gate_cls", [g for g in GATES if g != ConcurrentSqueezeExcite])
def test_one_initializer_draws_different_kernels(gate_cls):
    initializer = keras.initializers.RandomNormal()
    layers = [gate_cls(kernel_initializer=initializer) for _ in range(2)]
    for layer in layers:
        layer.build((None, 5, 7, 8))

    kernels = [
        to_numpy(w).ravel()
        for layer in layers
        for w in layer.weights
        if w.name == "kernel"
    ]

    for i, kernel in enumerate(kernels):
        assert not any(np.allclose(kernel, other) for other in kernels[:i])


@pytest.mark.parametrize(("gate_cls", "arguments"), ARGUMENTS)
def test_config_holds_every_argument(gate_cls, arguments):
    config = gate_cls(**arguments).get_config()
    arguments = {k: v for k, v in arguments.items() if k != "dtype"}

    assert {name: config[name] for name in arguments} == arguments
    assert gate_cls.from_config(config).get_config() == config


LOAD_AND_RUN = """
import sys
import keras
import numpy as np
import se_keras

model = keras.models.load_model(sys.argv[1], safe_mode=True)
outputs = model(np.load(sys.argv[2]))
np.savez(sys.argv[3], *[keras.ops.convert_to_numpy(y) for y in outputs])
"""


def test_saved_model_loads_in_another_process(tmp_path):
    x = feature_maps(2, 6, 7, 8)
    inputs = keras.Input(x.shape[1:])
    layers = [gate_cls(**arguments) for gate_cls, arguments in ARGUMENTS]
    outputs = [keras.ops.cast(layer(inputs), "float32") for layer in layers]
    model = keras.Model(inputs, outputs)
    for layer in layers:
        layer.set_weights([w + 0.1 for w in layer.get_weights()])
    paths = [tmp_path / name for name in ("model.keras", "x.npy", "y.npz")]
    model.save(paths[0])
    np.save(paths[1], x)

    subprocess.run(
        [sys.executable, "-c", LOAD_AND_RUN, *paths],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )

    loaded = np.load(paths[2])
    assert len(loaded) == len(layers)
    for y, expected in zip(loaded.values(), model(x), strict=True):
        np.testing.assert_array_equal(y, to_numpy(expected))


@every_gate
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((None, 8), "rank 3"),
        ((None, 2, 2, 2, 2, 8), "rank 3"),
        ((None, 5, 7, None), "number of channels"),
    ],
)
def test_bad_input_shape(gate_cls, shape, message):
    received = f"Received: input_shape={shape}".replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=f"(?s){message}.*{received}"):
        gate_cls()(keras.Input(shape[1:]))


@every_gate
def test_integer_input(gate_cls):
    layer = gate_cls()
    images = np.ones((2, 5, 7, 8), "int32")
    for call, inputs in [
        (layer, images),
        (layer, keras.Input(images.shape[1:], dtype="int32")),
        (layer.gate, images),
    ]:
        with pytest.raises(ValueError, match=r"floating-point.*Received: dtype=int32"):
            call(inputs)


@every_gate
def test_bad_data_format(gate_cls):
    with pytest.raises(
        ValueError, match=r"`data_format`.*Received: data_format='NHWC'"
    ):
        gate_cls(data_format="NHWC")


@every_gate
def test_misspelt_argument(gate_cls):
    with pytest.raises(ValueError, match="data_fromat"):
        gate_cls(data_fromat="channels_last")


class Shaped(Gate):
    """Computes "gates" by any function."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def build_gate(self, channels, rank):
        pass

    def compute_gate(self, inputs):
        return self.function(inputs)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: keras.ops.mean(x, (1, 2)),
        lambda x: keras.ops.mean(x, (1, 2), keepdims=True),
        lambda x: keras.ops.mean(x, -1, keepdims=True),
        keras.ops.sigmoid,
    ],
)
def test_shapes_of_gates(function):
    x = feature_maps(2, 5, 7, 8)
    assert Shaped(function)(x).shape == x.shape
    assert Shaped(function)(keras.Input((None, None, 8))).shape[-1] == 8


@pytest.mark.parametrize(
    ("function", "received"),
    [
        (lambda x: keras.ops.mean(x, (2, 3)), r"\(2, 5\)"),
        (lambda x: keras.ops.mean(x, -1), r"\(2, 5, 7\)"),
        (lambda x: keras.ops.mean(x, 1, keepdims=True), r"\(2, 1, 7, 8\)"),
        (lambda x: keras.ops.mean(x, (0, 1, 2)), r"\(8,\)"),
        (lambda x: None, "NoneType"),
    ],
)
def test_shapes_that_are_no_gates(function, received):
    """Some would scale the images of a batch by each other's gates."""
    with pytest.raises(ValueError, match=rf"Shaped must compute gates.*{received}"):
        Shaped(function)(feature_maps(2, 5, 7, 8))
    with pytest.raises(ValueError, match="Shaped must compute gates"):
        Shaped(function)(keras.Input((5, 7, 8)))


def test_gates_of_another_precision():
    x = feature_maps(2, 5, 7, 8)
    layer = Shaped(lambda x: keras.ops.zeros((2, 8), "float32"), dtype="mixed_float16")
    assert keras.backend.standardize_dtype(layer(x).dtype) == "float16"


@pytest.mark.parametrize("method", ["build_gate", "compute_gate"])
def test_what_a_subclass_has_to_implement(method):
    class Empty(Gate):
        if method == "compute_gate":

            def build_gate(self, channels, rank):
                pass

    with pytest.raises(NotImplementedError, match=rf"Empty must implement `{method}`"):
        Empty()(keras.Input((5, 7, 8)))


@pytest.mark.parametrize(("gate_cls", "arguments"), ARGUMENTS)
def test_a_frozen_layer_is_frozen_after_loading(gate_cls, arguments, tmp_path):
    image = keras.Input((6, 7, 8))
    x = gate_cls(**arguments)(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(keras.ops.cast(x, "float32")))
    model.layers[1].trainable = False
    assert len(model.trainable_variables) == 2
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert len(loaded.trainable_variables) == 2
    loaded.layers[1].trainable = True
    assert len(loaded.layers[1].trainable_variables) == len(loaded.layers[1].weights)

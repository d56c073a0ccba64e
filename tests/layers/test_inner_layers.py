"""The layers inside of a gate: quantization, LoRA, activations with weights."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from se_keras.layers import (
    ConcurrentSqueezeExcite,
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    SpatialSqueezeExcite,
    SqueezeExcite,
)
from tests.helpers import ROOT, feature_maps, to_numpy

LOAD = """
import sys
import keras
import numpy as np
import se_keras
model = keras.models.load_model(sys.argv[1])
outputs = keras.tree.flatten(model(np.load(sys.argv[2])))
np.savez(sys.argv[3], *map(keras.ops.convert_to_numpy, outputs))
"""


def network(*gates, shape=(5, 7, 8)):
    image = x = keras.Input(shape)
    for gate in gates:
        x = gate(x)
    return keras.Model(image, layers.Dense(3)(x))


def quantizable():
    return network(SqueezeExcite(ratio=2), ConcurrentSqueezeExcite())


def drawn(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def assert_same(actual, expected, x=None):
    x = feature_maps(2, *expected.input_shape[1:]) if x is None else x
    found, wanted = actual(x), expected(x)
    for y, z in zip(keras.tree.flatten(found), keras.tree.flatten(wanted), strict=True):
        np.testing.assert_array_equal(to_numpy(y), to_numpy(z))


def saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.models.load_model(tmp_path / "model.keras")


QUANTIZATIONS = [
    "int8",
    pytest.param("int4", marks=pytest.mark.slow),
    pytest.param("float8", marks=pytest.mark.slow),
    pytest.param(
        keras.quantizers.Int4QuantizationConfig(block_size=2), marks=pytest.mark.slow
    ),
    pytest.param(
        keras.quantizers.Int8QuantizationConfig(
            activation_quantizer=None,
            weight_quantizer=keras.quantizers.AbsMaxQuantizer(
                axis=0, value_range=(-100, 100)
            ),
        ),
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("kind", QUANTIZATIONS)
def test_quantized_gates_come_back_from_a_file(kind, tmp_path):
    model = drawn(quantizable())
    before = to_numpy(model(feature_maps(2, 5, 7, 8)))
    model.quantize(
        *([kind] if isinstance(kind, str) else []),
        config=(None if isinstance(kind, str) else kind),
    )
    assert model.layers[1].fc1.quantization_mode is not None
    assert np.any(to_numpy(model(feature_maps(2, 5, 7, 8))) != before)
    loaded = saved_and_loaded(model, tmp_path)
    assert_same(loaded, model)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_a_clone_of_a_quantized_model_takes_its_weights(mode):
    model = drawn(quantizable())
    model.quantize(mode)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert_same(clone, model)


@pytest.mark.slow
def test_layers_of_a_users_gate_are_found_without_their_names(tmp_path):
    """Keras numbers layers without a name anew in each process."""
    model = network(Named(), Named())
    model.quantize("int8")
    assert_same(saved_and_loaded(drawn_scales(model), tmp_path), model)


def drawn_scales(model):
    for weight in model.weights:
        if weight.name == "kernel_scale":
            weight.assign(weight + 1.0)
    return model


@keras.saving.register_keras_serializable(package="tests")
class Named(SqueezeExcite):
    """A gate with a layer that Keras names."""

    def build_gate(self, channels, rank):
        super().build_gate(channels, rank)
        self.last = layers.Dense(channels, dtype=self.dtype_policy)
        self.last.build((None, channels))

    def excite(self, squeezed):
        return self.last(super().excite(squeezed))


def test_lora_comes_back_from_a_file(tmp_path):
    model = drawn(network(SqueezeExcite(ratio=2)))
    dense = model.layers[1].fc1
    dense.enable_lora(2, lora_alpha=3)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    loaded = saved_and_loaded(model, tmp_path)
    x = feature_maps(2, 5, 7, 8)
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(model(x)), rtol=1e-5)
    assert loaded.layers[1].fc1.lora_enabled
    assert loaded.layers[1].fc1.lora_alpha == 3
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


def test_a_gate_of_a_quantized_dtype():
    with pytest.raises(
        ValueError, match=r"quantize the model.*dtype='int8_from_float32'"
    ):
        SqueezeExcite(dtype="int8_from_float32")


def with_prelu(activation, shape):
    """Returns a model of all gates that take an activation, with one layer for all."""
    return drawn(
        network(
            SqueezeExcite(ratio=2, activation=activation, gate_activation=activation),
            SqueezeExcite(ratio=2, activation=activation),
            EfficientChannelAttention(gate_activation=activation),
            EffectiveSqueezeExcite(gate_activation=activation),
            SpatialSqueezeExcite(gate_activation=layers.PReLU(shared_axes=[1, 2])),
            shape=shape,
        )
    )


def test_activations_with_weights_come_back(tmp_path):
    model = with_prelu(layers.PReLU(), (5, 7, 8))
    alphas = {id(w) for w in model.weights if w.name == "alpha"}
    assert len(alphas) == 6
    assert_same(saved_and_loaded(model, tmp_path), model)
    model.save_weights(tmp_path / "model.weights.h5")
    clone = keras.models.clone_model(model)
    clone.load_weights(tmp_path / "model.weights.h5")
    assert_same(clone, model)


def test_activations_with_weights_against_numpy():
    layer = SqueezeExcite(ratio=2, activation=layers.PReLU(), gate_activation="linear")
    layer.build((None, 5, 7, 8))
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    x = feature_maps(2, 5, 7, 8)
    kernel1, bias1, kernel2, bias2, alpha = (
        to_numpy(weight)
        for weight in (
            layer.fc1.kernel,
            layer.fc1.bias,
            layer.fc2.kernel,
            layer.fc2.bias,
            layer.activation.alpha,
        )
    )
    hidden = x.astype("float64").mean((1, 2)) @ kernel1 + bias1
    hidden = np.where(hidden > 0, hidden, alpha * hidden)
    np.testing.assert_allclose(
        to_numpy(layer.gate(x)), hidden @ kernel2 + bias2, rtol=1e-4, atol=1e-5
    )


def test_an_activation_learns_and_is_frozen_with_its_gate():
    layer = SqueezeExcite(ratio=2, activation=layers.PReLU(), dtype="mixed_float16")
    model = network(layer)
    assert len(layer.trainable_weights) == 5
    model.compile("sgd", "mse")
    model.fit(feature_maps(4, 5, 7, 8), np.ones((4, 5, 7, 3)), verbose=0)
    assert layer.activation.compute_dtype == "float16"
    frozen = SqueezeExcite(ratio=2, activation=layers.PReLU(), trainable=False)
    frozen.build((None, 5, 7, 8))
    assert not any(weight.trainable for weight in frozen.weights)


def test_activations_that_cannot_be_right():
    built = layers.PReLU()
    built.build((None, 4))
    with pytest.raises(
        ValueError, match=r"`activation`.*without weights yet.*is built"
    ):
        SqueezeExcite(activation=built)
    with pytest.raises(ValueError, match=r"shape \(None, None, None, 1\).*PReLU"):
        SpatialSqueezeExcite(gate_activation=layers.PReLU())(keras.Input((5, 7, 8)))


def test_gates_of_several_tensors_share_weights(tmp_path):
    """Loaded in a process of its own."""
    image, other = keras.Input((5, 7, 8)), keras.Input((None, None, 8))
    layer = SqueezeExcite(ratio=2, name="se")
    spatial = SpatialSqueezeExcite(name="spatial")
    model = keras.Model(
        [image, other],
        {
            "gates": [layer.gate(image), layer.gate(other)],
            "scaled": layer(image),
            "last": layer.gate(keras.ops.relu(image)),
            "spatial": [spatial.gate(image), spatial.gate(other)],
        },
    )
    drawn(model)
    assert len(model.weights) == 6
    x = feature_maps(2, 5, 7, 8)
    outputs = keras.tree.flatten(model([x, 2 * x]))
    for output, expected in zip(
        outputs[:2], (layer.gate(x), layer.gate(2 * x)), strict=True
    ):
        np.testing.assert_array_equal(to_numpy(output), to_numpy(expected))
    clone = keras.models.clone_model(model)
    assert len(clone.weights) == 6
    clone.set_weights(model.get_weights())
    one = keras.Model(image, [layer.gate(image), layer.gate(image * 2.0)])
    one.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    paths = [tmp_path / name for name in ("model.keras", "x.npy", "y.npz")]
    subprocess.run([sys.executable, "-c", LOAD, *paths], cwd=ROOT, check=True)
    found = np.load(paths[2])
    for output, expected in zip(found.values(), one(x), strict=True):
        np.testing.assert_array_equal(output, to_numpy(expected))
    loaded = saved_and_loaded(model, tmp_path)
    assert len(loaded.weights) == 6
    for each in (loaded, clone):
        for output, expected in zip(
            keras.tree.flatten(each([x, 2 * x])), outputs, strict=True
        ):
            np.testing.assert_array_equal(to_numpy(output), to_numpy(expected))


def test_a_call_of_ones_own_without_gates():
    class Own(SqueezeExcite):
        def call(self, inputs):
            return 2 * super().call(inputs)

    with pytest.raises(
        ValueError, match=r"`Own.call` to have the argument `gates_only`"
    ):
        Own(ratio=2).gate(keras.Input((5, 7, 8)))

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from se_keras import layers
from se_keras.graph import add_squeeze_excite, remove_squeeze_excite
from se_keras.graph.attention import (
    ATTENTION_LAYERS,
    doubled_hard_sigmoid,
    doubled_sigmoid,
)
from se_keras.layers.gate import Gate
from se_keras.models import ResNetSpec, create_model
from tests.graph.tools import arguments, gates, outputs, randomize


def image(name="image"):
    return keras.Input((8, 8, 3), name=name)


def conv(name, filters=8):
    return keras.layers.Conv2D(filters, 3, padding="same", name=name)


def chain():
    x = image()
    y = keras.layers.ReLU(name="relu")(conv("conv1")(x))
    y = keras.layers.GlobalAveragePooling2D(name="pool")(conv("conv2")(y))
    return keras.Model(x, keras.layers.Dense(5, name="head")(y), name="chain")


def two_inputs_two_outputs():
    a, b = image("a"), image("b")
    y = keras.layers.Add(name="add")([conv("conv_a")(a), conv("conv_b")(b)])
    head = keras.layers.Dense(2, name="head")(keras.layers.Flatten(name="flat")(y))
    return keras.Model({"a": a, "b": b}, {"map": y, "head": head})


def shared():
    a, b = image("a"), image("b")
    layer = conv("conv")
    y = keras.layers.Concatenate(name="concat")([layer(a), layer(b)])
    return keras.Model([a, b], y)


def operations():
    x = image()
    y = conv("conv")(x)
    y = ops.relu(y[:, ::2]) + 1.0
    return keras.Model(x, y)


def nested():
    inner, x = image("inner"), image()
    submodel = keras.Model(inner, conv("deep", 3)(inner), name="submodel")
    return keras.Model(x, conv("conv")(submodel(x)))


def sequence():
    x = keras.Input((10, 3), name="signal")
    return keras.Model(x, keras.layers.Conv1D(8, 3, name="conv")(x))


def volume():
    x = keras.Input((4, 4, 4, 3), name="volume")
    return keras.Model(x, keras.layers.Conv3D(8, 3, name="conv")(x))


def names(model):
    return [gate.name for gate in gates(model)]


@pytest.mark.parametrize(
    ("create", "after", "expected"),
    [
        (chain, ["conv1"], ["conv1_se"]),
        (chain, "conv1", ["conv1_se"]),
        (chain, ["image"], ["image_se"]),
        (chain, ["conv2", "relu", "conv2"], ["relu_se", "conv2_se"]),
        (
            chain,
            lambda layer: isinstance(layer, keras.layers.Conv2D),
            ["conv1_se", "conv2_se"],
        ),
        (two_inputs_two_outputs, ["conv_a"], ["conv_a_se"]),
        (two_inputs_two_outputs, ["add"], ["add_se"]),
        (shared, ["conv"], ["conv_se"]),
        (nested, ["submodel"], ["submodel_se"]),
        (nested, ["conv"], ["conv_se"]),
        (operations, lambda layer: layer.name == "conv", ["conv_se"]),
        (sequence, ["conv"], ["conv_se"]),
        (volume, ["conv"], ["conv_se"]),
    ],
)
def test_add_starts_at_identity_and_remove_is_the_inverse(create, after, expected):
    model = randomize(create())
    se_model = add_squeeze_excite(model, after=after, ratio=2)
    assert names(se_model) == expected
    for output, wanted in zip(outputs(se_model), outputs(model), strict=True):
        np.testing.assert_allclose(output, wanted, rtol=1e-5)

    for gate in gates(se_model):
        gate.fc2.bias.assign(ops.ones(gate.fc2.bias.shape))
    assert not np.allclose(outputs(se_model)[0], outputs(model)[0], rtol=1e-2)

    plain = remove_squeeze_excite(se_model)
    assert [op.name for op in plain.operations] == [op.name for op in model.operations]
    for output, wanted in zip(outputs(plain), outputs(model), strict=True):
        np.testing.assert_array_equal(output, wanted)


def test_operation_of_keras_ops_can_be_a_place():
    model = operations()
    relu = next(op for op in model.operations if type(op).__name__ == "Relu")
    se_model = add_squeeze_excite(model, after=[relu.name], ratio=2)
    assert names(se_model) == [f"{relu.name}_se"]
    np.testing.assert_allclose(outputs(se_model), outputs(model), rtol=1e-5)


def test_shared_layer_gets_one_gate_after_each_call():
    se_model = add_squeeze_excite(shared(), after=["conv"], ratio=2)
    (gate,) = gates(se_model)
    gate.fc2.bias.assign(ops.full(gate.fc2.bias.shape, 100.0))
    plain = remove_squeeze_excite(se_model)
    np.testing.assert_allclose(outputs(se_model)[0], 2 * outputs(plain)[0], rtol=1e-5)


@pytest.mark.parametrize("gate", [*ATTENTION_LAYERS, "prototype"])
def test_every_gate_starts_at_identity_and_learns(gate):
    model = chain()
    if gate == "prototype":
        gate = layers.SqueezeExcite(4, activation="swish", gate_activation="sigmoid")
    # Wide enough that some hidden units are not 0 after their ReLU.
    ratio = 0.5 if gate in ("se", "scse") else None
    se_model = add_squeeze_excite(model, after=["conv1"], ratio=ratio, attention=gate)
    np.testing.assert_allclose(outputs(se_model), outputs(model), rtol=1e-5)

    (gate,) = gates(se_model)
    se_model.compile(keras.optimizers.SGD(1e-3), "mse")
    inputs = arguments(model, batch=4)
    for _ in range(2):
        before = [ops.convert_to_numpy(weight) for weight in gate.weights]
        se_model.fit(inputs, np.ones((4, 5)), batch_size=4, verbose=0)
    for old, weight in zip(before, gate.weights, strict=True):
        assert np.abs(ops.convert_to_numpy(weight) - old).max() > 0, weight.path
    assert not np.allclose(outputs(se_model), outputs(model), rtol=1e-5)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("sigmoid", doubled_sigmoid),
        ("hard_sigmoid", doubled_hard_sigmoid),
        (doubled_sigmoid, doubled_sigmoid),
    ],
)
def test_identity_start_doubles_the_gate_activation(activation, expected):
    gate = layers.SqueezeExcite(2, gate_activation=activation)
    se_model = add_squeeze_excite(chain(), after=["conv1"], attention=gate)
    assert gates(se_model)[0].gate_activation is expected
    assert gate.gate_activation is keras.activations.get(activation)


def test_doubled_activations():
    x = np.array([-100.0, 0.0, 100.0], "float32")
    for function in (doubled_sigmoid, doubled_hard_sigmoid):
        np.testing.assert_array_equal(ops.convert_to_numpy(function(x)), [0, 1, 2])


def test_without_identity_start_the_gate_is_what_was_asked_for():
    gate = layers.SqueezeExcite(2, gate_activation="tanh", bias_initializer="ones")
    se_model = add_squeeze_excite(
        chain(), after=["conv1"], attention=gate, identity_start=False
    )
    (copy,) = gates(se_model)
    assert copy is not gate
    assert copy.gate_activation is keras.activations.tanh
    np.testing.assert_array_equal(copy.fc2.bias, np.ones(8))
    assert np.abs(copy.fc2.kernel).max() > 0
    assert not np.allclose(outputs(se_model), outputs(chain()), rtol=1e-2)


class OwnGate(Gate):
    """A gate that nobody knows how to start at 1."""


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (layers.SqueezeExcite(gate_activation="tanh"), r"'tanh', which is 0 at 0"),
        (layers.ConcurrentSqueezeExcite(merge="max"), r"merge='max'"),
        (OwnGate(), r"Received: OwnGate"),
    ],
)
def test_gates_that_cannot_start_at_identity_raise(gate, message):
    with pytest.raises(ValueError, match=message):
        add_squeeze_excite(chain(), after=["conv1"], attention=gate)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"after": ["convl"]},
            r"Did you mean 'conv\d' or 'conv\d'\? Received: 'convl'",
        ),
        ({"after": [3]}, r"layers of model 'chain'. Received: 3"),
        ({"after": []}, r"at least one layer. Received: after=\[\]"),
        ({"after": lambda layer: False}, r"which chooses none of model 'chain'"),
        ({"after": 3}, r"names of layers or a function of a layer. Received: after=3"),
        ({"after": conv("x")}, r"a function of a layer. Received: after=<Conv2D"),
        ({}, r"Without `after` .* Received: model 'chain' with layers of none"),
        ({"after": ["pool"]}, r"after 'pool' needs .* Received: float32 \(None, 8\)"),
        ({"after": ["conv1", "head"]}, r"after 'head' needs"),
        ({"after": ["conv1"], "ratio": 0}, r"Received: ratio=0"),
        ({"after": ["conv1"], "attention": "senet"}, r"Received: attention='senet'"),
        (
            {"after": ["conv1"], "attention": conv("x")},
            r"declares `last_layers`.* Received: Conv2D",
        ),
        (
            {"after": ["conv1"], "attention": "eca", "ratio": 8},
            r"ratio=8 with attention='eca'",
        ),
        (
            {"after": ["conv1"], "attention": layers.SqueezeExcite(), "ratio": 8},
            r"attention=SqueezeExcite\(ratio=8\)\. Received: ratio=8 with attention=Sq",
        ),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        add_squeeze_excite(chain(), **arguments)


def integers():
    x = keras.Input((8, 8, 3), dtype="int32", name="image")
    return keras.Model(x, conv("conv")(x))


def unknown_channels():
    x = keras.Input((8, 8, None), name="image")
    return keras.Model(x, keras.layers.ReLU(name="relu")(x))


def several_outputs():
    x = image()
    y = keras.layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(
        keras.layers.Reshape((64, 3))(x)
    )
    return keras.Model(x, y[1])


def two_widths():
    a, b = image("a"), keras.Input((8, 8, 5), name="b")
    relu = keras.layers.ReLU(name="relu")
    return keras.Model([a, b], [relu(a), relu(b)])


def two_ranks():
    a, b = image("a"), keras.Input((8, 3), name="b")
    relu = keras.layers.ReLU(name="relu")
    return keras.Model([a, b], [relu(a), relu(b)])


@pytest.mark.parametrize(
    ("create", "after", "message"),
    [
        (integers, "image", r"'image' .* Received: int32 \(None, 8, 8, 3\)"),
        (unknown_channels, "relu", r"'relu' .* Received: .* \(None, 8, 8, None\)"),
        (several_outputs, "lstm", r"'lstm' needs a .* \(None, 64, 4\), float32"),
        (two_widths, "relu", r"'relu' .* \(None, 8, 8, 3\), float32 \(None, 8, 8, 5\)"),
        (two_ranks, "relu", r"'relu' .* \(None, 8, 8, 3\), float32 \(None, 8, 3\)"),
        (nested, "deep", r"'deep', a layer in the submodel 'submodel'"),
        (nested, None, r"submodels, here 'submodel', don't count"),
    ],
)
def test_places_that_make_no_sense_raise(create, after, message):
    with pytest.raises(ValueError, match=message):
        add_squeeze_excite(create(), after=after)


def test_a_second_gate_after_a_layer_raises():
    model = add_squeeze_excite(chain(), after=["conv1"])
    with pytest.raises(ValueError, match=r"after 'conv1' .* a layer 'conv1_se'"):
        add_squeeze_excite(model, after=["conv1"])
    assert names(add_squeeze_excite(model, after=["conv1_se"])) == [
        "conv1_se",
        "conv1_se_se",
    ]


def test_remove_needs_gates():
    with pytest.raises(
        ValueError, match=r"attention layers to remove. Received: .* 'chain'"
    ):
        remove_squeeze_excite(chain())
    with pytest.raises(ValueError, match=r"here 'submodel'"):
        remove_squeeze_excite(nested())


def test_name_of_the_copy():
    se_model = add_squeeze_excite(chain(), after=["conv1"], name="se_chain")
    assert se_model.name == "se_chain"
    assert remove_squeeze_excite(se_model).name == "se_chain"
    assert remove_squeeze_excite(se_model, name="chain").name == "chain"


def test_sequential():
    model = keras.Sequential([image(), conv("conv")], name="steps")
    se_model = add_squeeze_excite(model, after=["conv"])
    inputs = arguments(se_model)
    expected = outputs(model, inputs)
    np.testing.assert_allclose(outputs(se_model, inputs), expected, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_gate_has_the_precision_of_its_place(policy):
    x = image()
    y = keras.layers.Conv2D(8, 3, dtype=policy, name="conv")(x)
    y = keras.layers.ReLU(dtype=policy, name="relu")(y)
    model = keras.Model(x, keras.layers.GlobalAveragePooling2D()(y))
    se_model = add_squeeze_excite(model, after=["relu"])
    (gate,) = gates(se_model)
    assert gate.dtype_policy.name == policy
    assert gate.fc1.dtype_policy.name == policy
    np.testing.assert_array_equal(outputs(se_model), outputs(model))


def test_gate_has_the_layout_of_its_place():
    x = keras.Input((3, 8, 9), name="image")
    y = keras.layers.Conv2D(16, 1, data_format="channels_first", name="conv")(x)
    y = keras.layers.BatchNormalization(axis=1, name="bn")(y)
    model = keras.Model(x, keras.layers.ReLU(name="relu")(y))
    (gate,) = gates(add_squeeze_excite(model, after=["relu"]))
    assert gate.data_format == "channels_first"
    assert gate.fc2.units == 16


def test_rule_for_our_own_networks():
    model = create_model("resnet20", input_shape=(8, 8, 3), classes=10)
    model.class_names = tuple("abcdefghij")
    se_model = add_squeeze_excite(model)
    assert names(se_model) == [
        f"stage{stage}_block{block}_se" for stage in (1, 2, 3) for block in (1, 2, 3)
    ]
    assert type(se_model) is type(model)
    assert se_model.preprocessing == model.preprocessing
    assert se_model.class_names == model.class_names

    twin = create_model("se_resnet20", input_shape=(8, 8, 3), classes=10)
    assert se_model.count_params() == twin.count_params()
    plain = remove_squeeze_excite(twin)
    assert [layer.name for layer in plain.layers] == [
        layer.name for layer in model.layers
    ]


def test_a_network_of_ones_own_declares_its_places():
    spec = ResNetSpec(block="basic", depths=(1, 2), widths=(8, 8), attention=None)
    model = create_model(spec, input_shape=(32, 32, 3))
    expected = ["stage1_block1_se", "stage2_block1_se", "stage2_block2_se"]
    assert names(add_squeeze_excite(model)) == expected


def test_layers_that_only_have_the_names_of_a_network_are_not_one():
    x = y = image()
    for name in ("block1_bn1", "block1_bn2"):
        y = keras.layers.BatchNormalization(name=f"stage1_{name}")(y)
    with pytest.raises(ValueError, match="with layers of none of them"):
        add_squeeze_excite(keras.Model(x, y))


def test_the_gate_activation():
    model = add_squeeze_excite(
        chain(), after="conv1", gate_activation="tanh", identity_start=False
    )
    assert gates(model)[0].gate_activation is keras.activations.tanh
    with pytest.raises(ValueError, match=r"ratio.*gate_activation='tanh'"):
        add_squeeze_excite(chain(), "conv1", "scse", gate_activation="tanh")


def test_model_loads_where_only_se_keras_was_imported(tmp_path):
    model = add_squeeze_excite(chain(), after=["conv1"])
    model = add_squeeze_excite(model, after=["conv2"], attention="ese")
    inputs = arguments(model)
    np.save(tmp_path / "inputs.npy", inputs)
    model.save(tmp_path / "model.keras")
    script = """
import sys, keras, numpy, se_keras
model = keras.models.load_model(f"{sys.argv[1]}/model.keras", safe_mode=True)
outputs = model(numpy.load(f"{sys.argv[1]}/inputs.npy"))
numpy.save(f"{sys.argv[1]}/outputs.npy", keras.ops.convert_to_numpy(outputs))
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    loaded = np.load(tmp_path / "outputs.npy")
    np.testing.assert_allclose(loaded, outputs(model)[0], rtol=1e-5)


def test_old_model_is_not_touched_by_training_the_new_one():
    model = chain()
    before = outputs(model)
    se_model = add_squeeze_excite(model, after=["conv1"])
    se_model.compile("sgd", "mse")
    se_model.fit(arguments(model), np.ones((2, 5)), verbose=0)
    np.testing.assert_array_equal(outputs(model), before)
    assert names(model) == []


def test_classes_of_one_name():
    """Unregistered classes are copied for what they are, whatever their names."""

    def scale(factor):
        class Scale(keras.layers.Layer):
            def call(self, x):
                return x * factor

        return Scale()

    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, name="conv")(image)
    model = keras.Model(image, scale(3.0)(scale(2.0)(x)))
    expected = outputs(model)
    for actual, wanted in zip(
        outputs(add_squeeze_excite(model, after="conv")), expected, strict=True
    ):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6)


def doubled(x):
    return 2 * x


@pytest.mark.parametrize("function", [doubled, lambda x: 3 * x])
@pytest.mark.parametrize("place", ["activation", "layer", "Lambda"])
def test_functions_that_are_not_registered(function, place):
    image = keras.Input((8, 8, 3))
    activation = function if place == "activation" else None
    x = keras.layers.Conv2D(8, 3, name="conv", activation=activation)(image)
    if place == "layer":
        x = keras.layers.Activation(function)(x)
    if place == "Lambda":
        x = keras.layers.Lambda(function, output_shape=(6, 6, 8))(x)
    model = keras.Model(image, x)
    (expected,) = outputs(model)
    (actual,) = outputs(add_squeeze_excite(model, after="conv"))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_tokens_behind_convolutions_with_channels_first():
    image = keras.Input((3, 8, 8))
    x = keras.layers.Conv2D(16, 4, strides=4, data_format="channels_first")(image)
    x = keras.layers.Permute((2, 1))(keras.layers.Reshape((16, 4))(x))
    model = keras.Model(image, keras.layers.Dense(32, name="mlp")(x))
    gate = add_squeeze_excite(model, after="mlp").get_layer("mlp_se")
    assert gate.data_format == "channels_last"
    assert gate.fc2.units == 32


@pytest.mark.parametrize("frozen", ["model", "layers", "one layer"])
def test_gates_of_a_frozen_model_train(frozen):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, name="conv")(image)
    model = keras.Model(image, keras.layers.Conv2D(8, 3, name="last")(x))
    if frozen == "model":
        model.trainable = False
    else:
        for layer in model.layers if frozen == "layers" else [model.get_layer("conv")]:
            layer.trainable = False
    result = add_squeeze_excite(model, after="conv")
    gate = result.get_layer("conv_se")
    own = {weight.path for weight in gate.trainable_weights}
    others = [w for w in result.trainable_weights if w.path not in own]
    assert len(others) == (2 if frozen == "one layer" else 0)
    # Those of the model: a frozen model has none, whatever its layers say.
    assert len(result.trainable_weights) == 4 + len(others)
    for layer in model.layers[1:]:
        assert result.get_layer(layer.name).trainable == layer.trainable
    plain = remove_squeeze_excite(result)
    assert len(plain.trainable_weights) == len(others)


@pytest.mark.parametrize("after", ["conv1", "conv2"])
def test_a_layer_that_changes_the_shape_is_refused(after):
    layer = keras.layers.Conv2D(7, 1)
    with pytest.raises(ValueError, match=rf"keep the shape.*after '{after}'"):
        add_squeeze_excite(chain(), after, attention=layer, identity_start=False)


@keras.saving.register_keras_serializable(package="tests")
class DeclaredGate(layers.DenseGate):
    """Declares where it can start at 1."""

    last_layers = ("fc",)

    def build_gate(self, channels, rank):
        self.fc = self.dense("fc", channels, self.gate_activation, channels)

    def excite(self, squeezed):
        return self.fc(squeezed)


def test_a_gate_of_ones_own_starts_at_identity():
    model = chain()
    se_model = add_squeeze_excite(model, after=["conv1"], attention=DeclaredGate())
    np.testing.assert_allclose(outputs(se_model), outputs(model), rtol=1e-5)


class Unregistered(layers.SqueezeExcite):
    """A class that Keras does not find by name."""


def test_a_class_that_is_not_registered_can_be_added():
    se_model = add_squeeze_excite(chain(), after=["conv1"], attention=Unregistered(4))
    assert [type(gate) for gate in gates(se_model)] == [Unregistered]

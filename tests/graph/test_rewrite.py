import keras
import numpy as np
import pytest
from keras import layers, ops

from se_keras.graph.rewrite import Graph, Ref
from se_keras.models import ImageModel, Preprocessing
from tests.graph.tools import arguments, as_in_a_file, outputs, randomize


@keras.saving.register_keras_serializable(package="tests")
class Twice(keras.layers.Layer):
    """A layer of two layers, of which the first is frozen."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Conv2D(3, 1)
        self.second = layers.Conv2D(3, 1)
        self.first.trainable = False

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build(input_shape)

    def call(self, inputs):
        return self.second(self.first(inputs))


def image(name="image"):
    return keras.Input((8, 8, 3), name=name)


def sequence():
    x = image()
    y = layers.Conv2D(4, 3, name="conv")(x)
    y = layers.BatchNormalization(name="bn")(y)
    return keras.Model(x, layers.ReLU(name="relu")(y), name="sequence")


def shared_layer():
    a, b = image("a"), image("b")
    conv = layers.Conv2D(4, 3, name="conv")
    y = layers.Concatenate(name="concat")([conv(a), conv(b)])
    return keras.Model([a, b], y)


def dictionaries():
    a, b = image("a"), image("b")
    pair = layers.Conv2D(3, 1, name="conv")(a), layers.ReLU(name="relu")(b)
    y = layers.Add(name="add")(pair)
    return keras.Model({"b": b, "a": a}, {"sum": y, "parts": [pair[1], (pair[0],)]})


def operations():
    x = image()
    y = x[:, ::2, 1:] + 1.0
    y = ops.concatenate([y, ops.mean(y, axis=(1, 2), keepdims=True) * y], axis=-1)
    return keras.Model(x, ops.split(y, 2, axis=-1))


def submodels():
    inner, x = image("inner"), image()
    functional = keras.Model(inner, layers.Conv2D(3, 1)(inner), name="functional")
    sequential = keras.Sequential([image("first"), layers.Conv2D(3, 1)], name="steps")
    y = functional(x)
    return keras.Model(x, [functional(sequential(y)), y])


def masked():
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    y = layers.Embedding(10, 4, mask_zero=True)(tokens)
    y = layers.LSTM(4, return_sequences=True, name="first")(y)
    return keras.Model(tokens, layers.LSTM(4, name="second")(y))


def call_arguments():
    x = image()
    y = layers.Dropout(0.5, seed=1, name="dropout")(x, training=True)
    y = layers.Reshape((64, 3))(y)
    return keras.Model(
        x, layers.MultiHeadAttention(2, 4)(y, value=y, use_causal_mask=1)
    )


def unused_and_optional_inputs():
    x, unused = image(), keras.Input((2,), name="unused")
    optional = keras.Input((8, 8, 3), name="optional", optional=True)
    return keras.Model([x, unused, optional], layers.Conv2D(4, 3)(x))


def frozen():
    x = image()
    y = layers.BatchNormalization(name="bn", trainable=False)(x)
    return keras.Model(x, Twice(name="twice")(y))


def unregistered():
    class Local(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    x = image()
    return keras.Model(x, Local(name="local")(x))


def image_model():
    model = sequence()
    model = ImageModel(model.input, model.output, name="network")
    model.preprocessing = Preprocessing(size=(8, 8), crop=0.5)
    model.class_names = ("cat", "dog", "fox", "owl")
    return model


def normalized():
    x = image()
    norm = layers.Normalization(name="norm")
    norm.adapt(np.random.default_rng(0).uniform(3, 9, (16, 8, 8, 3)))
    return keras.Model(x, norm(x))


EVERY_KIND = [
    sequence,
    shared_layer,
    dictionaries,
    operations,
    submodels,
    masked,
    call_arguments,
    unused_and_optional_inputs,
    frozen,
    unregistered,
    image_model,
    normalized,
]


@pytest.mark.parametrize("create", EVERY_KIND)
def test_build_copies_every_kind_of_model(create):
    model = create()
    if create is not normalized:
        randomize(model)
    twin = Graph(model).build()
    assert type(twin) is type(model)
    assert as_in_a_file(twin.get_config()) == as_in_a_file(model.get_config())
    assert [v.trainable for v in twin.variables] == [
        v.trainable for v in model.variables
    ]
    assert not {id(v) for v in twin.variables} & {id(v) for v in model.variables}
    for output, expected in zip(outputs(twin), outputs(model), strict=True):
        np.testing.assert_array_equal(output, expected)


def test_build_copies_the_state_of_random_generators():
    model = call_arguments()
    model(arguments(model))
    twin = Graph(model).build()
    np.testing.assert_array_equal(outputs(twin), outputs(model))


def test_build_leaves_the_old_model_alone():
    model = sequence()
    config, before = model.get_config(), outputs(model)
    twin = Graph(model).build(name="twin")
    twin.compile("sgd", "mse")
    twin.fit(np.ones((4, 8, 8, 3)), np.ones((4, 6, 6, 4)), verbose=0)
    assert twin.name == "twin"
    assert model.get_config() == config
    np.testing.assert_array_equal(outputs(model), before)


def test_build_keeps_preprocessing_and_class_names():
    model = image_model()
    twin = Graph(model).build()
    assert twin.preprocessing == model.preprocessing
    assert twin.class_names == model.class_names


def test_build_keeps_a_frozen_model_frozen():
    model = sequence()
    model.trainable = False
    assert not Graph(model).build().trainable


def test_sequential_becomes_functional():
    model = keras.Sequential([image(), layers.Conv2D(4, 3, name="conv")], name="steps")
    model.layers[0].trainable = False
    twin = Graph(model).build()
    assert not isinstance(twin, keras.Sequential)
    assert twin.name == "steps"
    assert twin.trainable
    assert not twin.get_layer("conv").trainable
    inputs = arguments(twin)
    np.testing.assert_array_equal(outputs(twin, inputs), outputs(model, inputs))


def test_reads_calls_inputs_consumers_and_outputs():
    graph = Graph(submodels())
    first, second = Ref("functional", 0), Ref("functional", 1)
    assert graph.outputs == [second, first]
    assert graph.calls("functional") == 2
    assert graph.calls("image") == 1
    assert graph.inputs("functional") == [[Ref("image")], [Ref("steps")]]
    assert graph.consumers(first) == [("steps", 0)]
    assert graph.consumers(Ref("steps")) == [("functional", 1)]
    assert graph.spec(second).shape == (None, 8, 8, 3)


def test_upstream_goes_backwards_and_into_submodels():
    names = [operation.name for operation in Graph(sequence()).upstream("bn")]
    assert names == ["bn", "conv", "image"]
    model = submodels()
    submodel = model.get_layer("functional")
    upstream = list(Graph(model).upstream("functional"))
    assert upstream[:3] == [submodel, *reversed(submodel.layers)]


def test_insert_and_bypass_move_all_consumers():
    graph = Graph(dictionaries())
    graph.insert_after("relu", layers.Rescaling(3.0, name="three"))
    assert graph.consumers(Ref("relu")) == [("three", 0)]
    assert graph.consumers(Ref("three")) == [("add", 0)]
    model = graph.build()
    y = model(arguments(model))
    part = ops.convert_to_numpy(y["parts"][0])
    np.testing.assert_allclose(part, 3 * arguments(model)["b"], rtol=1e-6)

    graph = Graph(model)
    graph.bypass("three")
    assert graph.outputs == Graph(dictionaries()).outputs
    y = graph.build()(arguments(model))
    part = ops.convert_to_numpy(y["parts"][0])
    np.testing.assert_array_equal(part, arguments(model)["b"])


def test_bypass_follows_chains():
    x = image()
    y = layers.ReLU(name="one")(x)
    y = layers.ReLU(name="two")(y)
    graph = Graph(keras.Model(x, layers.Flatten(name="flat")(y)))
    graph.bypass("one")
    graph.bypass("two")
    assert graph.inputs("flat") == [[Ref("image")]]
    assert [layer.name for layer in graph.build().layers] == ["image", "flat"]


def test_bypass_needs_one_input():
    with pytest.raises(ValueError, match=r"Received: 'add' with 2 inputs"):
        Graph(dictionaries()).bypass("add")


def test_insert_needs_a_new_name():
    with pytest.raises(ValueError, match=r"new to the model. Received: 'bn'"):
        Graph(sequence()).insert_after("conv", layers.ReLU(name="bn"))


def test_weights_in_common_raise():
    x, inner = image(), image("inner")
    conv = layers.Conv2D(3, 1, name="conv")
    submodel = keras.Model(inner, conv(inner), name="submodel")
    model = keras.Model(x, submodel(x) + conv(x))
    with pytest.raises(
        ValueError, match="'submodel' and 'conv' have a weight in common"
    ):
        Graph(model).build()


def test_layers_that_differ_from_their_config_raise():
    class Forgetful(layers.Conv2D):
        def get_config(self):
            return {**super().get_config(), "use_bias": False}

    x = image()
    model = keras.Model(x, Forgetful(4, 3, name="conv")(x))
    with pytest.raises(ValueError, match=r"'conv' has other .* Received: .* \(4,\)\]"):
        Graph(model).build()


class Subclass(keras.Model):
    def call(self, inputs):
        return inputs


class OwnConstructor(keras.Model):
    def __init__(self, width):
        x = image()
        super().__init__(x, layers.Conv2D(width, 3)(x), name="own")
        self.width = width

    def get_config(self):
        return {"width": self.width}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Subclass(), "of type Subclass"),
        (keras.Sequential([layers.Dense(2)], name="steps"), "'steps', which is not"),
        ("resnet50", "'resnet50' of type str"),
        (OwnConstructor(4), "config of class OwnConstructor"),
    ],
)
def test_models_without_a_graph_raise(model, message):
    with pytest.raises(ValueError, match=message):
        Graph(model)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="strings")
def test_build_copies_vocabularies():
    words = keras.Input((3,), dtype="string", name="words")
    lookup = layers.StringLookup(name="lookup")
    lookup.adapt([["pug", "cliff"], ["goldfish", "pug"]])
    model = keras.Model(words, lookup(words))
    twin = Graph(model).build()
    assert twin.get_layer("lookup").get_vocabulary() == lookup.get_vocabulary()

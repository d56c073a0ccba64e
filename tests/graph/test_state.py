"""Which copy is that of which layer, and what is copied."""

import keras
import numpy as np
import pytest
from keras import layers

from se_keras import add_squeeze_excite, fold, remove_squeeze_excite
from se_keras.graph.state import copy_state
from se_keras.layers import SqueezeExcite
from tests.graph.tools import outputs, randomize

SHAPE = (8, 8, 3)


@keras.saving.register_keras_serializable(package="tests")
class Appends(layers.Layer):
    """A layer that appends to its name, as the blocks of keras-hub do."""

    def __init__(self, name=None, **kwargs):
        super().__init__(name=f"{name}_block", **kwargs)
        self.conv = layers.Conv2D(3, 3, padding="same", name=f"{name}_conv")
        self.bn = layers.BatchNormalization(name=f"{name}_bn")

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.bn.build(input_shape)

    def call(self, x):
        return self.bn(self.conv(x))

    def compute_output_shape(self, input_shape):
        return input_shape


class OwnConstructor(keras.Model):
    """A backbone that creates its layers in its constructor."""

    def __init__(self, width=3, **kwargs):
        x = keras.Input(SHAPE)
        y = layers.Conv2D(width, 3, name="last")(Appends(name="first")(x))
        super().__init__(x, y, **kwargs)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}


class Renamed(layers.Dense):
    """A layer whose config has another name."""

    def get_config(self):
        return {**super().get_config(), "name": "other"}


class Ordered(layers.Layer):
    """A layer whose copy creates its variables in another order."""

    def __init__(self, order=("scale", "offset"), **kwargs):
        super().__init__(**kwargs)
        self.order = order

    def build(self, input_shape):
        for name in self.order:
            setattr(self, name, self.add_weight(shape=(3,), name=name))

    def call(self, x):
        return x * self.scale + self.offset

    def get_config(self):
        return {**super().get_config(), "order": tuple(reversed(self.order))}


class Table(layers.Layer):
    """A layer whose state is no variable."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = np.ones(3, "float32")

    def call(self, x):
        return x * self.table

    def save_own_variables(self, store):
        store["table"] = self.table

    def load_own_variables(self, store):
        self.table = np.array(store["table"])


def table():
    layer = Table()
    layer.table = np.array([1, 2, 3], "float32")
    return layer


def nested(layer):
    return keras.Sequential([keras.Input(SHAPE), layer], name="inside")


LAYERS = {
    "appends": lambda: Appends(name="a"),
    "appends in Sequential": lambda: nested(Appends(name="a")),
    "own constructor": OwnConstructor,
    "name in the config": lambda: Renamed(3),
    "name in a submodel": lambda: nested(Renamed(3)),
    "order": Ordered,
    "activation with weights": lambda: layers.Conv2D(
        3, 3, activation=layers.PReLU(shared_axes=[1, 2])
    ),
    "TimeDistributed": lambda: layers.TimeDistributed(layers.Conv1D(3, 1)),
    "wrapper of ours": lambda: layers.TimeDistributed(Renamed(3)),
    "not a variable": table,
}


def model_of(layer):
    """Returns a model of a layer and a head."""
    image = keras.Input(SHAPE)
    x = layer(image)
    return keras.Model(image, layers.Conv2D(2, 1, name="head")(x))


@pytest.mark.parametrize("kind", LAYERS)
def test_copies_have_the_weights_whatever_their_names(kind):
    model = model_of(LAYERS[kind]())
    outputs(model)
    randomize(model)
    (expected,) = outputs(model)
    assert np.ptp(expected) > 1e-3
    added = add_squeeze_excite(model, after=["head"])
    for copy in (fold(model), added, remove_squeeze_excite(added)):
        np.testing.assert_allclose(outputs(copy)[0], expected, rtol=1e-5)
        assert copy.layers[1].name == model.layers[1].name


def test_two_copies_do_not_take_each_others_weights():
    image = keras.Input(SHAPE)
    model = keras.Model(image, Appends(name="b")(Appends(name="a")(image)))
    randomize(model)
    twin = fold(model)
    assert [x.name for x in twin.layers] == [x.name for x in model.layers]
    np.testing.assert_allclose(outputs(twin)[0], outputs(model)[0], rtol=1e-6)


class Fewer(layers.Layer):
    """A layer whose config creates fewer weights."""

    def __init__(self, count=2, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def build(self, input_shape):
        self.parts = [self.add_weight(shape=(3,)) for _ in range(self.count)]

    def call(self, x):
        return x * sum(self.parts)

    def get_config(self):
        return {**super().get_config(), "count": 1}


class OtherName(Fewer):
    """Its config creates a weight of the same shape and another name."""

    def build(self, input_shape):
        self.parts = [self.add_weight(shape=(3,), name=f"{'ab'[self.count - 1]}")]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Fewer, "'odd' has other variables.*Expected: .* Received: "),
        (OtherName, r"'odd' has other variables.*\[a \(3,\)\]. Received: \[b \(3,\)"),
    ],
)
@pytest.mark.parametrize("rewrite", [fold, lambda m: add_squeeze_excite(m, ["head"])])
def test_what_has_no_partner_raises(kind, message, rewrite):
    with pytest.raises(ValueError, match=message):
        rewrite(model_of(kind(name="odd")))


def test_a_copy_that_does_not_keep_its_values_raises():
    source, target = (
        keras.Sequential([keras.Input((3,)), layers.Dense(2)]) for _ in "ab"
    )
    target.layers[0].kernel.assign = lambda value: None
    with pytest.raises(
        ValueError, match=r"copy of a weight to have its values.*kernel"
    ):
        copy_state(source, target)


@keras.saving.register_keras_serializable(package="tests")
class OwnWeight(keras.Model):
    """A functional model with a weight and a generator of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.temperature = self.add_weight(shape=(2,), name="temperature")

    @classmethod
    def from_config(cls, config, custom_objects=None):
        model = keras.Model.from_config(config, custom_objects)
        return cls(model.inputs, model.outputs, name=model.name)


def test_weights_of_a_model_itself():
    image = keras.Input(SHAPE)
    model = OwnWeight(image, layers.Conv2D(2, 1)(image))
    model.temperature.assign([3, 4])
    np.testing.assert_array_equal(fold(model).temperature, [3, 4])


class Measured(layers.Layer):
    """A layer with a metric and a layer that is frozen later."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.metric = keras.metrics.Mean()
        self.bn = layers.BatchNormalization()

    def build(self, input_shape):
        self.bn.build(input_shape)

    def call(self, x):
        return self.bn(x)


def test_metrics_and_flags_of_layers_inside():
    layer = Measured()
    model = model_of(layer)
    layer.metric.update_state([3.0, 5.0])
    layer.bn.trainable = False
    twin = fold(model).layers[1]
    assert float(twin.metric.result()) == 4
    assert not twin.bn.trainable
    assert twin.trainable


def test_state_is_copied_by_position():
    """Names of layers differ where Keras counts them."""

    def create():
        inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
        return keras.Sequential([keras.Input((3,)), layers.Dense(4), inner])

    source, target = randomize(create()), create()
    copy_state(source, target)
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(outputs(target, x)[0], outputs(source, x)[0])


def quantized(mode="int8"):
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Dense(8, name="dense"),
            SqueezeExcite(ratio=2, name="se"),
            layers.Dense(2, name="head"),
        ]
    )
    randomize(model)
    model.quantize(mode)
    return model


@pytest.mark.parametrize(
    "mode",
    ["int8", *(pytest.param(x, marks=pytest.mark.slow) for x in ("int4", "float8"))],
)
def test_quantized_models_are_rewritten(mode):
    model = quantized(mode)
    expected = outputs(model, np.ones((2, *SHAPE), "float32"))[0]
    added = add_squeeze_excite(model, after=["dense"])
    for copy in (fold(model), added):
        found = outputs(copy, np.ones((2, *SHAPE), "float32"))[0]
        np.testing.assert_array_equal(found, expected)
    gate = added.get_layer("dense_se")
    # A new gate learns: it is not quantized.
    assert gate.dtype_policy.name == "float32"
    assert len(gate.trainable_weights) == 4
    plain = remove_squeeze_excite(added)
    assert [type(x).__name__ for x in plain.layers] == ["InputLayer", "Dense", "Dense"]


def test_gates_that_are_outputs_are_not_removed():
    image = keras.Input(SHAPE)
    layer = SqueezeExcite(ratio=2, name="se")
    for results in ([layer(image), layer.gate(image)], layer.gate(image)):
        model = keras.Model(image, results)
        with pytest.raises(ValueError, match=r"'se'.*gates are an output"):
            remove_squeeze_excite(model)
        twin = fold(randomize(model))
        for found, expected in zip(outputs(twin), outputs(model), strict=True):
            np.testing.assert_array_equal(found, expected)

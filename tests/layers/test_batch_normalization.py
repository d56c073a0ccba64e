import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from se_keras.layers import BatchNormalization

MOMENTUM, EPSILON = 0.9, 1e-3
SHAPES = [(4, 5, 7, 13), (8, 1, 1, 3), (1, 6, 4, 2), (1, 1, 1, 3)]
# Of the largest value: one step of rounding of the outputs.
TOLERANCES = {
    "float32": 2e-6,
    "float64": 1e-12,
    "float16": 2e-3,
    "mixed_float16": 2e-3,
    "mixed_bfloat16": 2e-2,
}

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="The kernel is TensorFlow's"
)


def images(shape, offset=2.0):
    return np.random.default_rng(0).normal(offset, 3, shape).astype("float32")


def built(kind, shape, **arguments):
    """Returns a layer whose weights are all different from each other."""
    layer = kind(momentum=MOMENTUM, epsilon=EPSILON, **arguments)
    layer.build(shape)
    for i, weight in enumerate(layer.weights):
        weight.assign(np.linspace(0.5, 1.5 + i, weight.shape[0]))
    return layer


def reference(x, weights):
    """Returns outputs and moving statistics of a training step, in float64."""
    gamma, beta, moving_mean, moving_variance = (w.astype("float64") for w in weights)
    x = x.astype("float64")
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (
        gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta,
        MOMENTUM * moving_mean + (1 - MOMENTUM) * mean,
        MOMENTUM * moving_variance + (1 - MOMENTUM) * variance,
    )


def kernels(layer, x, **arguments):
    """Returns how many of TensorFlow's kernels a call of a layer has."""
    import tensorflow as tf

    graph = tf.function(lambda x: layer(x, **arguments)).get_concrete_function(x).graph
    return sum(op.type == "FusedBatchNormV3" for op in graph.get_operations())


@pytest.mark.parametrize("shape", SHAPES)
# Moments of the other backends lose more digits to a large mean.
@pytest.mark.parametrize("offset", [2.0, pytest.param(300.0, marks=on_tensorflow)])
def test_training_step(shape, offset):
    layer, x = built(BatchNormalization, shape), images(shape, offset)
    expected = reference(x, layer.get_weights())
    outputs = [layer(x, training=True), layer.moving_mean, layer.moving_variance]
    # float32 keeps seven digits of an image, of which the mean takes some.
    tolerance = 2e-6 * max(1, offset)
    for output, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(output),
            want,
            rtol=tolerance,
            atol=tolerance * np.abs(want).max(),
        )


def test_moving_variance_of_two_values_is_biased():
    layer = BatchNormalization(momentum=0.0)
    layer(np.array([1.0, 5.0], "float32").reshape(2, 1, 1, 1), training=True)
    # The mean of the squares, where an unbiased variance would be 8.
    assert float(layer.moving_variance[0]) == 4


@on_tensorflow
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "arguments", [{}, {"scale": False}, {"center": False}], ids=str
)
def test_steps_and_gradients_are_those_of_keras(shape, dtype, arguments):
    import tensorflow as tf

    x, slope = images(shape), images(shape, 0)
    results = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = built(kind, shape, dtype=dtype, **arguments)
        inputs = tf.constant(x)
        trained = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            value = tf.reduce_sum(tf.cast(outputs, "float32") * slope)
        gradients = tape.gradient(value, [inputs, *trained])
        results.append([outputs, *gradients, *layer.get_weights()])
        assert outputs.dtype == layer.compute_dtype
    for ours, theirs in zip(*results, strict=True):
        ours, theirs = (np.asarray(tf.cast(v, "float64")) for v in (ours, theirs))
        # Of a sum over all positions, the largest term counts.
        largest = max(np.abs(theirs).max(), np.abs(slope).max())
        np.testing.assert_allclose(ours, theirs, atol=TOLERANCES[dtype] * 10 * largest)


@on_tensorflow
def test_training_uses_the_kernel():
    x = images((2, 3, 4, 5))
    assert kernels(BatchNormalization(), x, training=True) == 1
    assert kernels(BatchNormalization(axis=3), x, training=True) == 1
    assert kernels(BatchNormalization(dtype="mixed_float16"), x, training=True) == 1
    assert kernels(keras.layers.BatchNormalization(), x, training=True) == 0


@on_tensorflow
@pytest.mark.parametrize(
    ("shape", "arguments", "call"),
    [
        ((2, 5), {}, {}),
        ((2, 3, 5), {}, {}),
        ((2, 2, 3, 4, 5), {}, {}),
        ((2, 3, 4, 5), {"axis": 1}, {}),
        ((2, 3, 4, 5), {"axis": 2}, {}),
        ((2, 3, 4, 5), {"synchronized": True}, {}),
        ((2, 3, 4, 5), {"renorm": True}, {}),
        ((2, 3, 4, 5), {"dtype": "float64"}, {}),
        ((2, 3, 4, 5), {"trainable": False}, {}),
        ((2, 3, 4, 5), {}, {"training": False}),
        ((2, 3, 4, 5), {}, {"mask": np.arange(24).reshape(2, 3, 4) % 3 > 0}),
    ],
    ids=str,
)
def test_all_else_is_left_to_keras(shape, arguments, call):
    x, results = images(shape), []
    call = {"training": True, **call}
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = kind(**arguments)
        results.append([layer(x, **call), *layer.get_weights()])
    assert kernels(layer, x, **call) == 0
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@on_tensorflow
def test_empty_batch():
    x = np.zeros((0, 4, 4, 3), "float32")
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = kind()
        assert layer(x, training=True).shape == x.shape
        assert np.isnan(layer.moving_mean).all()
        assert np.isnan(layer.moving_variance).all()


@pytest.mark.parametrize("format", ["keras", "weights.h5"])
@pytest.mark.parametrize("ours_is_saved", [True, False])
def test_files_fit_the_layer_of_keras(format, ours_is_saved, tmp_path):
    kinds = [BatchNormalization, keras.layers.BatchNormalization]

    def network(kind):
        return keras.Sequential(
            [
                keras.Input((4, 4, 3)),
                kind(name="norm"),
                keras.layers.ReLU(),
                kind(axis=1),
            ]
        )

    saved, other = map(network, kinds if ours_is_saved else kinds[::-1])
    x = images((2, 4, 4, 3))
    saved(x, training=True)
    path = tmp_path / f"model.{format}"
    if format == "keras":
        saved.save(path)
        assert type(keras.models.load_model(path).get_layer("norm")) is (
            BatchNormalization if ours_is_saved else keras.layers.BatchNormalization
        )
    else:
        saved.save_weights(path)
    other.load_weights(path)
    outputs = [keras.ops.convert_to_numpy(model(x)) for model in (other, saved)]
    np.testing.assert_array_equal(*outputs)


def test_is_a_keras_layer():
    TestCase().run_layer_test(
        BatchNormalization,
        init_kwargs={"momentum": 0.9, "epsilon": 1e-5},
        input_shape=(2, 4, 4, 3),
        expected_output_shape=(2, 4, 4, 3),
        expected_num_trainable_weights=2,
        expected_num_non_trainable_weights=2,
    )
    assert issubclass(BatchNormalization, keras.layers.BatchNormalization)


@on_tensorflow
def test_networks_use_the_kernel():
    from se_keras import create_model

    network = create_model("se_resnet20", input_shape=(8, 8, 3), classes=2)
    norms = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    x = images((2, 8, 8, 3))
    assert kernels(network, x, training=True) == len(norms) == 19

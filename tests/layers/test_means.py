import keras
import numpy as np
import pytest

from se_keras.layers import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    SqueezeExcite,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="The other backends have one gradient for training and inference",
)

# Of the largest gradient.
TOLERANCES = {"float32": 1e-6, "float64": 1e-14, "mixed_float16": 4e-3}


def gradients(layer, x, training):
    """Returns outputs and the gradients of a sum of them, of first and second order."""
    import tensorflow as tf

    x = tf.constant(x)
    variables = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.cast(layer(x, training=training), x.dtype)
            value = tf.reduce_sum(tf.sin(outputs))
        first = tape.gradient(value, [x, *variables])
        norm = tf.reduce_sum(first[0] ** 2)
    return [outputs, *first, outer.gradient(norm, x)]


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(
    "layer",
    [
        SqueezeExcite(ratio=2),
        SqueezeExcite(ratio=2, squeeze="max"),
        EffectiveSqueezeExcite(gate_activation="sigmoid"),
        EfficientChannelAttention(),
    ],
    ids=lambda layer: layer.name,
)
def test_gradients_in_training_are_those_of_tensorflow(
    layer, dtype, shape, data_format
):
    config = {**layer.get_config(), "dtype": dtype, "data_format": data_format}
    layer = type(layer).from_config(config)
    x = np.random.default_rng(0).normal(1, 1, shape)
    x = x.astype("float64" if dtype == "float64" else "float32")
    if data_format == "channels_first":
        x = np.moveaxis(x, -1, 1)
    layer.build(x.shape)
    ours, theirs = (gradients(layer, x, training) for training in (True, False))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            a, b, rtol=0, atol=TOLERANCES[dtype] * np.abs(b).max()
        )


def test_mean_is_spread_by_the_addition():
    import tensorflow as tf

    layer = SqueezeExcite(ratio=2)
    layer.build((None, None, None, 4))

    def kinds(training):
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 4))])
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = layer(x, training=training)
            return tape.gradient(outputs, x)

        graph = gradient.get_concrete_function().graph
        return [operation.type for operation in graph.get_operations()]

    # What TensorFlow spreads a mean's gradient with, and what it does in its place.
    assert {"Tile", "BroadcastTo"} & set(kinds(training=False))
    assert not {"Tile", "BroadcastTo"} & set(kinds(training=True))

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

from se_keras.layers import ShakeShake
from tests.helpers import feature_maps, to_numpy

SHAPE = (64, 3, 4, 5)
FORWARDS, BACKWARDS = ("shake", "even"), ("shake", "even", "keep")


def branches():
    """Returns two branches that are known by their values: all ones and all zeros."""
    return [np.ones(SHAPE, "float32"), np.zeros(SHAPE, "float32")]


def gradients(layer, a, b):
    """Returns the shares of `a` forwards, and the gradients of the sum of outputs."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        a, b = tf.constant(a), tf.constant(b)
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            y = layer([a, b], training=True)
        return [to_numpy(x) for x in (y, *tape.gradient(y, [a, b]))]
    if keras.backend.backend() == "torch":
        a, b = (ops.convert_to_tensor(x).requires_grad_() for x in (a, b))
        y = layer([a, b], training=True)
        y.sum().backward()
        return [to_numpy(x) for x in (y.detach(), a.grad, b.grad)]
    import jax

    def total(a, b, state):
        variables = layer.non_trainable_variables
        y, _ = layer.stateless_call([], state, [a, b], training=True)
        assert len(state) == len(variables)
        return y.sum(), y

    state = [variable.value for variable in layer.non_trainable_variables]
    grad = jax.grad(total, argnums=(0, 1), has_aux=True)
    grads, y = grad(*(ops.convert_to_tensor(x) for x in (a, b)), state)
    return [to_numpy(x) for x in (y, *grads)]


def shares(x):
    """Returns the share of each image, which is the same at every position."""
    np.testing.assert_array_equal(x, np.broadcast_to(x[:, :1, :1, :1], x.shape))
    return x[:, 0, 0, 0]


@pytest.mark.parametrize("forward", FORWARDS)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_shares_in_training(forward, backward):
    layer = ShakeShake(forward, backward, seed=1)
    layer.build([SHAPE, SHAPE])
    y, gradient_a, gradient_b = map(shares, gradients(layer, *branches()))
    np.testing.assert_allclose(gradient_a + gradient_b, 1, rtol=1e-6)
    for kind, drawn in ((forward, y), (backward, gradient_a)):
        if kind == "even":
            np.testing.assert_array_equal(drawn, 0.5)
        if kind == "shake":
            assert drawn.min() >= 0
            assert drawn.max() < 1
            assert np.std(drawn) == pytest.approx(12**-0.5, rel=0.25)
    if backward == "keep":
        np.testing.assert_allclose(gradient_a, y, rtol=1e-6)
    if (forward, backward) == ("shake", "shake"):
        assert abs(np.corrcoef(y, gradient_a)[0, 1]) < 0.5


def test_output_is_a_mix_of_both_branches():
    a, b = feature_maps(*SHAPE), feature_maps(*SHAPE)[::-1].copy()
    layer = ShakeShake(seed=1)
    share = shares(to_numpy(layer(branches(), training=True)))[:, None, None, None]
    layer = ShakeShake(seed=1)
    mix = to_numpy(layer([a, b], training=True))
    np.testing.assert_allclose(mix, share * a + (1 - share) * b, rtol=0, atol=1e-5)


def test_shares_are_drawn_anew_in_each_step():
    layer = ShakeShake(seed=1)
    first, second = (to_numpy(layer(branches(), training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("forward", FORWARDS)
@pytest.mark.parametrize("arguments", [{}, {"training": False}])
def test_mean_at_inference(forward, arguments):
    a, b = feature_maps(*SHAPE), feature_maps(*SHAPE)[::-1].copy()
    y = to_numpy(ShakeShake(forward)([a, b], **arguments))
    np.testing.assert_allclose(y, (a + b) / 2, rtol=0, atol=1e-6)


def test_takes_the_precision_of_the_network():
    layer = ShakeShake(dtype="mixed_bfloat16")
    y = layer(branches(), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"


@pytest.mark.parametrize("backward", BACKWARDS)
def test_is_a_keras_layer(backward):
    TestCase().run_layer_test(
        ShakeShake,
        init_kwargs={"backward": backward, "seed": 1},
        input_shape=[(2, 3, 4, 5), (2, 3, 4, 5)],
        expected_output_shape=(2, 3, 4, 5),
        expected_num_trainable_weights=0,
        expected_num_seed_generators=1,
        run_training_check=False,
    )


def test_config_holds_every_argument():
    arguments = {"forward": "even", "backward": "keep", "seed": 3}
    assert arguments.items() <= ShakeShake(**arguments).get_config().items()


@pytest.mark.parametrize(
    "shapes", [[(3, 4, 5), (3, 4, 6)], [(3, 4, 5)], [(3, 4, 5)] * 3, (3, 4, 5)]
)
def test_bad_inputs(shapes):
    inputs = keras.tree.map_shape_structure(keras.Input, shapes)
    with pytest.raises(ValueError, match=r"two tensors.*Received: input_shape="):
        ShakeShake()(inputs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forward": "keep"}, "`forward`.*Received: forward='keep'"),
        ({"backward": "batch"}, "`backward`.*Received: backward='batch'"),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        ShakeShake(**arguments)

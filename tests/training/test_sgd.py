import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras.training.sgd import SGD

STEPS = 4


def trained(kind, gradient_of, *, scaled=False, **settings):
    """Returns variables and slots of an optimizer after some steps at falling rates."""
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.normal(size=shape).astype("float32"))
        for shape in [(6, 5), (5,)]
    ]
    rate = keras.optimizers.schedules.PolynomialDecay(0.3, STEPS + 1)
    optimizer = kind(rate, **settings)
    outer = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
    outer.build(variables)

    @tf.function
    def step(gradients):
        outer.apply_gradients(zip(gradients, variables, strict=True))

    for _ in range(STEPS):
        step([gradient_of(rng, tuple(v.shape)) for v in variables])
    return [np.asarray(v) for v in [*variables, *optimizer.momentums]]


def dense(rng, shape):
    return tf.constant(rng.normal(size=shape), tf.float32)


def rows(rng, shape):
    values = tf.constant(rng.normal(size=(2, *shape[1:])), tf.float32)
    return tf.IndexedSlices(values, tf.constant([1, 3]), tf.constant(shape))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("gradient_of", [dense, rows])
@pytest.mark.parametrize("scaled", [False, True])
def test_steps_are_those_of_keras(momentum, nesterov, gradient_of, scaled):
    settings = {"momentum": momentum, "nesterov": nesterov, "scaled": scaled}
    ours = trained(SGD, gradient_of, **settings)
    theirs = trained(keras.optimizers.SGD, gradient_of, **settings)
    assert len(ours) == (4 if momentum else 2)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_momentum_is_one_kernel():
    variable = keras.Variable(np.zeros(3, "float32"))
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.build([variable])

    @tf.function
    def step(gradient):
        optimizer.apply_gradients([(gradient, variable)])

    operations = step.get_concrete_function(tf.zeros(3)).graph.get_operations()
    kinds = [operation.type for operation in operations]
    assert kinds.count("ResourceApplyKerasMomentum") == 1

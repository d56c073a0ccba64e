"""Optimizers against NumPy in float64 and against Keras's own."""

import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras.training import make_recipe
from se_keras.training.optimizer import SGD, AdamW, Lamb, decays, make_optimizer
from tests.helpers import ROOT
from tests.training import trainers

STEPS, RATE, DECAY = 6, 0.05, 0.1
KINDS = ("sgd", "adamw", "lamb")


def variables():
    """A kernel and a bias, by their paths."""
    rng = np.random.default_rng(0)
    layer = keras.layers.Dense(4)
    layer.build((None, 3))
    layer.set_weights([rng.normal(size=(3, 4)), rng.normal(size=4)])
    return layer.trainable_variables


def gradients():
    rng = np.random.default_rng(1)
    return [[rng.normal(size=(3, 4)), rng.normal(size=4)] for _ in range(STEPS)]


def after_steps(optimizer):
    weights = variables()
    optimizer.build(weights)
    for step in gradients():
        values = [tf.constant(g, "float32") for g in step]
        optimizer.apply_gradients(zip(values, weights, strict=True))
    return [w.numpy() for w in weights]


def lamb(epsilon=1e-6):
    """Algorithm 2 of You et al. 2019 in float64; the bias has no decay: plain Adam."""
    weights = [w.numpy().astype("float64") for w in variables()]
    means, squares = [0, 0], [0, 0]
    for step, grads in enumerate(gradients(), 1):
        for i, (gradient, decay) in enumerate(zip(grads, (DECAY, None), strict=True)):
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
            update = (means[i] / (1 - 0.9**step)) / (
                np.sqrt(squares[i] / (1 - 0.999**step)) + epsilon
            )
            ratio = 1
            if decay:
                update = update + decay * weights[i]
                ratio = np.linalg.norm(weights[i]) / np.linalg.norm(update)
            weights[i] = weights[i] - RATE * ratio * update
    return weights


def test_lamb_matches_numpy():
    actual = after_steps(Lamb(RATE, decoupled_decay=DECAY, epsilon=1e-6))
    for value, expected in zip(actual, lamb(), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parity
def test_lamb_is_that_of_timm():
    torch = pytest.importorskip("torch")
    optim = pytest.importorskip("timm.optim")
    kernel, bias = (torch.nn.Parameter(torch.tensor(w.numpy())) for w in variables())
    theirs = optim.Lamb(
        [{"params": [kernel], "weight_decay": DECAY}, {"params": [bias]}],
        lr=RATE,
        weight_decay=0.0,
        max_grad_norm=None,
    )
    for step in gradients():
        for parameter, gradient in zip((kernel, bias), step, strict=True):
            parameter.grad = torch.tensor(gradient, dtype=torch.float32)
        theirs.step()
    actual = after_steps(Lamb(RATE, decoupled_decay=DECAY, epsilon=1e-6))
    for value, expected in zip(actual, (kernel, bias), strict=True):
        np.testing.assert_allclose(value, expected.detach(), rtol=1e-5, atol=1e-6)


def test_adamw_is_that_of_keras():
    theirs = keras.optimizers.AdamW(RATE, weight_decay=DECAY)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    expected = after_steps(theirs)
    actual = after_steps(AdamW(RATE, decoupled_decay=DECAY))
    for value, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-6)


def test_sgd_is_that_of_keras():
    settings = {"momentum": 0.9, "nesterov": True}
    expected = after_steps(keras.optimizers.SGD(RATE, **settings))
    for value, other in zip(after_steps(SGD(RATE, **settings)), expected, strict=True):
        np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize("kind", [SGD, AdamW, Lamb])
def test_rate_of_a_variable(kind):
    """A factor is a factor of the rate: of the step, and of decoupled decay too."""
    settings = {} if kind is SGD else {"decoupled_decay": DECAY}
    scaled = after_steps(kind(RATE, rate_scale=lambda v: 0.25, **settings))
    small = after_steps(kind(RATE / 4, **settings))
    for value, expected in zip(scaled, small, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6)
    frozen = after_steps(kind(RATE, rate_scale=lambda v: float(decays(v)), **settings))
    np.testing.assert_array_equal(frozen[1], variables()[1].numpy())
    assert np.abs(frozen[0] - variables()[0].numpy()).min() > 0


def test_what_decays():
    inputs = keras.Input((8, 8, 8))
    x = keras.layers.Conv2D(8, 3)(inputs)
    x = keras.layers.DepthwiseConv2D(3)(keras.layers.BatchNormalization()(x))
    from se_keras.layers import SqueezeExcite

    model = keras.Model(inputs, SqueezeExcite(ratio=2)(x))
    for variable in model.trainable_variables:
        assert decays(variable) == (variable.shape.rank > 1), variable.path
    assert sum(map(decays, model.trainable_variables)) == 4


def network():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.Conv2D(6, 3),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5, dtype="float32"),
        ]
    )


def batches(count=4, size=8):
    rng = np.random.default_rng(0)
    for _ in range(count):
        images = rng.normal(size=(size, 4, 4, 3), scale=3).astype("float32")
        yield tf.constant(images), tf.constant(rng.integers(0, 5, size))


def trained(optimizer=None, steps=4, **settings):
    model = network()
    trainer = trainers.make_trainer(
        model, optimizer or SGD(0.1, momentum=0.9), batch_size=8, **settings
    )
    for batch in batches(steps):
        trainer.train_step(batch)
    return trainer


def test_accumulation_changes_nothing_but_memory():
    one, four = trained(), trained(gradient_accumulation=4)
    for value, expected in zip(
        four.model.get_weights(), one.model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(value, expected, atol=1e-6)
    decayed = [trained(gradient_accumulation=n, weight_decay=0.1) for n in (1, 2)]
    for value, expected in zip(*(t.model.get_weights() for t in decayed), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-6)


@pytest.mark.parametrize("scaled", [False, True])
def test_clipping_is_that_of_keras(scaled):
    """Also where the gradients that are clipped are 2**15 times as large."""
    optimizer = SGD(0.1)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    ours = trained(optimizer, clip_norm=0.2)
    theirs = network()
    theirs.compile(
        keras.optimizers.SGD(0.1, global_clipnorm=0.2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    free = trained(SGD(0.1))
    for images, labels in batches():
        theirs.train_on_batch(images, labels)
    weights = [m.get_weights() for m in (ours.model, theirs, free.model)]
    for value, expected, other in zip(*weights, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-6)
        assert np.abs(value - other).max() > 1e-3


def test_step_with_an_infinite_gradient_is_skipped():
    optimizer = keras.optimizers.LossScaleOptimizer(SGD(0.1))
    trainer = trained(optimizer, steps=1, clip_norm=0.2)
    before = trainer.model.get_weights()
    images, labels = next(batches(1))
    trainer.train_step((images * np.inf, labels))
    for value, expected in zip(trainer.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)
    assert float(optimizer.dynamic_scale) == 2.0**14


def test_average_matches_numpy():
    """The moving average, of fewer steps at the start, also of batch norm's state."""

    def with_norm():
        model = network()
        outputs = keras.layers.BatchNormalization()(model.outputs[0])
        return keras.Model(model.inputs, outputs)

    keras.utils.set_random_seed(0)
    model, average = with_norm(), with_norm()
    trainer = trainers.make_trainer(
        model, SGD(0.1), average=average, batch_size=8, ema=0.3
    )
    expected = [w.astype("float64") for w in model.get_weights()]
    for step, batch in enumerate(batches(), 1):
        trainer.train_step(batch)
        momentum = min(0.3, (1 + step) / (10 + step))
        expected = [
            momentum * e + (1 - momentum) * w
            for e, w in zip(expected, model.get_weights(), strict=True)
        ]
    for value, other in zip(average.get_weights(), expected, strict=True):
        np.testing.assert_allclose(value, other, atol=1e-6)
    assert trainer.evaluated is average
    assert [v.path for v in trainer.state["average"]] == [
        v.path for v in average.variables
    ]


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_optimizer_in_every_precision(kind, precision):
    recipe = make_recipe(
        "sample", optimizer=kind, precision=precision, learning_rate=0.02, epochs=50
    )
    keras.config.set_dtype_policy(precision)
    trainer = trained(make_optimizer(recipe, 10), steps=0)
    assert {w.dtype for w in trainer.model.trainable_variables} == {"float32"}
    batch = next(batches(1))
    losses = [float(trainer.train_step(batch)["loss"]) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("kind", KINDS)
def test_schedule_and_settings_reach_the_optimizer(kind):
    recipe = make_recipe("paper", optimizer=kind, weight_decay=0.3, warmup_epochs=1)
    optimizer = make_optimizer(recipe, steps_per_epoch=10)
    assert float(optimizer.learning_rate) == pytest.approx(0.06)
    if kind != "sgd":
        assert optimizer.decoupled_decay == 0.3
    scaled = make_optimizer(dataclasses.replace(recipe, precision="mixed_float16"), 10)
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)


@pytest.mark.slow
def test_two_replicas_take_the_step_of_one():
    run = subprocess.run(
        [sys.executable, "-m", "tests.training.two_replicas"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    outcomes = json.loads(run.stdout.splitlines()[-1])
    assert len(outcomes) == 4
    for name, (one, two) in outcomes.items():
        assert two["replicas"] == 2
        for part in ("model", "average"):
            np.testing.assert_allclose(one[part], two[part], atol=2e-5, err_msg=name)

import keras
import numpy as np
import pytest

from se_keras.training import make_recipe
from se_keras.training.choices import EXTENDABLE, SCHEDULES
from se_keras.training.schedule import Warmup, make_schedule

STEPS = 10  # of an epoch


def rate(steps, **settings):
    """Returns the rates that `make_schedule` gives for some steps."""
    schedule = make_schedule(make_recipe("paper", **settings), STEPS)
    return np.array([float(schedule(step)) for step in steps])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.6),
        (299, 0.6),
        (300, 0.06),  # the first step of epoch 30, counted from 0
        (301, 0.06),
        (599, 0.06),
        (600, 0.006),
        (899, 0.006),
        (900, 0.0006),
        (999, 0.0006),
    ],
)
def test_the_paper_divides_by_10(step, expected):
    np.testing.assert_allclose(rate([step]), expected, rtol=1e-6)


def test_no_boundary():
    np.testing.assert_allclose(rate([0, 999], boundaries=()), 0.6, rtol=1e-6)


def test_warmup_rises_linearly_to_the_schedule():
    steps = np.arange(500)
    actual = rate(steps, warmup_epochs=2.5)
    expected = np.where(steps < 300, 0.6, 0.06)
    expected[:25] = 0.6 * np.arange(1, 26) / 25
    checked = steps != 300  # test_the_paper_divides_by_10 looks at this one
    np.testing.assert_allclose(actual[checked], expected[checked], rtol=1e-6)


def test_cosine_with_warmup():
    settings = {"schedule": "cosine", "epochs": 12, "warmup_epochs": 1}
    steps = np.arange(121)
    expected = 0.5 * 0.6 * (1 + np.cos(np.pi * steps / 120))
    expected[:10] *= np.arange(1, 11) / 10
    np.testing.assert_allclose(rate(steps, **settings), expected, atol=1e-6)


def test_schedule_of_an_optimizer_comes_back():
    schedule = make_schedule(make_recipe("sample"), STEPS)
    optimizer = keras.optimizers.SGD(schedule)
    loaded = keras.optimizers.SGD.from_config(optimizer.get_config())
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert isinstance(again, Warmup)
    for step in (0, 5, 60, 119):
        assert float(again(step)) == float(schedule(step))
        optimizer.iterations.assign(step)
        loaded.iterations.assign(step)
        assert float(loaded.learning_rate) == float(schedule(step))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_a_longer_run_changes(schedule):
    """Only where it is nothing a run can be made longer."""
    settings = {"schedule": schedule, "boundaries": (2,), "warmup_epochs": 1}
    shorter, longer = (rate(range(40), epochs=n, **settings) for n in (4, 6))
    assert (schedule in EXTENDABLE) == np.array_equal(shorter, longer)

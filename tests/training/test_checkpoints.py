import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras.errors import InterruptionError, StorageError, UsageError
from se_keras.training.checkpoints import CheckpointRun, Checkpoints, storage_errors
from se_keras.training.loop import Progress
from tests.helpers import files_of_at_most
from tests.training import trainers

BATCH, STEPS, EPOCHS = 4, 5, 3


def make_trainer(width=8, precision="float32"):
    """A network with every kind of state: dropout, batch norm, slots of Adam."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(width, dtype=precision),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )
    optimizer = keras.optimizers.Adam(0.05)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer, initial_scale=8.0, dynamic_growth_steps=4
        )
    return trainers.make_trainer(model, optimizer, batch_size=BATCH)


def batches(epoch, first_step=0):
    rng = np.random.default_rng(epoch)
    images = rng.normal(size=(STEPS, BATCH, 6)).astype("float32")
    labels = rng.integers(0, 3, (STEPS, BATCH))
    return tf.data.Dataset.from_tensor_slices((images, labels)).skip(first_step)


def fit(trainer, callbacks=(), progress=None, epochs=EPOCHS):
    return trainer.fit(
        batches,
        batches(99).map(lambda x, y: (x, y, tf.ones(BATCH))),
        steps_per_epoch=STEPS,
        epochs=epochs,
        progress=progress,
        callbacks=list(callbacks),
        verbose=0,
    )


def values(trainer):
    return [
        np.array(keras.ops.convert_to_numpy(v))
        for vs in trainer.state.values()
        for v in vs
    ]


class StopAfter(keras.callbacks.Callback):
    def __init__(self, trainer, steps):
        super().__init__()
        self._trainer, self._steps = trainer, steps

    def on_train_batch_end(self, batch, logs=None):
        self._steps -= 1
        if self._steps == 0:
            self._trainer.request_stop()


@pytest.mark.parametrize(
    ("steps", "precision"),
    [(1, "float32"), (STEPS, "float32"), (2 * STEPS - 1, "mixed_float16")],
)
def test_goes_on_where_it_stopped(steps, precision, tmp_path):
    whole = make_trainer(precision=precision)
    history = fit(whole)

    stopped = make_trainer(precision=precision)
    with pytest.raises(InterruptionError):
        fit(stopped, [StopAfter(stopped, steps)])
    # The step after the request ends before the run does.
    taken = steps + 1 if steps % STEPS else steps
    assert stopped.progress.epoch * STEPS + stopped.progress.step == taken
    Checkpoints(tmp_path, stopped.state, keep=2).save(stopped.progress, 12.5)

    resumed = make_trainer(precision=precision)
    progress, seconds = Checkpoints(tmp_path, resumed.state, keep=2).restore()
    assert seconds == 12.5
    assert (progress.epoch, progress.step) == divmod(taken, STEPS) or (
        progress.step == STEPS
    )
    rest = fit(resumed, progress=progress)
    for found, expected in zip(values(resumed), values(whole), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    for name, logged in history.items():
        expected = logged[progress.epoch :]
        np.testing.assert_allclose(rest[name], expected, rtol=1e-6)


def test_saves_at_steps_and_epochs(tmp_path):
    trainer = make_trainer()
    saved = Checkpoints(tmp_path, trainer.state, keep=99)
    run = CheckpointRun(trainer, saved, every=4, steps_per_epoch=STEPS, seconds=0.0)
    fit(trainer, [run])
    positions = [(0, 4), (1, 0), (1, 3), (2, 0), (2, 2), (3, 0)]
    assert saved.names() == [f"epoch-{e:05}-step-{s:08}" for e, s in positions]


def save_epochs(folder, accuracies, keep):
    """Saves a checkpoint an epoch; a weight holds the epoch's number."""
    trainer = make_trainer()
    checkpoints = Checkpoints(folder, trainer.state, keep)
    for epoch, accuracy in enumerate(accuracies, 1):
        trainer.model.layers[-1].bias.assign([epoch] * 3)
        logs = {} if accuracy is None else {"val_accuracy": accuracy}
        progress = Progress(epoch, 0 if logs else 2, {"loss": 0.1, "examples": 4}, logs)
        checkpoints.save(progress, float(epoch))
    return checkpoints


def epochs_of(checkpoints):
    return [int(name.split("-")[1]) for name in checkpoints.names()]


@pytest.mark.parametrize(
    ("accuracies", "keep", "kept"),
    [
        ([0.1, 0.2, 0.3, 0.4], 2, [3, 4]),
        ([0.1, 0.9, 0.3, 0.4, 0.5], 2, [2, 4, 5]),
        ([0.9, 0.9, 0.3, 0.4, 0.5], 1, [1, 5]),
        ([0.5, 0.9, None, None, None], 2, [2, 4, 5]),
        ([None, None, None], 1, [3]),
    ],
)
def test_keeps_the_last_and_the_best(accuracies, keep, kept, tmp_path):
    assert epochs_of(save_epochs(tmp_path, accuracies, keep)) == kept
    assert not list(tmp_path.glob(".*"))


def truncate(folder):
    path = folder / "state.data-00000-of-00001"
    os.truncate(path, path.stat().st_size - 5)


def flip_a_bit(folder):
    path = folder / "state.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def lose_the_index(folder):
    (folder / "state.index").unlink()


def empty_the_index(folder):
    (folder / "state.index").write_bytes(b"")


def lose_all(folder):
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES = [truncate, flip_a_bit, lose_the_index, empty_the_index, lose_all]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint_falls_back(damage, tmp_path, capsys):
    checkpoints = save_epochs(tmp_path, [0.1, 0.2, 0.3], 3)
    latest, before = checkpoints.names()[:0:-1]
    damage(tmp_path / latest)
    trainer = make_trainer()
    restored = Checkpoints(tmp_path, trainer.state, 3)
    progress, seconds = restored.restore()
    assert (progress.epoch, progress.logs, seconds) == (2, {"val_accuracy": 0.2}, 2.0)
    np.testing.assert_array_equal(trainer.model.layers[-1].bias.numpy(), [2] * 3)
    output = capsys.readouterr().out
    assert f"Checkpoint {latest} is damaged" in output
    assert f"continuing from {before}" in output
    assert epochs_of(restored) == [1, 2]


def test_nothing_but_damaged_checkpoints(tmp_path):
    checkpoints = save_epochs(tmp_path, [0.1, 0.2], 2)
    for name in checkpoints.names():
        flip_a_bit(tmp_path / name)
    with pytest.raises(UsageError, match="Expected an undamaged checkpoint in"):
        Checkpoints(tmp_path, make_trainer().state, 2).restore()
    assert epochs_of(checkpoints) == [1, 2]


def test_checkpoint_of_another_network(tmp_path):
    save_epochs(tmp_path, [0.1], 2)
    with pytest.raises(UsageError, match="same network"):
        Checkpoints(tmp_path, make_trainer(width=9).state, 2).restore()


def test_no_checkpoint(tmp_path):
    trainer = make_trainer()
    none = Checkpoints(tmp_path / "none", trainer.state, 2)
    assert none.restore() == (Progress(), 0.0)
    assert not (tmp_path / "none").exists()


def test_what_a_killed_run_left_is_removed(tmp_path):
    save_epochs(tmp_path, [0.1], 2)
    (tmp_path / ".writing-12345-epoch-00002-step-00000000").mkdir()
    trainer = make_trainer()
    assert Checkpoints(tmp_path, trainer.state, 2).restore()[0].epoch == 1
    assert [path.name[:5] for path in tmp_path.iterdir()] == ["epoch"]


def test_disk_that_takes_no_more(tmp_path):
    checkpoints = save_epochs(tmp_path, [0.1, 0.2], 2)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with (
        files_of_at_most(300),
        pytest.raises(StorageError, match=r"epoch-00003.* Earlier .* are intact"),
    ):
        checkpoints.save(Progress(3), 3.0)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert not list(tmp_path.glob(".*"))
    assert Checkpoints(tmp_path, make_trainer().state, 2).restore()[0].epoch == 2
    checkpoints.save(Progress(3), 3.0)
    assert epochs_of(checkpoints) == [2, 3]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "x; No space left on device"),
    ],
)
def test_errors_of_a_full_disk(error):
    message = r"metrics could not be written: .*No space"
    with pytest.raises(StorageError, match=message), storage_errors("metrics"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file or directory"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    ],
)
def test_errors_of_other_things(error):
    with pytest.raises(type(error)), storage_errors("metrics"):
        raise error


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    trainer = make_trainer()
    saved = Checkpoints(tmp_path, trainer.state, 2)
    run = CheckpointRun(trainer, saved, every=0, steps_per_epoch=STEPS, seconds=0.0)
    run.save()
    trainer.model.layers[-1].bias.assign([0, np.inf, 0])
    with pytest.raises(UsageError, match="Weights are not finite after step 0"):
        run.save()
    assert epochs_of(saved) == [0]

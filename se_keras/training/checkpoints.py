"""Checkpoints of a run: written completely or not at all; the last and best kept."""

import contextlib
import json
import math
import pathlib
import re
import time

import keras
import tensorflow as tf

from se_keras.errors import StorageError, UsageError, one_line, storage_reason
from se_keras.files import clean_up, discard, replacing
from se_keras.training.loop import Progress, Trainer

# What TensorFlow raises on a damaged file.
_DAMAGE = (
    tf.errors.OpError,
    OSError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_NAME = re.compile(r"epoch-(\d+)-step-(\d+)")


class Checkpoints:
    """The checkpoints of a run in a directory.

    A checkpoint is a directory `epoch-E-step-S`: E finished epochs and S steps of the
    next. It contains a checkpoint of TensorFlow (`state.index`, `state.data-*`), whose
    checksums reveal damage: all variables, the progress and the seconds.

    Args:
        path: The directory.
        state: Lists of all variables by name, as `Trainer.state`.
        keep: How many of the last checkpoints to keep, in addition to the best.
        monitor: Name of the logged metric that decides which checkpoint is the best.
        mode: `"max"` or `"min"`: whether the best is the highest or the lowest.
    """

    def __init__(
        self,
        path: pathlib.Path,
        state: dict,
        keep: int,
        monitor: str = "val_accuracy",
        mode: str = "max",
    ):
        self._monitor = monitor
        self._best = {"max": max, "min": min}[mode]
        self.path = path
        self._keep = keep
        self._progress = tf.Variable("", dtype=tf.string)
        self._checkpoint = tf.train.Checkpoint(**state, progress=self._progress)
        if path.exists():
            clean_up(path)

    def names(self) -> list[str]:
        """Returns the names of all checkpoints, oldest first."""
        found = {
            tuple(map(int, match.groups())): path.name
            for path in self.path.glob("epoch-*")
            if (match := _NAME.fullmatch(path.name))
        }
        return [found[position] for position in sorted(found)]

    def save(self, progress: Progress, seconds: float) -> None:
        """Writes a checkpoint and removes those that are not to be kept.

        Args:
            progress: How far the run is.
            seconds: Training time so far.

        Raises:
            StorageError: If it could not be written; the others are unchanged.
        """
        name = f"epoch-{progress.epoch:05}-step-{progress.step:08}"
        saved = {
            "epoch": progress.epoch,
            "step": progress.step,
            "totals": {name: float(v) for name, v in progress.totals.items()},
            "logs": dict(progress.logs),
            "monitored": list(progress.monitored),
            "seconds": seconds,
        }
        if (self.path / name).exists():
            return
        with storage_errors(f"The checkpoint {self.path / name}"):
            self._progress.assign(json.dumps(saved))
            with replacing(self.path / name) as path:
                self._checkpoint.write(path / "state")
            kept = self._to_keep()
            for old in self.names():
                if old not in kept:
                    discard(self.path / old)

    def restore(self) -> tuple[Progress, float]:
        """Restores the newest checkpoint that is not damaged, if there is one.

        Damaged ones that are newer are removed, and a line about each is printed.

        Returns:
            The progress, and the training time in seconds.

        Raises:
            UsageError: If all checkpoints are damaged, or the checkpoint is one of
                another network.
        """
        damaged: dict[str, str] = {}
        for name in reversed(self.names()):
            try:
                progress, seconds = self._verify(name)
            except _DAMAGE as error:
                damaged[name] = one_line(error, 200)
                continue
            self._read(name)
            for other, reason in damaged.items():
                print(
                    f"Checkpoint {other} is damaged ({reason}): removed; "
                    f"continuing from {name}."
                )
                discard(self.path / other)
            return progress, seconds
        if damaged:
            name, reason = next(iter(damaged.items()))
            raise UsageError(
                f"Expected an undamaged checkpoint in {self.path}; remove that "
                "directory to start from the beginning. Received: "
                f"{len(damaged)} damaged ones ({name}: {reason})"
            )
        return Progress(), 0.0

    def _verify(self, name):
        """Checks all checksums of a checkpoint; returns its progress and seconds."""
        reader = tf.train.load_checkpoint(self.path / name / "state")
        for key in reader.get_variable_to_shape_map():
            reader.get_tensor(key)
        saved = _saved(reader)
        seconds = float(saved.pop("seconds"))
        return Progress(**saved), seconds

    def _read(self, name):
        try:
            status = self._checkpoint.read(self.path / name / "state")
            status.assert_existing_objects_matched()
        except (AssertionError, ValueError) as error:
            raise UsageError(
                f"Expected a checkpoint of the same network and optimizer. Received: "
                f"{self.path / name} ({one_line(error, 200)})"
            ) from error

    def restore_best(self) -> Progress:
        """Restores the checkpoint of the best epoch; of equal ones the first.

        Raises:
            UsageError: If no epoch was evaluated, or its checkpoint is damaged.
        """
        best = self._best_name()
        if best is None:
            raise UsageError(
                f"Expected the checkpoint of an epoch with {self._monitor} for "
                f"export=best. Received: {self.path} without any"
            )
        try:
            progress, _ = self._verify(best)
        except _DAMAGE as error:
            raise UsageError(
                "Expected the checkpoint of the best epoch for export=best; remove it "
                f"for the best of the others. Received: {self.path / best}, which is "
                f"damaged ({one_line(error, 200)})"
            ) from error
        self._read(best)
        return progress

    def _best_name(self):
        values = {}
        for name in self.names():
            # A damaged checkpoint cannot be the best.
            with contextlib.suppress(*_DAMAGE):
                saved = _saved(tf.train.load_checkpoint(self.path / name / "state"))
                value = saved["logs"].get(self._monitor, math.nan)
                if math.isfinite(value):
                    values[name] = value
        return self._best(values, key=values.get) if values else None

    def _to_keep(self):
        return {*self.names()[-self._keep :], self._best_name()}


class CheckpointRun(keras.callbacks.Callback):
    """Saves a checkpoint after each epoch, and every so many steps.

    Every worker has one, since all workers compute what is saved.

    Args:
        trainer: The `Trainer` whose state is saved.
        checkpoints: Where to save; `None` on all workers but the chief.
        every: Steps between two checkpoints; 0 for the ends of epochs only.
        steps_per_epoch: Steps of an epoch.
        seconds: Training time of earlier parts of the run.

    Attributes:
        seconds: Training time up to the last checkpoint.
    """

    def __init__(
        self,
        trainer: Trainer,
        checkpoints: Checkpoints | None,
        *,
        every: int,
        steps_per_epoch: int,
        seconds: float,
    ):
        super().__init__()
        self._trainer = trainer
        self._checkpoints = checkpoints
        self._every = every
        self._steps_per_epoch = steps_per_epoch
        self._started = time.monotonic() - seconds
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        """Saves if enough steps have been taken."""
        progress = self._trainer.progress
        steps = progress.epoch * self._steps_per_epoch + progress.step
        if self._every and steps % self._every == 0:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        """Saves the finished epoch."""
        self.save()

    def save(self):
        """Saves now, if the weights are finite."""
        self._trainer.prepare_to_save()
        self.seconds = time.monotonic() - self._started
        if self._checkpoints:
            self._checkpoints.save(self._trainer.progress, self.seconds)


@contextlib.contextmanager
def storage_errors(what: str):
    """Turns errors that a full or broken disk caused into `StorageError`.

    Args:
        what: What is being written, for the message.
    """
    try:
        yield
    except StorageError:
        raise
    # Writers of files raise many kinds of errors.
    except Exception as error:
        reason = storage_reason(error)
        if reason is None:
            raise
        raise StorageError(
            f"{what} could not be written: {reason}. Earlier checkpoints are intact: "
            "free some space and start the same command again"
        ) from error


def _saved(reader):
    return json.loads(reader.get_tensor("progress/.ATTRIBUTES/VARIABLE_VALUE"))

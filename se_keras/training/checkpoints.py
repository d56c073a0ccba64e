"""Checkpoints of a run: each whole or not there, the last few and the best kept."""

import contextlib
import errno
import json
import pathlib
import re
import time

import keras
import tensorflow as tf

from se_keras.errors import StorageError, UsageError
from se_keras.files import clean_up, discard, replacing
from se_keras.training.loop import Progress, Trainer

# What TensorFlow makes of a file that is not as it was written.
_DAMAGE = (tf.errors.OpError, OSError, LookupError, RuntimeError, ValueError)
_NAME = re.compile(r"epoch-(\d+)-step-(\d+)")
# What a disk answers that is full, over its quota, or broken.
_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_STORAGE_MESSAGES = re.compile(
    r"No space left|Disk quota exceeded|File too large|Input/output error|Read-only"
)


class Checkpoints:
    """The folder of a run's checkpoints.

    A checkpoint is a folder `epoch-E-step-S`: after E finished epochs and S steps more.
    It holds one of TensorFlow's checkpoints (`state.index`, `state.data-*`), whose
    checksums tell a damaged one: all variables, the progress and the seconds.

    Args:
        path: The folder.
        state: Lists of all variables by name, as `Trainer.state`.
        keep: How many of the last checkpoints to keep. The one with the best validation
            accuracy is kept as well.
    """

    def __init__(self, path: pathlib.Path, state: dict, keep: int):
        self.path = path
        self._keep = keep
        self._record = tf.Variable("", dtype=tf.string)
        self._checkpoint = tf.train.Checkpoint(**state, record=self._record)
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
        """Writes a checkpoint and removes those that need not be kept.

        Args:
            progress: How far the run is.
            seconds: Time that it took.

        Raises:
            StorageError: If it could not be written; the others are as before.
        """
        name = f"epoch-{progress.epoch:05}-step-{progress.step:08}"
        record = {
            "epoch": progress.epoch,
            "step": progress.step,
            "totals": {name: float(v) for name, v in progress.totals.items()},
            "logs": dict(progress.logs),
            "seconds": seconds,
        }
        if (self.path / name).exists():
            return
        with storage_errors(f"The checkpoint {self.path / name}"):
            self._record.assign(json.dumps(record))
            with replacing(self.path / name) as path:
                self._checkpoint.write(path / "state")
            kept = self._to_keep()
            for old in self.names():
                if old not in kept:
                    discard(self.path / old)

    def restore(self) -> tuple[Progress, float]:
        """Restores the newest checkpoint that is whole, if there is one.

        Damaged ones that are newer are removed, with a notice.

        Returns:
            The progress and the seconds that it took.

        Raises:
            UsageError: If there are checkpoints and all are damaged, or it is one of
                another network.
        """
        damaged = {}
        for name in reversed(self.names()):
            try:
                record = self._verify(name)
            except _DAMAGE as error:
                damaged[name] = str(error).splitlines()[0]
                continue
            self._read(name)
            for other, reason in damaged.items():
                print(
                    f"Checkpoint {other} is damaged ({reason}): removed; going on from "
                    f"{name}."
                )
                discard(self.path / other)
            seconds = record.pop("seconds")
            return Progress(**record), seconds
        if damaged:
            raise UsageError(
                f"Expected a whole checkpoint in {self.path}. Received: damaged ones "
                f"only ({damaged}). Remove that folder to start from the beginning"
            )
        return Progress(), 0.0

    def _verify(self, name):
        """Returns the record of a checkpoint, all of whose checksums are right."""
        reader = tf.train.load_checkpoint(self.path / name / "state")
        for key in reader.get_variable_to_shape_map():
            reader.get_tensor(key)
        return _record(reader)

    def _read(self, name):
        try:
            status = self._checkpoint.read(self.path / name / "state")
            status.assert_existing_objects_matched()
        except (AssertionError, ValueError) as error:
            raise UsageError(
                f"Expected a checkpoint of the same network and optimizer. Received: "
                f"{self.path / name} ({str(error).splitlines()[0]})"
            ) from error

    def _to_keep(self):
        names = self.names()
        accuracies = {}
        for name in names:
            # A damaged one has no claim to be the best.
            with contextlib.suppress(*_DAMAGE):
                record = _record(tf.train.load_checkpoint(self.path / name / "state"))
                if "val_accuracy" in record["logs"]:
                    accuracies[name] = record["logs"]["val_accuracy"]
        best = [max(accuracies, key=accuracies.get)] if accuracies else []
        return {*names[-self._keep :], *best}


class CheckpointRun(keras.callbacks.Callback):
    """Saves each epoch, and every so many steps.

    Every worker has one, since what is saved takes all workers to compute.

    Args:
        trainer: What to save.
        checkpoints: Where; `None` on all workers but the chief.
        every: Steps of the run between two checkpoints; 0 for epochs alone.
        steps_per_epoch: Steps of an epoch.
        seconds: Time that earlier parts of the run took.

    Attributes:
        seconds: Time of the run up to the last save.
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
    """Turns a disk's errors into `StorageError`.

    Args:
        what: What is being written.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        known = getattr(error, "errno", None) in _STORAGE_ERRNOS
        if not known and not _STORAGE_MESSAGES.search(str(error)):
            raise
        reason = re.sub(r"\{\{.*?\}\} ", "", str(error).splitlines()[0])
        raise StorageError(
            f"{what} could not be written: {reason}. Earlier checkpoints are intact: "
            "make room and start the same command again"
        ) from error


def _record(reader):
    return json.loads(reader.get_tensor("record/.ATTRIBUTES/VARIABLE_VALUE"))

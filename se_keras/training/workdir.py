"""The folder of a run: what was asked for, and what came of it."""

import contextlib
import csv
import dataclasses
import fcntl
import json
import pathlib
import platform
import tempfile
from importlib import metadata

import keras

from se_keras.errors import UsageError
from se_keras.files import clean_up, replacing, write_json
from se_keras.training.recipe import Recipe
from se_keras.training.settings import write_config

# Settings that may change between a run and its continuation.
FREE_SETTINGS = (
    "checkpoint_every",
    "data_dir",
    "data_service",
    "deterministic",
    "exports",
    "keep_checkpoints",
    "on_bad_image",
    "profile_steps",
    "strategy",
    "workdir",
    "worker_index",
    "workers",
)
# What a run writes for others to use.
RESULTS = ("model.keras", "saved_model", "model.tflite", "report.json")
PACKAGES = ("se-keras", "keras", "tensorflow", "tensorflow-datasets", "numpy")


class WorkDir:
    """The folder of one run.

    It holds `config.json` (settings and versions), `recipe.yaml` (the settings for
    another run), `metrics.csv`, `checkpoints/`,
    `tensorboard/`, `model.keras`, the exports, and `report.json`.

    Nothing is written before `open`.

    Args:
        path: The folder.
        recipe: Settings of the run.

    Raises:
        UsageError: If the folder could not be written, or belongs to a run with
            other settings.
    """

    def __init__(self, path: str | pathlib.Path, recipe: Recipe):
        self.path = pathlib.Path(path).expanduser()
        self._recipe = recipe
        with self._as_usage_error():
            self._check_settings()
            self._check_parent()

    @contextlib.contextmanager
    def open(self):
        """Creates the folder, and keeps other runs out of it while the context lasts.

        Raises:
            UsageError: If the folder cannot be written, or another run is in it.
        """
        with self._as_usage_error():
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            lock = (self.checkpoints / "lock").open("a")
        with lock:
            self._take(lock)
            self._write_settings()
            yield

    def _take(self, lock):
        """Takes the lock; the system frees it however this process ends."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                "Expected a --workdir in which no other run is. "
                f"Received: {self.path}, where one is running"
            ) from error
        except OSError as error:
            # Some network file systems have no locks.
            print(f"{self.path} cannot be locked ({error}): start no second run in it.")

    def _write_settings(self):
        with self._as_usage_error():
            # Again: another run may have begun here since.
            self._check_settings()
            with tempfile.TemporaryFile(dir=self.path):
                pass
            clean_up(self.path)
            if not self.config.exists():
                settings = dataclasses.asdict(self._recipe)
                write_json(self.config, {**settings, "versions": versions()})
                write_config(self.path / "recipe.yaml", self._recipe)

    @property
    def config(self) -> pathlib.Path:
        """File of the settings."""
        return self.path / "config.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    def _check_settings(self):
        if not self.config.exists():
            strangers = [name for name in RESULTS if (self.path / name).exists()]
            if strangers:
                raise UsageError(
                    f"{self.path} holds {strangers[0]} of no run that is known here: "
                    "there is no config.json. Give another --workdir"
                )
            return
        # Through JSON, so that tuples compare with lists.
        wanted = json.loads(json.dumps(dataclasses.asdict(self._recipe)))
        there = json.loads(self.config.read_text())
        if not isinstance(there, dict):
            raise UsageError(f"{self.config} holds no settings of a run")
        differing = [
            f"{name}: {there.get(name)!r} there, {value!r} here"
            for name, value in wanted.items()
            if name not in FREE_SETTINGS and there.get(name) != value
        ]
        if differing:
            raise UsageError(
                f"{self.path} belongs to a run with other settings: "
                f"{'; '.join(differing)}. Give another --workdir, or the same settings"
            )

    def _check_parent(self):
        """Finds out whether the folder could be made, without making it."""
        nearest = next(
            p for p in (self.path, *self.path.absolute().parents) if p.exists()
        )
        with tempfile.TemporaryFile(dir=nearest):
            pass

    @contextlib.contextmanager
    def _as_usage_error(self):
        try:
            yield
        except (OSError, json.JSONDecodeError) as error:
            raise UsageError(
                "Expected a work directory that can be written. "
                f"Received: {str(self.path)!r} ({error})"
            ) from error


class MetricsFile(keras.callbacks.Callback):
    """Writes the logs of all epochs to a CSV file, whole after each epoch.

    Args:
        workdir: The run's folder. Rows of an earlier part of the run are kept.
        initial_epoch: First epoch of this part; rows from it on are replaced.
    """

    NAME = "metrics.csv"

    def __init__(self, workdir: WorkDir, initial_epoch: int):
        super().__init__()
        self._workdir = workdir
        self._rows = []
        path = workdir.path / self.NAME
        if path.exists():
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            self._rows = [row for row in rows if int(row["epoch"]) <= initial_epoch]

    def on_epoch_end(self, epoch, logs=None):
        """Adds a row: the number of the finished epoch, from 1, and its logs."""
        self._rows.append({"epoch": epoch + 1, **logs})
        with (
            replacing(self._workdir.path / self.NAME) as path,
            path.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=list(self._rows[-1]))
            writer.writeheader()
            writer.writerows(self._rows)


def versions() -> dict[str, str]:
    """Returns the versions of Python and the packages that decide a run."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found

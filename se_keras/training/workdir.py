"""The work directory of a run: its settings and its results."""

import contextlib
import csv
import dataclasses
import json
import pathlib
import platform
import statistics
import tempfile
from importlib import metadata

import keras

from se_keras.data.fingerprint import Fingerprint
from se_keras.errors import UsageError
from se_keras.export.formats import FORMATS
from se_keras.files import clean_up, lock, replacing, write_json
from se_keras.training.recipe import Recipe
from se_keras.training.settings import write_config

# What a run writes for others to use.
RESULTS = (
    "model.keras",
    "report.json",
    *(form.file_name() for form in FORMATS.values()),
)
PACKAGES = ("se-keras", "keras", "tensorflow", "tensorflow-datasets", "numpy")


class WorkDir:
    """The work directory of one run.

    It contains `config.json` (settings and versions), `recipe.yaml` (the settings, for
    `--config`), `data.json` and lists of files (see `Fingerprint`), `metrics.csv`,
    `checkpoints/`, `tensorboard/`, `model.keras`, the exports, `weights.json` (what was
    loaded, with `weights`), and `report.json`.

    Nothing is written before `open`.

    Args:
        path: The directory.
        recipe: Settings of the run.

    Raises:
        UsageError: If the directory could not be written, or belongs to a run with
            other settings, except those of `runtime`, which may differ.
    """

    def __init__(self, path: str | pathlib.Path, recipe: Recipe):
        self.path = pathlib.Path(path).expanduser()
        self._recipe = recipe
        self._fingerprint: Fingerprint | None = None
        with self._as_usage_error():
            self._check_settings()
            self._check_parent()

    def check_data(self, fingerprint: Fingerprint | None) -> None:
        """Checks that the data set is that of the earlier parts of the run.

        Args:
            fingerprint: What identifies it, which `open` writes; `None` for nothing.

        Raises:
            UsageError: If it is not, except for what `allow_changed_data` allows.
        """
        self._fingerprint = fingerprint
        if fingerprint:
            allow_added = self._recipe.runtime.allow_changed_data
            if changes := fingerprint.check(self.path, allow_added):
                print(changes)

    @contextlib.contextmanager
    def open(self):
        """A context that creates the directory and locks it for other runs.

        Raises:
            UsageError: If the directory cannot be written, or another run uses it.
        """
        with self._as_usage_error():
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            file = (self.checkpoints / "lock").open("a")
        with file:
            self._lock(file)
            self._write_settings()
            yield

    def _lock(self, file):
        """Locks a file; the system unlocks it however this process ends."""
        try:
            lock(file.fileno(), wait=False)
        except BlockingIOError as error:
            raise UsageError(
                "Expected a --workdir that no other run uses. "
                f"Received: {self.path}, where one is running"
            ) from error
        except OSError as error:
            # Some network file systems have no locks.
            print(f"{self.path} cannot be locked ({error}): start no second run in it.")

    def _write_settings(self):
        with self._as_usage_error():
            # Again: another run may have started here in the meantime.
            self._check_settings()
            with tempfile.TemporaryFile(dir=self.path):
                pass
            clean_up(self.path)
            if not self.config.exists():
                settings = dataclasses.asdict(self._recipe)
                write_json(self.config, {**settings, "versions": versions()})
                write_config(self.path / "recipe.yaml", self._recipe)
            if self._fingerprint:
                self._fingerprint.write(self.path)

    @property
    def config(self) -> pathlib.Path:
        """The file with the settings."""
        return self.path / "config.json"

    @property
    def metrics(self) -> pathlib.Path:
        """The file with the logs of all epochs."""
        return self.path / "metrics.csv"

    def speed(self) -> dict[str, float]:
        """Returns `images_per_second` of all epochs in `metrics.csv`, if there are any.

        Their images divided by the time that they took: as all epochs have the same
        number of images, the harmonic mean of the column.
        """
        if not self.metrics.exists():
            return {}
        with self.metrics.open(newline="") as file:
            values = [row.get("images_per_second") for row in csv.DictReader(file)]
        rates = [float(value) for value in values if value]
        return {"images_per_second": statistics.harmonic_mean(rates)} if rates else {}

    @property
    def checkpoints(self) -> pathlib.Path:
        """The directory of the checkpoints."""
        return self.path / "checkpoints"

    def _check_settings(self):
        if not self.config.exists():
            found = [name for name in RESULTS if (self.path / name).exists()]
            if found:
                raise UsageError(
                    "Expected a --workdir that is new or of an earlier run. "
                    f"Received: {self.path}, which has {found[0]} and no config.json"
                )
            return
        # Through JSON, so that tuples compare with lists.
        wanted = json.loads(json.dumps(dataclasses.asdict(self._recipe)))
        # What the machine decides may change when a run continues.
        del wanted["runtime"]
        saved = json.loads(self.config.read_text())
        if not isinstance(saved, dict):
            raise UsageError(
                "Expected the settings of a run in config.json. "
                f"Received: {self.config}, which is not a mapping"
            )
        differing = [
            f"{name}: {saved.get(name)!r} there, {value!r} here"
            for name, value in wanted.items()
            if saved.get(name) != value
        ]
        if differing:
            raise UsageError(
                f"{self.path} belongs to a run with other settings: "
                f"{'; '.join(differing)}. Give another --workdir, or the same settings"
            )

    def _check_parent(self):
        """Raises an error if the directory could not be created; creates nothing."""
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
    """Writes the logs of all epochs to a CSV file, complete after each epoch.

    Args:
        workdir: The work directory. Rows of an earlier part of the run are kept.
        initial_epoch: First epoch of this part; rows from it on are replaced.
    """

    def __init__(self, workdir: WorkDir, initial_epoch: int):
        super().__init__()
        self._path = workdir.metrics
        self._rows = []
        if self._path.exists():
            with self._path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            self._rows = [row for row in rows if int(row["epoch"]) <= initial_epoch]

    def on_epoch_end(self, epoch, logs=None):
        """Adds a row: the number of the finished epoch, from 1, and its logs."""
        self._rows.append({"epoch": epoch + 1, **logs})
        # Not all epochs are evaluated.
        columns = dict.fromkeys(name for row in self._rows for name in row)
        with (
            replacing(self._path) as path,
            path.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=[*columns])
            writer.writeheader()
            writer.writerows(self._rows)


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that affect a run."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found

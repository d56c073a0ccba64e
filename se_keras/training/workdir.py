"""The work directory of a run: its settings and its results."""

import contextlib
import csv
import dataclasses
import json
import pathlib
import platform
import statistics
import tempfile
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import keras

from se_keras.data.fingerprint import Fingerprint
from se_keras.errors import StorageError, UsageError, one_line, storage_reason
from se_keras.export.formats import FORMATS
from se_keras.files import clean_up, lock, replacing, write_json
from se_keras.training.checks import as_text
from se_keras.training.choices import EXTENDABLE
from se_keras.training.recipe import Recipe
from se_keras.training.settings import flattened, write_config

# What a run writes for others to use.
RESULTS = (
    "model.keras",
    "report.json",
    *(form.file_name() for form in FORMATS.values()),
)
# What a run replaces, and which has to be of the same kind.
FILES = (
    "config.json",
    "recipe.yaml",
    "metrics.csv",
    "model.keras",
    "report.json",
    "curves.png",
    *(form.file_name() for form in FORMATS.values() if form.suffix),
)
DIRECTORIES = (
    "checkpoints",
    "tensorboard",
    "evaluation",
    *(form.file_name() for form in FORMATS.values() if not form.suffix),
)
MAX_DIFFERENCES = 8  # in an error
FINDINGS = "findings"  # in config.json
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
        UsageError: If the directory could not be written, a file in it is damaged, or
            it belongs to a run with other settings. Those of `runtime` may differ, and
            `epochs` may be larger with a schedule that permits it.

    Attributes:
        path: The directory.
        earlier_epochs: The `epochs` of the run that this one makes longer, else `None`.
    """

    def __init__(self, path: str | pathlib.Path, recipe: Recipe):
        self.path = pathlib.Path(path).expanduser()
        self.earlier_epochs: int | None = None
        self._recipe = recipe
        self._fingerprint: Fingerprint | None = None
        with self._as_usage_error():
            self._check_kinds()
            self._check_settings()
            self._check_parent()
            read_metrics(self.metrics)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to continue from."""
        return any(self.checkpoints.glob("epoch-*"))

    @property
    def findings(self) -> dict[str, Any] | None:
        """What the run found at its start and needs again; `None` for a new run."""
        if not self.config.exists():
            return None
        found = self._read_config().get(FINDINGS)
        return found if isinstance(found, dict) else {}

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
    def open(self, findings: Mapping[str, Any] | None = None):
        """A context that creates the directory and locks it for other runs.

        Args:
            findings: What the run found at its start, of types that JSON can represent.

        Raises:
            UsageError: If the directory cannot be written, or another run uses it.
        """
        with self._as_usage_error():
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            file = (self.checkpoints / "lock").open("a")
        with file:
            self._lock(file)
            self._write_settings(findings or {})
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

    def _write_settings(self, findings):
        with self._as_usage_error():
            # Again: another run may have started here in the meantime.
            self._check_settings()
            with tempfile.TemporaryFile(dir=self.path):
                pass
            clean_up(self.path)
            if self.earlier_epochs:
                config = {**self._read_config(), "epochs": self._recipe.epochs}
            elif not self.config.exists():
                settings = dataclasses.asdict(self._recipe)
                found = {FINDINGS: dict(findings)} if findings else {}
                config = {**settings, **found, "versions": versions()}
            else:
                config = None
            if config:
                write_json(self.config, config)
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
        wanted = _plain(dataclasses.asdict(self._recipe))
        # An earlier version of the package may not have had all of them.
        saved = {**_plain(_defaults()), **_plain(self._read_config())}
        differing = [
            f"{name}: {as_text(saved.get(name), repr)} there, "
            f"{as_text(value, repr)} here"
            for name, value in wanted.items()
            # What the machine decides may change when a run continues.
            if not name.startswith("runtime.")
            and name != "epochs"
            and saved.get(name) != value
        ]
        if differing:
            if len(differing) > MAX_DIFFERENCES:
                more = f"{len(differing) - MAX_DIFFERENCES} more"
                differing = [*differing[:MAX_DIFFERENCES], more]
            raise UsageError(
                f"{self.path} belongs to a run with other settings: "
                f"{'; '.join(differing)}. Give another --workdir, or the same settings"
            )
        self._check_epochs(saved.get("epochs"))

    def _check_epochs(self, earlier):
        """Raises an error if the run cannot get from some epochs to those wanted."""
        epochs, schedule = self._recipe.epochs, self._recipe.schedule
        self.earlier_epochs = None
        if earlier == epochs:
            return
        if not isinstance(earlier, int) or epochs < earlier:
            raise UsageError(
                f"Expected epochs={as_text(earlier)} or more for the run in "
                f"{self.path}, or another --workdir. Received: epochs={epochs}"
            )
        if schedule not in EXTENDABLE:
            model = self.path / "model.keras"
            when = "" if model.exists() else " when this one is finished"
            raise UsageError(
                f"Expected epochs={earlier} for the run in {self.path}: its learning "
                f"rate, schedule={schedule}, ends with epoch {earlier}. To train on, "
                f"start a new run with --config={self.path / 'recipe.yaml'} "
                f"--weights={model} and another --workdir{when}. "
                f"Received: epochs={epochs}"
            )
        self.earlier_epochs = earlier

    def _read_config(self):
        """Returns the settings in `config.json`.

        Raises:
            UsageError: If it is damaged.
        """
        try:
            saved = json.loads(self.config.read_text())
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"Expected the settings of a run in config.json. Received: "
                f"{self.config}, which is not JSON ({one_line(error, 200)})"
            ) from error
        if not isinstance(saved, dict):
            raise UsageError(
                "Expected the settings of a run in config.json. "
                f"Received: {self.config}, which is not a mapping"
            )
        return saved

    def _check_kinds(self):
        """Raises an error if a directory is where a file belongs, or vice versa."""
        for names, is_wrong, expected in (
            (FILES, pathlib.Path.is_dir, "a file"),
            (DIRECTORIES, pathlib.Path.is_file, "a directory"),
        ):
            for path in (self.path / name for name in names):
                if is_wrong(path):
                    raise UsageError(
                        f"Expected {expected}, or nothing, at {path}. Received: "
                        f"{'a file' if path.is_file() else 'a directory'}"
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
        except OSError as error:
            if storage_reason(error) is not None:
                raise StorageError(
                    f"{self.path} could not be written: {one_line(error, 200)}"
                ) from error
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
        self._rows: list[dict] = [
            row
            for row in read_metrics(self._path)
            if float(row["epoch"]) <= initial_epoch
        ]

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


def _plain(settings):
    """Returns settings by path as JSON represents them: tuples are lists."""
    return flattened(json.loads(json.dumps(settings)))


def _defaults():
    """Returns the fields of a recipe that have a default."""
    return {
        field.name: dataclasses.asdict(field.default)
        if dataclasses.is_dataclass(field.default)
        else field.default
        for field in dataclasses.fields(Recipe)
        if field.default is not dataclasses.MISSING
    }


def read_metrics(path: pathlib.Path) -> list[dict[str, str]]:
    """Returns the rows of a `metrics.csv`; none if there is no file.

    Args:
        path: The file.

    Raises:
        UsageError: If it is not a table of numbers with a column `epoch`.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            float(row["epoch"])
            for cell in row.values():
                float(cell or "nan")
    # A short row has cells that are `None`, a long one a list of cells.
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UsageError(
            "Expected a table of numbers with a column 'epoch', as a run writes it; "
            f"without the file the run continues. Received: {path} "
            f"({type(error).__name__}: {one_line(error, 100)})"
        ) from error
    return rows


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that affect a run."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found

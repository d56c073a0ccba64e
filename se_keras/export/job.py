"""Several exports of one model into a folder, with a report of them all."""

import csv
import json
import pathlib
from collections.abc import Iterable, Sequence

import keras
import numpy as np

from se_keras.errors import UsageError, as_usage_errors
from se_keras.export import artifact, runtime
from se_keras.export.formats import FORMATS
from se_keras.files import expect_nothing, locked, replacing, write_json

REPORT = "report.json"


def export_files(
    model: keras.Model,
    folder: str | pathlib.Path,
    formats: Sequence[str],
    *,
    quantization: str | None = None,
    calibration: np.ndarray | Iterable | None = None,
    dynamic_batch: bool | None = None,
    frozen: bool | None = None,
    debug: bool = False,
    **common,
) -> dict[str, dict]:
    """Exports a model in several formats, and adds them to the folder's report.

    Args:
        model: As in `export.saved_model`.
        folder: Folder for the files. They have the name of the model and the suffix of
            the format, `model_int8.tflite` or `model_saved_model`.
        formats: Names in `FORMATS`.
        quantization: As in `export.tflite`; the other formats stay in float32.
        calibration: As in `export.tflite`; all files are verified on these images.
        dynamic_batch: Whether the files take batches of any size, where there is a
            choice; by default what each export does by default.
        frozen: As in `export.saved_model`.
        debug: Whether to write the errors of an int8 file by layer, as a table beside
            it.
        **common: See `export.artifact.Common`.

    Returns:
        The report of each file by its name; `report.json` in the folder has them, and
        what it had of other files.

    Raises:
        UsageError: As the exports; before anything is written if a format is unknown,
            none has an option that is given, a package is missing or a file is there.
    """
    folder = pathlib.Path(folder)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"Expected formats in {tuple(FORMATS)}. Received: {', '.join(formats)!r}"
        )
    with as_usage_errors(OSError):
        for above in (folder, *folder.parents):
            if above.exists() and not above.is_dir():
                raise UsageError(
                    f"Expected a folder. Received: {above}, which is a file"
                )
    options = {
        "quantization": quantization,
        "dynamic_batch": dynamic_batch,
        "frozen": frozen,
    }
    for option, value in options.items():
        takers = [name for name in FORMATS if option in FORMATS[name].options]
        if value is not None and not set(takers) & set(formats):
            raise UsageError(
                f"Expected {option} with a format that has it ({', '.join(takers)}). "
                f"Received: {', '.join(formats)!r}, {option}={value!r}"
            )
    if "tflite" in formats:
        artifact.check_quantization(quantization, calibration)
    if debug and quantization != "int8":
        raise UsageError(
            "Expected quantization='int8' to be debugged. "
            f"Received: quantization={quantization!r}"
        )
    paths = {
        name: folder / _file_name(model.name, name, quantization)
        for name in dict.fromkeys(formats)
    }
    for name, path in paths.items():
        runtime.require(*FORMATS[name].packages)
        if not common.get("overwrite"):
            expect_nothing(path)
    _read_report(folder / REPORT)
    # Batches may come only once, and each file needs them.
    calibration = _kept(calibration)
    if "images" in common:
        common["images"] = _kept(common["images"])
    if calibration is not None:
        common = {"images": calibration, **common}
    options["calibration"] = calibration
    reports = {}
    for name, path in paths.items():
        own = {
            option: value
            for option, value in options.items()
            if option in FORMATS[name].options and value is not None
        }
        print(f"Exporting and verifying {path} ...", flush=True)
        reports[path.name] = getattr(artifact, name)(model, path, **own, **common)
        _add_to_report(folder / REPORT, {path.name: reports[path.name]})
        if debug and name == "tflite":
            rows = artifact.quantization_errors(model, calibration, **common)
            _write_table(path.with_name(f"{path.stem}_errors.csv"), rows)
    return reports


def _kept(images):
    """Returns an array as it is, and batches in a list."""
    if hasattr(images, "shape") or not isinstance(images, Iterable):
        return images
    return list(images)


def _file_name(model, name, quantization):
    has_choice = quantization and "quantization" in FORMATS[name].options
    stem = f"{model}_{quantization}" if has_choice else model
    return f"{stem}{FORMATS[name].suffix or f'_{name}'}"


def _add_to_report(path, reports):
    with locked(path.parent):
        write_json(path, {**_read_report(path), **reports})


def _read_report(path):
    """Returns what a report has of earlier exports; nothing if there is none."""
    if not path.exists():
        return {}
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Expected a report of exports. Received: {path}, which is no JSON"
        ) from error
    if not isinstance(report, dict):
        raise UsageError(
            f"Expected a report of exports. Received: {path}, which has no files"
        )
    return report


def _write_table(path, rows):
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)

"""Several exports of one model into a directory, with a report of them all."""

import csv
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from se_keras.errors import UsageError, as_usage_errors
from se_keras.export import artifact, writing
from se_keras.export.formats import FORMATS, formats_with
from se_keras.export.quantization import QUANTIZATIONS
from se_keras.files import expect_nothing, locked, replacing, write_json
from se_keras.models.preprocessing import Preprocessing

REPORT = "report.json"


def export_files(
    model: keras.Model,
    directory: str | pathlib.Path,
    formats: Sequence[str],
    *,
    quantization: str | None = None,
    calibration: np.ndarray | Iterable | None = None,
    dynamic_batch: bool | None = None,
    frozen: bool | None = None,
    debug: bool = False,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
    images: np.ndarray | Iterable | None = None,
    overwrite: bool = False,
) -> dict[str, dict[str, Any]]:
    """Exports a model in several formats, and adds them to the directory's report.

    Args:
        model: As in `export.saved_model`.
        directory: Directory for the files. They have the name of the model and the
            suffix of the format, `model_int8.tflite` or `model_saved_model`.
        formats: Names in `export.FORMATS`.
        quantization: As in `export.tflite`; the other formats stay in float32.
        calibration: As in `export.tflite`; by default all files are verified on these
            images.
        dynamic_batch: Whether the files take batches of any size, for the formats that
            have the choice. Defaults to the default of each format.
        frozen: As in `export.saved_model`.
        debug: Whether to write the errors of an int8 file by layer, as a CSV table
            next to it.
        include_preprocessing: As in `export.saved_model`.
        class_names: As in `export.saved_model`.
        preprocessing: As in `export.saved_model`.
        input_size: As in `export.saved_model`.
        images: As in `export.saved_model`.
        overwrite: Whether to replace what is at the paths of the files.

    Returns:
        The report of each file by its name. `report.json` in the directory has them,
        and those of earlier exports.

    Raises:
        UsageError: As the exports; before anything is written if a format is unknown,
            none of the formats has an option that is given, a package is missing or
            something is at a path.
        VerificationError: As the exports. The files before that one are complete.

    Example:

    ```python
    reports = export.export_files(model, "exported", ["tflite", "onnx"])
    ```
    """
    directory = pathlib.Path(directory)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"Expected formats in {tuple(FORMATS)}. Received: {', '.join(formats)!r}"
        )
    with as_usage_errors(OSError):
        for above in (directory, *directory.parents):
            if above.exists() and not above.is_dir():
                raise UsageError(
                    f"Expected a directory. Received: {above}, which is a file"
                )
    options: dict[str, Any] = {
        "quantization": quantization,
        "dynamic_batch": dynamic_batch,
        "frozen": frozen,
    }
    for option, value in options.items():
        takers = formats_with(option)
        if value is not None and not set(takers) & set(formats):
            raise UsageError(
                f"Expected {option} with a format that has it ({', '.join(takers)}). "
                f"Received: {', '.join(formats)!r}, {option}={value!r}"
            )
    options["calibration"] = calibration
    forms = {name: FORMATS[name] for name in formats}
    for form in forms.values():
        form.checker(**_own(form, options))
    if debug and not _is_calibrated(quantization):
        calibrated = filter(_is_calibrated, QUANTIZATIONS)
        raise UsageError(
            "Expected debug=True with quantization="
            f"{' or '.join(map(repr, calibrated))} only. "
            f"Received: quantization={quantization!r}"
        )
    paths = {
        name: directory / _file_name(model.name, form, quantization)
        for name, form in forms.items()
    }
    for name, path in paths.items():
        forms[name].require()
        if not overwrite:
            expect_nothing(path)
    _read_report(directory / REPORT)
    # Batches may be yielded only once, and each file needs them.
    calibration, images = _kept(calibration), _kept(images)
    options["calibration"] = calibration
    shared = writing.Shared(
        include_preprocessing,
        class_names,
        preprocessing,
        input_size,
        calibration if images is None else images,
        overwrite,
    )
    reports = {}
    for name, path in paths.items():
        print(f"Exporting and verifying {path} ...", flush=True)
        own = _own(forms[name], options)
        report = writing.write(forms[name], model, path, shared, **own)
        reports[path.name] = report
        _add_to_report(directory / REPORT, {path.name: report})
        if debug and "quantization" in own:
            rows = artifact.quantization_errors(
                model,
                calibration,
                include_preprocessing=include_preprocessing,
                preprocessing=preprocessing,
                input_size=input_size,
            )
            _write_table(path.with_name(f"{path.stem}_errors.csv"), rows)
    return reports


def _own(form, options):
    """Returns the options that a format has, of those that are given."""
    return {
        name: value
        for name, value in options.items()
        if name in form.options and value is not None
    }


def _is_calibrated(quantization):
    return quantization is not None and QUANTIZATIONS[quantization].needs_calibration


def _kept(images):
    """Returns an array as it is, and batches in a list."""
    if hasattr(images, "shape") or not isinstance(images, Iterable):
        return images
    return list(images)


def _file_name(model, form, quantization):
    has_choice = quantization and "quantization" in form.options
    return form.file_name(f"{model}_{quantization}" if has_choice else model)


def _add_to_report(path, reports):
    with locked(path.parent):
        write_json(path, {**_read_report(path), **reports})


def _read_report(path):
    """Returns the reports of earlier exports; none if there is no file."""
    if not path.exists():
        return {}
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Expected a report of exports. Received: {path}, which is not JSON"
        ) from error
    if not isinstance(report, dict):
        raise UsageError(
            f"Expected a report of exports. Received: {path}, which lists no files"
        )
    return report


def _write_table(path, rows):
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)

"""The files that a run exports, in the formats of `se_keras.export`."""

import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from se_keras import export
from se_keras.export import runtime
from se_keras.export.formats import FORMATS


def export_name(name: str) -> str:
    """Returns the name of a run's export: `"model.tflite"`, `"saved_model"`."""
    suffix = FORMATS[name].suffix
    return f"model{suffix}" if suffix else name


def check_exports(names: Sequence[str]) -> None:
    """Raises a `UsageError` if a package that a format needs is not installed."""
    for name in names:
        runtime.require(*FORMATS[name].packages)


def write_exports(
    model: keras.Model,
    directory: pathlib.Path,
    names: Sequence[str],
    pixels: np.ndarray,
) -> dict[str, dict]:
    """Exports a model, and verifies what was exported.

    The exports take pixels in 0..255, so that an application cannot normalize
    differently.

    Args:
        model: A model with `preprocessing`.
        directory: Directory for the files.
        names: Names in `FORMATS`.
        pixels: Images to verify the exports on, `(count, height, width, channels)`.

    Returns:
        The report of each export by the name of its format.
    """
    reports = {}
    for name in names:
        print(f"Exporting and verifying {export_name(name)} ...", flush=True)
        reports[name] = getattr(export, name)(
            model,
            directory / export_name(name),
            include_preprocessing=True,
            images=pixels,
            overwrite=True,
        )
    return reports

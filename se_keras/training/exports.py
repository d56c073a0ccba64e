"""The files that a run exports, in the formats of `se_keras.export`."""

import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from se_keras.export import writing
from se_keras.export.formats import FORMATS


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
    shared = writing.Shared(include_preprocessing=True, images=pixels, overwrite=True)
    reports = {}
    for name in names:
        form = FORMATS[name]
        path = directory / form.file_name()
        print(f"Exporting and verifying {path.name} ...", flush=True)
        reports[name] = writing.write(form, model, path, shared)
    return reports

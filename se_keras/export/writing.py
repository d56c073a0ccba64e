"""How an export is made: written, opened again, compared, and only then named."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from se_keras.backend import keras_defaults
from se_keras.errors import RunError, StorageError, UsageError, storage_reason
from se_keras.export import verification
from se_keras.export.formats import Format
from se_keras.export.images import calibration_images, some_images
from se_keras.export.network import Exported, exported
from se_keras.export.quantization import QUANTIZATIONS
from se_keras.files import expect_nothing, replacing, size_of
from se_keras.models.preprocessing import Preprocessing

# Free bytes below which a disk is full: no export is smaller.
FULL = 2**12


@dataclasses.dataclass(frozen=True)
class Shared:
    """The arguments that all exports share; see `export.saved_model`."""

    include_preprocessing: bool = False
    class_names: Sequence[str] | None = None
    preprocessing: Preprocessing | None = None
    input_size: int | tuple[int, int] | None = None
    images: np.ndarray | Iterable | None = None
    overwrite: bool = False

    def source(self, model: keras.Model, form: Format) -> Exported:
        """Returns what is exported of a model in a format."""
        return exported(
            model,
            include_preprocessing=self.include_preprocessing,
            class_names=self.class_names,
            preprocessing=self.preprocessing,
            input_size=self.input_size,
            needs_size=not form.any_size,
        )


@keras_defaults()
def write(
    form: Format,
    model: keras.Model,
    path: str | pathlib.Path,
    shared: Shared,
    **options: Any,
) -> dict[str, Any]:
    """Writes a model in a format, verifies it, and moves it to its path.

    Args:
        form: The format.
        model: As in `export.saved_model`.
        path: As in `export.saved_model`.
        shared: The arguments that all exports share.
        **options: Those of the format; the others have their defaults.

    Returns:
        The report, as `export.saved_model`.

    Raises:
        UsageError: As `export.saved_model`.
        VerificationError: As `export.saved_model`.
        StorageError: As `export.saved_model`.
    """
    options = {**form.options, **options}
    form.checker(**options)
    path = pathlib.Path(path)
    _check_path(form, path, shared.overwrite)
    form.require()
    source = shared.source(model, form)
    images = shared.images
    if options.get("calibration") is not None:
        options["calibration"] = calibration_images(source, options["calibration"])
        images = options["calibration"] if images is None else images
    images = some_images(source, images)
    with _storage_errors(path), replacing(path, shared.overwrite) as temporary:
        report = _written(form, source, temporary, images, options)
    return {"path": str(path), **report}


def _written(form, source, path, images, options):
    """Writes an export to a path; returns its report."""
    quantization = options.get("quantization")
    with _naming_a_full_disk(path.parent):
        form.write(source.network, path, source.metadata, **options)
        form.attachment.write(source.metadata, path)
        with verification.refusals():
            run = form.open(path)
        report = verification.compare(
            source.reference,
            run,
            images,
            quantization=QUANTIZATIONS[quantization] if quantization else None,
        )
        return {"bytes": size_of(path), **report, **form.describer(path)}


@contextlib.contextmanager
def _naming_a_full_disk(directory):
    """Names a full disk as the cause of an error, which converters do not."""
    try:
        yield
    except Exception as error:
        if shutil.disk_usage(directory).free >= FULL or storage_reason(error):
            raise
        reason = os.strerror(errno.ENOSPC)
        raise OSError(errno.ENOSPC, reason, str(directory)) from error


@contextlib.contextmanager
def _storage_errors(path):
    """Turns errors of a disk into `StorageError`, and of a path into `UsageError`."""
    try:
        yield
    except Exception as error:
        reason = storage_reason(error)
        if reason is not None and not isinstance(error, RunError):
            raise StorageError(
                f"{path} could not be written: {reason}. Nothing of it is left: free "
                "some space and export again"
            ) from error
        if isinstance(error, OSError):  # a directory that cannot be made
            raise UsageError(str(error)) from error
        raise


def _check_path(form, path, overwrite):
    """Raises a `UsageError` if an export cannot be written at a path."""
    if form.suffix and path.suffix != form.suffix:
        raise UsageError(
            f"Expected a path with the suffix {form.suffix}. Received: {str(path)!r}"
        )
    if not overwrite:
        expect_nothing(path)
    if path.exists() and path.is_dir() == bool(form.suffix):
        kinds = ("a directory", "a file")
        raise UsageError(
            f"Expected {kinds[bool(form.suffix)]} to replace. Received: {str(path)!r}, "
            f"which is {kinds[path.is_file()]}"
        )

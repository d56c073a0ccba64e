"""Exported models: written whole and verified, or not at all."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import TypedDict, Unpack

import keras
import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError, as_usage_errors
from se_keras.export import quantize, runtime, verification
from se_keras.export.attachment import attach
from se_keras.export.formats import FORMATS
from se_keras.export.images import calibration_images, some_images
from se_keras.export.network import Exported, exported
from se_keras.export.writers import tflite_writer
from se_keras.files import expect_nothing, replacing, size_of
from se_keras.models.preprocessing import Preprocessing


class Common(TypedDict, total=False):
    """Arguments that every export takes, all by name and all optional.

    Attributes:
        include_preprocessing: Whether the exported model takes pixels in 0..255 and
            normalizes them itself. By default it takes what the model takes.
        class_names: Names in the order of the outputs; they travel with the file.
            Defaults to the model's.
        preprocessing: What the model expects; it travels with the file. Defaults to
            the model's.
        input_size: Height and width of the images, one number for both. Defaults to
            the model's.
        images: Inputs of the exported model to verify it on, `(n, height, width,
            channels)`, or batches of them. Defaults to a few of noise.
        overwrite: Whether to replace what is at the path.
    """

    include_preprocessing: bool
    class_names: Sequence[str] | None
    preprocessing: Preprocessing | None
    input_size: int | tuple[int, int] | None
    images: np.ndarray | Iterable | None
    overwrite: bool


def saved_model(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    frozen: bool | None = None,
    **common: Unpack[Common],
) -> dict:
    """Exports a SavedModel for batches of any size.

    Like every export it is made of the inference form (`fold`) in float32, opened again
    and compared with the Keras model before it gets its name. It runs where TensorFlow
    is, without keras and se_keras. Signatures:

    - `serve`, also `serving_default`: images `(n, height, width, channels)`, float32.
      Returns scores `(n, classes)`.
    - `classify`, if the preprocessing is known and the outputs are scores:
      `encoded_images`, a string tensor `(n,)` of JPEG, PNG, GIF or BMP files. They are
      decoded, resized, cropped and normalized. Returns `classes` and `scores`, both
      `(n, classes)`, best first; without class names their numbers.

    Args:
        model: A Keras model of one image and one output, in any precision.
        path: Folder to write.
        frozen: Whether the weights are nodes of the graph. It is then about 1.2 times
            as fast, and takes some 20 times the size of the file in memory, in Python
            at least; else 3 times. Defaults to whether the weights are less than 128
            MB.
        **common: See `Common`.

    Returns:
        The report: `path`, `bytes`, `images`, `largest_difference` and
        `rms_difference` (both relative to the output of the Keras model),
        `top1_agreement` in 0..1, and `milliseconds` (median, of one image).

    Raises:
        UsageError: If `path` exists, or the model or an argument is not of the
            expected form.
        VerificationError: If the exported model differs; then nothing is at `path`.

    Example:

    ```python
    report = export.saved_model(model, "saved_model", include_preprocessing=True)
    # In a process that has only TensorFlow:
    loaded = tf.saved_model.load("saved_model")
    scores = loaded.serve(pixels)
    best = loaded.classify(tf.constant([open("cat.jpg", "rb").read()]))["classes"][0, 0]
    ```
    """
    return _export("saved_model", model, path, common, frozen=frozen)


def tflite(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    quantization: str | None = None,
    calibration: np.ndarray | Iterable | None = None,
    dynamic_batch: bool = False,
    **common: Unpack[Common],
) -> dict:
    """Exports a TFLite file of built-in operations, for one image at a time.

    It has TFLite's metadata, with which MediaPipe's `ImageClassifier` opens it as it
    is and gives the class names: `docs/export.md`. MediaPipe takes color images alone,
    and one mean and deviation for all channels; with `include_preprocessing=True` it
    need not normalize at all.

    Args:
        model: As in `saved_model`; the height and width of its input are known.
        path: File to write, with the suffix `.tflite`.
        quantization: What the weights are, and with `"int8"` everything else too:

            - `None`: float32.
            - `"float16"`: float16 weights in half the size, float32 arithmetic.
            - `"dynamic"`: int8 weights in a quarter of the size; the arithmetic is the
              runtime's choice.
            - `"int8"`: int8 weights (by channel) and activations, uint8 images in,
              float32 scores out. Needs `calibration`.
        calibration: Images as the exported model takes them, from which the ranges of
            the activations are found: an array `(n, height, width, channels)`, or
            batches of such, alone or with labels, as a `tf.data.Dataset` gives them,
            or as `image` of a dictionary, as TFDS does.
            Some 100 to 500 of the training images are enough. Also what the file is
            verified on, by default.
        dynamic_batch: Whether the file takes batches of any size (the runtime has to
            resize its input then).
        **common: See `Common`.

    Returns:
        As `saved_model`, and `operations` and `outside_xnnpack`: how many operations
        the file has, and how many of them XNNPACK, which runs the others fast on
        processors, did not take.

    Raises:
        UsageError: As `saved_model`; if TFLite has no operation for a layer.
        VerificationError: As `saved_model`.

    Example:

    ```python
    export.tflite(model, "model.tflite", include_preprocessing=True)
    export.tflite(
        model,
        "model_int8.tflite",
        include_preprocessing=True,
        quantization="int8",
        calibration=pixels,
    )
    ```
    """
    check_quantization(quantization, calibration)
    return _export(
        "tflite",
        model,
        path,
        common,
        calibration,
        quantization=quantization,
        dynamic_batch=dynamic_batch,
    )


def check_quantization(quantization: str | None, calibration) -> None:
    """Raises a `UsageError` if there is no such quantization, or no need of images."""
    if quantization not in quantize.CONVERTER_SETTINGS:
        raise UsageError(
            f"Expected a quantization in {tuple(quantize.CONVERTER_SETTINGS)}. "
            f"Received: quantization={quantization!r}"
        )
    if (quantization == "int8") != (calibration is not None):
        raise UsageError(
            "Expected calibration images with quantization='int8', and only then. "
            f"Received: quantization={quantization!r}, "
            f"calibration={'None' if calibration is None else 'images'}"
        )


def onnx(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    dynamic_batch: bool = True,
    **common: Unpack[Common],
) -> dict:
    """Exports an ONNX file, images channels last.

    It is verified in ONNX Runtime. The names and the preprocessing travel in the file,
    as `metadata_props["se_keras.json"]`. Needs the extra `export`:
    `pip install -e '.[export]'`.

    Args:
        model: As in `saved_model`.
        path: File to write, with the suffix `.onnx`.
        dynamic_batch: Whether it takes batches of any size. A file for one image
            at a time is a little faster.
        **common: See `Common`.

    Returns:
        As `saved_model`.

    Raises:
        UsageError: As `saved_model`, or if a package is missing.
        VerificationError: As `saved_model`.

    Example:

    ```python
    export.onnx(model, "model.onnx", include_preprocessing=True)
    session = onnxruntime.InferenceSession("model.onnx")
    (scores,) = session.run(None, {"pixels": pixels})
    ```
    """
    return _export("onnx", model, path, common, dynamic_batch=dynamic_batch)


def openvino(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    dynamic_batch: bool = True,
    **common: Unpack[Common],
) -> dict:
    """Exports a folder with OpenVINO's `model.xml` and `model.bin`.

    It is verified in float32. (OpenVINO itself chooses bfloat16 on processors that have
    it.) The names and the preprocessing travel in the folder, in
    `assets.extra/se_keras.json`. Needs the extra `export`:
    `pip install -e '.[export]'`.

    Args:
        model: As in `saved_model`.
        path: Folder to write.
        dynamic_batch: Whether it takes batches of any size. A file for one image
            at a time is a little faster.
        **common: See `Common`.

    Returns:
        As `saved_model`.

    Raises:
        UsageError: As `saved_model`, or if a package is missing.
        VerificationError: As `saved_model`.

    Example:

    ```python
    export.openvino(model, "model_openvino", include_preprocessing=True)
    compiled = openvino.Core().compile_model("model_openvino/model.xml", "CPU")
    scores = compiled(pixels)[0]
    ```
    """
    return _export("openvino", model, path, common, dynamic_batch=dynamic_batch)


def quantization_errors(
    model: keras.Model, calibration: np.ndarray | Iterable, **common: Unpack[Common]
) -> list[dict]:
    """Compares an int8 TFLite model with the float32 one, layer by layer.

    Each operation is run in int8 and in float32 on the same int8 inputs, by
    `tf.lite.experimental.QuantizationDebugger`.

    Args:
        model: As in `tflite`.
        calibration: As in `tflite`.
        **common: As in `tflite`; `images` and `overwrite` are not used.

    Returns:
        A record for each operation in the order of the network: `layer`, `operation`,
        `scale` (of the output), `mean_squared_error`, and `steps`: its root in units of
        the scale. Rounding alone gives 0.29; where it is more than about 1, ranges or
        inputs are at fault.

    Example:

    ```python
    rows = export.quantization_errors(model, pixels, include_preprocessing=True)
    worst = sorted(rows, key=lambda row: -row["steps"])[:5]
    ```
    """
    source = _source(FORMATS["tflite"], model, **common)
    images = calibration_images(source, calibration)
    write = tflite_writer(source.network)
    calibrated = quantize.calibrate(write, images, source.metadata.normalizes)
    return quantize.errors(calibrated, images)


def _export(name, model, path, common, calibration=None, **own):
    """Writes a model in a format, verifies it, and gives it its name at the end."""
    form, path = FORMATS[name], pathlib.Path(path)
    if form.suffix and path.suffix != form.suffix:
        raise UsageError(
            f"Expected a path with the suffix {form.suffix}. Received: {str(path)!r}"
        )
    overwrite = common.get("overwrite", False)
    if not overwrite:
        expect_nothing(path)
    if path.exists() and path.is_dir() == bool(form.suffix):
        kinds = ("a folder", "a file")
        raise UsageError(
            f"Expected {kinds[bool(form.suffix)]} to replace. Received: {str(path)!r}, "
            f"which is {kinds[path.is_file()]}"
        )
    runtime.require(*form.packages)
    source = _source(form, model, **common)
    images = common.get("images")
    if calibration is not None:
        calibration = calibration_images(source, calibration)
        own["calibration"] = calibration
        images = calibration if images is None else images
    images = some_images(source, images)

    # A folder that cannot be made, or a full disk, also as TensorFlow tells it.
    unwritable = OSError, tf.errors.ResourceExhaustedError
    with as_usage_errors(*unwritable), replacing(path, overwrite) as temporary:
        form.write(source.network, temporary, source.metadata, **own)
        attach(source.metadata, temporary)
        with verification.refusals():
            run = form.open(temporary)
        report = verification.compare(
            source.reference,
            run,
            images,
            quantization=own.get("quantization"),
        )
        report = {"bytes": size_of(temporary), **report, **form.describe(temporary)}
    return {"path": str(path), **report}


def _source(form, model, *, images=None, overwrite=False, **common) -> Exported:
    """Returns what is exported; takes the arguments of `Common`."""
    return exported(model, needs_size=not form.any_size, **common)

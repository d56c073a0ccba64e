"""The functions that export a model: each file is complete and verified, or absent."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from se_keras.backend import keras_defaults, require_tensorflow
from se_keras.export.formats import FORMATS
from se_keras.export.images import calibration_images
from se_keras.export.writing import Shared, write
from se_keras.models.preprocessing import Preprocessing


def saved_model(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    frozen: bool | None = None,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
    images: np.ndarray | Iterable | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports a SavedModel for batches of any size.

    As every export, it is made of the inference form of the model (`fold`) in float32,
    and it is opened again and compared with the Keras model before it is moved to
    `path`. It runs with TensorFlow alone, without Keras and `se_keras`. Signatures:

    - `serve`, also `serving_default`: `pixels` with `include_preprocessing=True`,
      otherwise `images`, `(n, height, width, channels)`, float32. Returns `scores`,
      `(n, classes)`.
    - `classify`, if the preprocessing is known and the outputs are scores:
      `encoded_images`, a string tensor `(n,)` of JPEG, PNG, WebP, GIF, BMP or JPEG XL
      files. They are decoded, turned as their EXIF data state, resized, cropped and
      normalized. Returns `classes` and `scores`, both `(n, classes)`, best first, and
      `valid`, `(n,)`. Without class names `classes` are their numbers. A file that is
      not an image is not `valid`: its scores are 0 and its classes are empty.

    Args:
        model: A functional or Sequential Keras model of one batch of images, channels
            last, and one output, in any precision.
        path: Directory to write.
        frozen: Whether the weights are nodes of the graph. The SavedModel is then
            about 1.2 times as fast, and in Python takes some 20 times the size of its
            file in memory instead of 3 times. Defaults to whether the weights are less
            than 128 MB.
        include_preprocessing: Whether the exported model takes pixels in 0..255 and
            normalizes them itself. By default it takes normalized images, as the model
            does.
        class_names: Names in the order of the outputs, which are stored with the
            export. Defaults to the model's.
        preprocessing: What the model expects, which is stored with the export.
            Defaults to the model's.
        input_size: Height and width of the images in pixels, or one number for both.
            Defaults to the model's.
        images: Inputs of the exported model to verify it on, an array `(n, height,
            width, channels)` or batches of such. Defaults to 8 parts of photographs of
            scikit-learn if it is installed, otherwise to random pictures with the
            spectrum of photographs, and to noise where a model's images are neither
            gray nor RGB.
        overwrite: Whether to replace what is at `path`.

    Returns:
        The report of the verification: `path`; `bytes`; `images`, their number;
        `largest_difference` and `rms_difference`, both relative to the output of the
        Keras model; `top1_agreement`, the fraction of the images with the same best
        class, in 0..1; and `milliseconds`, the median time for one image.

    Raises:
        UsageError: If something is at `path`, the model or an argument is not of the
            expected form, or the backend of Keras is not TensorFlow.
        VerificationError: If the exported model differs from the Keras model. Nothing
            is at `path` then.
        StorageError: If the disk is full or broken. Nothing is at `path` then.

    Example:

    ```python
    report = export.saved_model(model, "saved_model", include_preprocessing=True)
    # In a process that has only TensorFlow:
    loaded = tf.saved_model.load("saved_model")
    scores = loaded.serve(pixels)
    best = loaded.classify(tf.constant([open("cat.jpg", "rb").read()]))["classes"][0, 0]
    ```
    """
    shared = Shared(
        include_preprocessing, class_names, preprocessing, input_size, images, overwrite
    )
    return write(FORMATS["saved_model"], model, path, shared, frozen=frozen)


def tflite(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    quantization: str | None = None,
    calibration: np.ndarray | Iterable | None = None,
    dynamic_batch: bool = False,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
    images: np.ndarray | Iterable | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports a TFLite file of built-in operations, for one image at a time.

    It contains TFLite's metadata, with which MediaPipe's `ImageClassifier` opens it and
    returns class names. MediaPipe takes color images only, and one mean and standard
    deviation for all channels; with `include_preprocessing=True` it does not have to
    normalize at all. The signature has the input `pixels` with that, otherwise
    `images`, and the output `scores`.

    Args:
        model: As in `saved_model`. The height and width of its input have to be known.
        path: File to write, with the suffix `.tflite`.
        quantization: The type of the weights, and for `"int8"` of the rest:

            - `None`: float32.
            - `"float16"`: float16 weights in half the size, float32 arithmetic.
            - `"dynamic"`: int8 weights in a quarter of the size; the runtime chooses
              the arithmetic.
            - `"int8"`: int8 weights (by channel) and activations, uint8 images as the
              input, float32 scores as the output. Needs `calibration`.
        calibration: Images as the exported model takes them, from which the ranges of
            the activations are found: an array `(n, height, width, channels)`, or
            batches of such, alone, with labels as a `tf.data.Dataset` yields them, or
            as `image` of a dictionary, as TFDS yields them. 100 to 500 of the training
            images are enough.
        dynamic_batch: Whether the file takes batches of any size, for which the program
            that runs it has to resize its input.
        include_preprocessing: Whether it takes pixels in 0..255; see `saved_model`.
        class_names: Names in the order of the outputs. Defaults to the model's.
        preprocessing: What the model expects. Defaults to the model's.
        input_size: Height and width of the images in pixels. Defaults to the model's.
        images: Inputs to verify it on, as in `saved_model`. Defaults to `calibration`
            if that is given.
        overwrite: Whether to replace what is at `path`.

    Returns:
        The report, as `saved_model`, and in addition `operations`, how many operations
        the file has, and `outside_xnnpack`, how many of them are not run by XNNPACK,
        TFLite's fast kernels for processors.

    Raises:
        UsageError: As `saved_model`, or if TFLite has no operation for a layer.
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
    shared = Shared(
        include_preprocessing, class_names, preprocessing, input_size, images, overwrite
    )
    return write(
        FORMATS["tflite"],
        model,
        path,
        shared,
        quantization=quantization,
        calibration=calibration,
        dynamic_batch=dynamic_batch,
    )


def onnx(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    dynamic_batch: bool = True,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
    images: np.ndarray | Iterable | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports an ONNX file, which takes images with channels last.

    The input is `pixels` with `include_preprocessing=True`, otherwise `images`, and the
    output `scores`. It is verified in ONNX Runtime. The class names and the
    preprocessing are stored in the file as `metadata_props["se_keras.json"]`. Needs the
    extra `export`: `pip install 'se-keras[export]'`. Under the JAX and PyTorch backends
    of Keras, a child process with TensorFlow writes the file.

    Args:
        model: As in `saved_model`.
        path: File to write, with the suffix `.onnx`.
        dynamic_batch: Whether it takes batches of any size. A file for one image at a
            time is a little faster.
        include_preprocessing: Whether it takes pixels in 0..255; see `saved_model`.
        class_names: Names in the order of the outputs. Defaults to the model's.
        preprocessing: What the model expects. Defaults to the model's.
        input_size: Height and width of the images in pixels. Defaults to the model's.
        images: Inputs to verify it on, as in `saved_model`.
        overwrite: Whether to replace what is at `path`.

    Returns:
        The report, as `saved_model`.

    Raises:
        UsageError: If something is at `path`, the model or an argument is not of the
            expected form, a package is missing, or ONNX has no operation for a layer.
        VerificationError: As `saved_model`.

    Example:

    ```python
    export.onnx(model, "model.onnx", include_preprocessing=True)
    session = onnxruntime.InferenceSession("model.onnx")
    (scores,) = session.run(None, {"pixels": pixels})
    ```
    """
    shared = Shared(
        include_preprocessing, class_names, preprocessing, input_size, images, overwrite
    )
    return write(FORMATS["onnx"], model, path, shared, dynamic_batch=dynamic_batch)


def openvino(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    dynamic_batch: bool = True,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
    images: np.ndarray | Iterable | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports a directory with OpenVINO's `model.xml` and `model.bin`.

    Input and output have the names of those of `onnx`. It is verified in float32.
    (OpenVINO itself chooses bfloat16 on processors that have it.) The class names and
    the preprocessing are stored in the directory as `assets.extra/se_keras.json`. Needs
    the extra `export`: `pip install 'se-keras[export]'`. Under the JAX and PyTorch
    backends of Keras, a child process with TensorFlow writes the files.

    Args:
        model: As in `saved_model`.
        path: Directory to write.
        dynamic_batch: Whether it takes batches of any size. A model for one image at a
            time is a little faster.
        include_preprocessing: Whether it takes pixels in 0..255; see `saved_model`.
        class_names: Names in the order of the outputs. Defaults to the model's.
        preprocessing: What the model expects. Defaults to the model's.
        input_size: Height and width of the images in pixels. Defaults to the model's.
        images: Inputs to verify it on, as in `saved_model`.
        overwrite: Whether to replace what is at `path`.

    Returns:
        The report, as `saved_model`.

    Raises:
        UsageError: As `onnx`.
        VerificationError: As `saved_model`.

    Example:

    ```python
    export.openvino(model, "model_openvino", include_preprocessing=True)
    compiled = openvino.Core().compile_model("model_openvino/model.xml", "CPU")
    scores = compiled(pixels)[0]
    ```
    """
    shared = Shared(
        include_preprocessing, class_names, preprocessing, input_size, images, overwrite
    )
    return write(FORMATS["openvino"], model, path, shared, dynamic_batch=dynamic_batch)


@keras_defaults()
def quantization_errors(
    model: keras.Model,
    calibration: np.ndarray | Iterable,
    *,
    include_preprocessing: bool = False,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Compares an int8 TFLite model with the float32 one, layer by layer.

    Each operation is run in int8 and in float32 on the same int8 inputs, by
    `tf.lite.experimental.QuantizationDebugger`.

    Args:
        model: As in `tflite`.
        calibration: As in `tflite`.
        include_preprocessing: As in `tflite`.
        preprocessing: As in `tflite`.
        input_size: As in `tflite`.

    Returns:
        A dictionary for each operation, in the order of the network: `layer`,
        `operation`, `scale` (of the output), `mean_squared_error`, and `steps`, the
        root of the error in units of the scale. Rounding alone gives 0.29; if it is
        more than about 1, the ranges or the inputs are wrong.

    Raises:
        UsageError: As `tflite`.

    Example:

    ```python
    rows = export.quantization_errors(model, pixels, include_preprocessing=True)
    worst = sorted(rows, key=lambda row: -row["steps"])[:5]
    ```
    """
    require_tensorflow("se_keras.export.quantization_errors")
    from se_keras.export import quantize

    shared = Shared(
        include_preprocessing, preprocessing=preprocessing, input_size=input_size
    )
    source = shared.source(model, FORMATS["tflite"])
    images = calibration_images(source, calibration)
    convert = quantize.converter(source.network, source.metadata.input_name)
    calibrated = quantize.calibrate(convert, images, source.metadata.normalizes)
    return quantize.errors(calibrated, images)

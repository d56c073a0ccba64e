"""Exported models: written whole and verified, or not at all."""

import pathlib
from collections.abc import Callable, Sequence

import keras
import numpy as np

from se_keras.errors import UsageError
from se_keras.export import runtime
from se_keras.export.inference import as_float32, inference_form, with_preprocessing
from se_keras.export.metadata import Metadata, attach
from se_keras.files import replacing, size_of
from se_keras.models.preprocessing import Preprocessing

# Largest difference to the Keras model, relative to its largest output.
TOLERANCE = 1e-4
SYNTHETIC_IMAGES = 4


class VerificationError(RuntimeError):
    """An exported model computes something else than the Keras model."""


def saved_model(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    images: np.ndarray | None = None,
    overwrite: bool = False,
) -> dict:
    """Exports a SavedModel with one signature, `serve`, for batches of any size.

    The file is loaded again and compared with the Keras model before it gets its name.

    Args:
        model: A Keras model of one image and one output, in any precision; it is
            exported in float32.
        path: Folder to write.
        include_preprocessing: Whether the exported model takes pixels in 0..255 and
            normalises them itself. By default it takes what `model` takes.
        class_names: Names in the order of the outputs. Defaults to the model's.
        preprocessing: What the model expects. Defaults to the model's.
        images: Inputs of the exported model to verify it on, `(n, height, width,
            channels)`. Defaults to a few synthetic ones.
        overwrite: Whether to replace what is at `path`.

    Returns:
        The report: `path`, `bytes`, `images`, `largest_difference` (relative to the
        largest output) and `top1_agreement`.

    Raises:
        UsageError: If `path` exists, or the model or an argument is not of the
            expected form.
        VerificationError: If the exported model differs; then nothing is at `path`.

    Example:

    ```python
    report = export.saved_model(model, "saved_model", include_preprocessing=True)
    # In a process that has only TensorFlow:
    scores = tf.saved_model.load("saved_model").serve(pixels)
    ```
    """

    def write(network, temporary):
        network.export(temporary, format="tf_saved_model", verbose=False)

    return _export(
        write,
        runtime.run_saved_model,
        model,
        path,
        include_preprocessing=include_preprocessing,
        class_names=class_names,
        preprocessing=preprocessing,
        images=images,
        overwrite=overwrite,
    )


def tflite(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    images: np.ndarray | None = None,
    overwrite: bool = False,
) -> dict:
    """Exports a float32 TFLite file for one image at a time.

    It has TFLite's metadata, with which MediaPipe's `ImageClassifier` opens it as it
    is and gives the class names: `docs/export.md`. MediaPipe takes colour images alone,
    and one mean and deviation for all channels; with `include_preprocessing=True` it
    need not normalise at all.

    Args:
        model: As in `saved_model`; its input has a known height and width.
        path: File to write, with the suffix `.tflite`.
        include_preprocessing: As in `saved_model`.
        class_names: As in `saved_model`; they travel in the file.
        preprocessing: As in `saved_model`; it travels in the file.
        images: As in `saved_model`.
        overwrite: As in `saved_model`.

    Returns:
        As `saved_model`.

    Raises:
        UsageError: As `saved_model`.
        VerificationError: As `saved_model`.

    Example:

    ```python
    report = export.tflite(model, "model.tflite", include_preprocessing=True)
    ```
    """
    path = pathlib.Path(path)
    if path.suffix != ".tflite":
        raise UsageError(
            f"Expected a path with the suffix .tflite. Received: {str(path)!r}"
        )

    def write(network, temporary):
        shape = (1, *network.inputs[0].shape[1:])
        if None in shape:
            raise UsageError(
                "Expected a model whose input has a known height and width, as TFLite "
                f"needs. Received: input_shape={network.inputs[0].shape}"
            )
        network.export(
            temporary,
            format="litert",
            verbose=False,
            input_signature=[keras.InputSpec(shape=shape, dtype="float32")],
        )

    return _export(
        write,
        runtime.run_tflite,
        model,
        path,
        include_preprocessing=include_preprocessing,
        class_names=class_names,
        preprocessing=preprocessing,
        images=images,
        overwrite=overwrite,
    )


def onnx(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    images: np.ndarray | None = None,
    overwrite: bool = False,
) -> dict:
    """Exports an ONNX file for batches of any size, images channels last.

    The file is run in ONNX Runtime and compared with the Keras model before it gets its
    name. Needs the extra `export`: `pip install 'se-keras[export]'`.

    Args:
        model: As in `saved_model`.
        path: File to write, with the suffix `.onnx`.
        include_preprocessing: As in `saved_model`.
        class_names: As in `saved_model`; they travel in the file, as
            `metadata_props["se_keras.json"]`.
        preprocessing: As in `saved_model`; it travels in the file too.
        images: As in `saved_model`.
        overwrite: As in `saved_model`.

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
    path = pathlib.Path(path)
    if path.suffix != ".onnx":
        raise UsageError(
            f"Expected a path with the suffix .onnx. Received: {str(path)!r}"
        )
    runtime.require("onnx", "tf2onnx", "onnxruntime")

    def write(network, temporary):
        network.export(
            str(temporary),
            format="onnx",
            verbose=False,
            input_signature=[_signature(network)],
        )

    return _export(
        write,
        runtime.run_onnx,
        model,
        path,
        include_preprocessing=include_preprocessing,
        class_names=class_names,
        preprocessing=preprocessing,
        images=images,
        overwrite=overwrite,
    )


def openvino(
    model: keras.Model,
    path: str | pathlib.Path,
    *,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    images: np.ndarray | None = None,
    overwrite: bool = False,
) -> dict:
    """Exports a folder with OpenVINO's `model.xml` and `model.bin`, for any batch size.

    The folder is read again, run in float32 and compared with the Keras model before it
    gets its name. (OpenVINO itself chooses bfloat16 on processors that have it.) Needs
    the extra `export`: `pip install 'se-keras[export]'`.

    Args:
        model: As in `saved_model`.
        path: Folder to write.
        include_preprocessing: As in `saved_model`.
        class_names: As in `saved_model`; they travel in the folder, in
            `assets.extra/se_keras.json`.
        preprocessing: As in `saved_model`; it travels in the folder too.
        images: As in `saved_model`.
        overwrite: As in `saved_model`.

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
    runtime.require("openvino")

    def write(network, temporary):
        temporary.mkdir()
        network.export(
            str(temporary / runtime.OPENVINO_FILE),
            format="openvino",
            verbose=False,
            input_signature=[_signature(network)],
        )

    return _export(
        write,
        runtime.run_openvino,
        model,
        path,
        include_preprocessing=include_preprocessing,
        class_names=class_names,
        preprocessing=preprocessing,
        images=images,
        overwrite=overwrite,
    )


def _signature(network) -> keras.InputSpec:
    """Returns what an exported network takes: any batch of its images."""
    (tensor,) = network.inputs
    return keras.InputSpec(
        shape=(None, *tensor.shape[1:]), dtype="float32", name=tensor.name
    )


def _export(
    write: Callable,
    run: Callable,
    model,
    path,
    *,
    include_preprocessing,
    class_names,
    preprocessing,
    images,
    overwrite,
):
    """Exports with `write`, verifies with `run`, and names the file at the end."""
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise UsageError(
            "Expected a path where nothing is, or overwrite=True. "
            f"Received: {str(path)!r}"
        )
    if not getattr(model, "inputs", None):
        raise UsageError(
            "Expected a functional or a built Sequential model. "
            f"Received: a {type(model).__name__} without inputs"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            "Expected a model of one input and one output. "
            f"Received: {len(model.inputs)} inputs, {len(model.outputs)} outputs"
        )
    if "float" not in model.inputs[0].dtype:
        raise UsageError(
            "Expected a model of floating-point images. "
            f"Received: an input of dtype {model.inputs[0].dtype}"
        )
    metadata = Metadata(
        class_names=_names(model, class_names),
        preprocessing=preprocessing or getattr(model, "preprocessing", None),
        normalizes=include_preprocessing,
    )
    network = as_float32(model)
    if isinstance(network, keras.Sequential) or not isinstance(
        network.input, keras.KerasTensor
    ):
        # Exported files take the one tensor bare, not in a dictionary or a list.
        network = keras.Model(network.inputs[0], network.outputs[0], name=model.name)
    folded = inference_form(network)
    if include_preprocessing:
        if metadata.preprocessing is None:
            raise UsageError(
                "include_preprocessing=True needs to know what the model expects: give "
                "preprocessing=Preprocessing(...). Received: preprocessing=None"
            )
        channels = network.inputs[0].shape[-1]
        if metadata.preprocessing.channels != channels:
            raise UsageError(
                f"Expected a preprocessing of images with {channels} channels, the "
                f"last axis of the model's input. Received: {metadata.preprocessing}"
            )
        network = with_preprocessing(network, metadata.preprocessing)
        folded = with_preprocessing(folded, metadata.preprocessing)
    images = _images(network, images, include_preprocessing)

    with replacing(path) as temporary:
        write(folded, temporary)
        attach(metadata, temporary)
        report = _compare(network, run(temporary), images)
        size = size_of(temporary)
    return {"path": str(path), "bytes": size, **report}


def _names(model, class_names):
    names = getattr(model, "class_names", None) if class_names is None else class_names
    if names is None:
        return None
    if isinstance(names, str) or not all(
        isinstance(name, str) and "\n" not in name for name in names
    ):
        raise UsageError(
            "Expected class_names to be a sequence of strings of one line each. "
            f"Received: class_names={names!r}"
        )
    classes = model.outputs[0].shape[-1]
    if len(names) != classes:
        raise UsageError(
            f"Expected a name for each of the {classes} classes. "
            f"Received: {len(names)} names"
        )
    return tuple(map(str, names))


def _images(network, images, pixels):
    expected = network.inputs[0].shape[1:]
    if images is None:
        shape = [size or 224 for size in expected]
        images = np.random.default_rng(0).uniform(size=(SYNTHETIC_IMAGES, *shape))
        images = images * 255 if pixels else images * 2 - 1
    images = np.asarray(images, "float32")
    if (
        not images.size
        or images.ndim != len(expected) + 1
        or any(
            size not in (None, given)
            for size, given in zip(expected, images.shape[1:], strict=True)
        )
    ):
        raise UsageError(
            f"Expected images of shape (n, {', '.join(map(str, expected))}). "
            f"Received: images of shape {images.shape}"
        )
    return images


def _compare(network, run, images):
    expected = np.asarray(network.predict(images, verbose=0))
    received = np.asarray(run(images))
    scale = np.abs(expected).max() or 1.0
    difference = float(np.abs(received - expected).max() / scale)
    agreement = float((received.argmax(-1) == expected.argmax(-1)).mean())
    # Not `>`: a NaN must not pass.
    if not difference <= TOLERANCE:
        raise VerificationError(
            f"The exported model differs from the Keras model by {difference:.1e} of "
            f"the largest output on {len(images)} images; expected at most {TOLERANCE}"
        )
    return {
        "images": len(images),
        "largest_difference": difference,
        "top1_agreement": agreement,
    }

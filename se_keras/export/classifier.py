"""One class for a classifier of images, whatever file it is in."""

import dataclasses
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from se_keras.backend import keras_defaults
from se_keras.errors import UsageError, keras_reason
from se_keras.export.formats import FORMATS, format_of
from se_keras.export.metadata import Metadata
from se_keras.export.network import inference_form
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.signature import images_of, returns_logits


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A classifier of pixels.

    Attributes:
        predict: Callable of pixels in 0..255, `(n, height, width, channels)`, that
            returns scores `(n, classes)`. It raises a `UsageError` if they are not
            finite numbers, which those of a damaged file may be.
        preprocessing: The size, crop and interpolation of the images for `predict`,
            which normalizes them itself.
        class_names: Names in the order of the scores, or `None`.
        logits: Whether the scores are logits; `None` if that is not known.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None
    logits: bool | None = None

    def name_of(self, index: int) -> str:
        """Returns the name of a class, or its number if there are no names.

        Args:
            index: Index of the class in the scores.
        """
        return self.class_names[index] if self.class_names else f"class {index}"


@keras_defaults()
def load_classifier(path: str | pathlib.Path) -> Classifier:
    """Loads a classifier from an exported model or a `.keras` file.

    Args:
        path: A file or directory that `model.save` or a function of
            `se_keras.export` wrote.

    Returns:
        A `Classifier`.

    Raises:
        UsageError: If there is no such file, it is not of these formats, it does not
            state which images it expects, or it is not as it was exported.

    Example:

    ```python
    classifier = export.load_classifier("runs/digits-se_resnet20/model.tflite")
    pixels = data.read_image("seven.png", classifier.preprocessing)
    scores = classifier.predict(pixels[None])
    name = classifier.name_of(scores[0].argmax())
    ```
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UsageError(
            "Expected the path of a model. "
            f"Received: {str(path)!r}, where there is no file"
        )
    form = format_of(path)
    if form is None and (path.is_dir() or path.suffix != ".keras"):
        kinds = ", ".join(form.kind for form in FORMATS.values())
        raise UsageError(
            f"Expected a .keras file or an export ({kinds}). Received: {str(path)!r}"
        )
    try:
        opened = _open_export(form, path) if form else _open_keras(path)
    except UsageError:
        raise
    except Exception as error:  # each reader has exceptions of its own
        raise UsageError(
            f"Expected a complete model file. Received: {str(path)!r}, which cannot be "
            f"read: {keras_reason(error)}"
        ) from error
    return _classifier(path, *opened)


def as_classifier(model: "str | pathlib.Path | keras.Model | Classifier") -> Classifier:
    """Returns a classifier of whatever a user has.

    Args:
        model: A path, as `load_classifier` takes it; a model of Keras that has a
            `preprocessing`; or a `Classifier`, which is returned.

    Raises:
        UsageError: As `load_classifier`.
    """
    if isinstance(model, Classifier):
        return model
    if isinstance(model, keras.Model):
        return _classifier(model.name, *_open_model(model, model.name))
    return load_classifier(model)


def _classifier(name, run, metadata, logits=None):
    """Returns the classifier of a callable, which is in the model or file `name`."""
    preprocessing, class_names = metadata.preprocessing, metadata.class_names

    @keras_defaults()
    def predict(pixels):
        images = np.asarray(pixels, "float32")
        if not metadata.normalizes:
            images = preprocessing.normalize(images)
        return _finite(np.asarray(run(images)), class_names, name)

    return Classifier(predict, preprocessing, class_names, logits)


def _finite(scores, class_names, name):
    """Returns scores if they are numbers, one for each class."""
    if class_names is not None and scores.shape[-1] != len(class_names):
        raise UsageError(
            f"Expected a model of {len(class_names)} classes, as it has names. "
            f"Received: {str(name)!r}, which has {scores.shape[-1]} scores"
        )
    if not np.isfinite(scores).all():
        raise UsageError(
            "Expected a model with finite scores. "
            f"Received: NaN or infinity from {str(name)!r}, which is damaged or was "
            "exported with weights that are not finite"
        )
    return scores


def _open_export(form, path):
    """Returns a callable that runs an exported model, and its metadata."""
    # The metadata first: an interpreter can crash on a damaged file, and a truncated
    # one has lost the metadata at its end.
    form.require_runtimes()
    metadata = _checked(form.attachment.read(path), path)
    return form.open(path), metadata


def _open_keras(path):
    """Returns what `_open_model` does, of a file."""
    return _open_model(keras.models.load_model(path, compile=False), path)


def _open_model(model, name):
    """Returns a callable that runs a model of Keras, its metadata, and `logits`."""
    images = images_of(model)
    metadata = Metadata(
        getattr(model, "class_names", None), images.preprocessing, images.normalizes
    )
    # The inference form is faster.
    run = inference_form(model).predict_on_batch
    return run, _checked(metadata, name), returns_logits(model)


def _checked(metadata, path):
    """Returns metadata with a preprocessing."""
    if metadata is None or metadata.preprocessing is None:
        raise UsageError(
            "Expected a complete model that states which images it expects, as "
            f"se_keras saves and exports it. Received: {str(path)!r}"
        )
    return metadata

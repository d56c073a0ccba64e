"""One face for a classifier, whatever file it is in."""

import dataclasses
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from se_keras.errors import UsageError
from se_keras.export import runtime
from se_keras.export.attachment import read
from se_keras.export.metadata import Metadata
from se_keras.models.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A classifier of pixels.

    Attributes:
        predict: Callable of pixels in 0..255, `(n, height, width, channels)`, that
            returns scores `(n, classes)`.
        preprocessing: What an image goes through before `predict`, but for the
            normalization, which `predict` does.
        class_names: Names in the order of the scores, or `None`.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None

    def name_of(self, index: int) -> str:
        """Returns the name of a class, or its number if there are no names."""
        return self.class_names[index] if self.class_names else f"class {index}"


def load_classifier(path: str | pathlib.Path) -> Classifier:
    """Loads a classifier from a `.tflite` or `.keras` file or a SavedModel folder.

    Args:
        path: What `export.tflite`, `export.saved_model` or `model.save` wrote.

    Raises:
        UsageError: If there is no such file, or it does not say what it expects.

    Example:

    ```python
    classifier = load_classifier("runs/digits-se_resnet20/model.tflite")
    pixels = data.read_image("seven.png", classifier.preprocessing)
    scores = classifier.predict(pixels[None])
    ```
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UsageError(
            f"Expected a model, and there is none. Received: {str(path)!r}"
        )
    if path.suffix == ".tflite" and read(path) is None:
        # Checked first: the interpreter can crash on a damaged file, and a truncated
        # one has lost the record at its end.
        raise _says_nothing(path)
    try:
        run, metadata = _open(path)
    except UsageError:
        raise
    except Exception as error:  # each reader has exceptions of its own
        raise UsageError(
            "Expected a .tflite file, a .keras file or a SavedModel folder. "
            f"Received: {str(path)!r}, which cannot be read: {error}"
        ) from error
    if metadata is None or metadata.preprocessing is None:
        raise _says_nothing(path)
    record = metadata.preprocessing
    if metadata.normalizes:
        return Classifier(run, record, metadata.class_names)
    return Classifier(
        lambda pixels: run(record.normalize(np.asarray(pixels, "float32"))),
        record,
        metadata.class_names,
    )


def _says_nothing(path):
    return UsageError(
        "Expected a whole model that says which images it expects, as se_keras saves "
        f"and exports it. Received: {str(path)!r}"
    )


def _open(path):
    """Returns what runs the model, and its metadata."""
    if path.is_dir():
        return runtime.run_saved_model(path), read(path)
    if path.suffix == ".tflite":
        return runtime.run_tflite(path), read(path)
    model = keras.models.load_model(path, compile=False)
    metadata = Metadata(
        getattr(model, "class_names", None),
        getattr(model, "preprocessing", None),
        normalizes=False,
    )
    return lambda images: model.predict(images, verbose=0), metadata

"""Reading weights into models."""

import contextlib
import pathlib
import zipfile

import h5py
import keras

SUFFIXES = (".keras", ".weights.h5")


def load(model: keras.Model, source: str | pathlib.Path) -> None:
    """Loads weights that a model of the same network saved.

    Args:
        model: The model that receives the weights.
        source: Path of a `.keras` or `.weights.h5` file.

    Raises:
        ValueError: If there is no such file, its kind is unknown, or it does not fit
            the model.

    Example:

    ```python
    se_keras.weights.load(model, "runs/digits-se_resnet20/model.keras")
    ```
    """
    path = pathlib.Path(source)
    if not path.name.endswith(SUFFIXES):
        raise ValueError(
            f"Argument `weights` must be the path of a file of {SUFFIXES}. "
            f"Received: {str(source)!r}"
        )
    if not path.is_file():
        raise ValueError(
            f"Expected a file of weights, and there is none. Received: {str(source)!r}"
        )
    try:
        there = _layers_with_weights(path)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected a file of weights that Keras saved. Received: {str(source)!r} "
            f"({error})"
        ) from error
    # Keras itself passes over layers of the file that the model does not have.
    here = {layer.name for layer in model.layers if layer.weights}
    if there != here:
        raise ValueError(
            "Expected weights of the same network. Received: "
            f"{str(source)!r}, where only the file has {sorted(there - here)[:3]} and "
            f"only the model {sorted(here - there)[:3]}"
        )
    model.load_weights(path)


def _layers_with_weights(path: pathlib.Path) -> set[str]:
    """Returns the names of the layers that have weights in a file."""
    with contextlib.ExitStack() as stack:
        file = path
        if path.suffix == ".keras":
            archive = stack.enter_context(zipfile.ZipFile(path))
            file = stack.enter_context(archive.open("model.weights.h5"))
        layers = stack.enter_context(h5py.File(file, "r"))["layers"]
        return {
            group["vars"].attrs["name"]
            for group in layers.values()
            if _has_weights(group)
        }


def _has_weights(group: h5py.Group) -> bool:
    return bool(
        group.visititems(lambda _, item: isinstance(item, h5py.Dataset) or None)
    )

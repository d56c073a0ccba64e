"""Reading weights into models."""

import pathlib

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
    model.load_weights(path)

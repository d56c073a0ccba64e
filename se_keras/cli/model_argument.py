"""The argument that names a model: a file, or the name of a network."""

import pathlib
from typing import Any

from se_keras.errors import UsageError, as_usage_errors, keras_reason

MODEL_HELP = "name of a network, or path of a .keras file"


def is_file(model: str) -> bool:
    """Returns whether the argument is the path of a file, not a network's name."""
    return model.endswith(".keras")


def require(model: str) -> None:
    """Raises a `UsageError` if there is no such file or network, without Keras."""
    from se_keras.models.names import require_name

    if not is_file(model):
        with as_usage_errors(ValueError):
            require_name(model)
    elif not pathlib.Path(model).is_file():
        raise UsageError(
            f"Expected a .keras file, and there is none. Received: {model}"
        )


def load(path: str) -> Any:
    """Returns the model in a `.keras` file.

    Args:
        path: Path of the file.

    Raises:
        UsageError: If there is none, or Keras cannot load it.
    """
    require(path)
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    # Keras raises many kinds of errors on a damaged file or an unknown layer.
    except Exception as error:
        raise UsageError(
            "Expected a .keras file that Keras loads, with --import for layers of your "
            f"own. Received: {path} ({keras_reason(error)})"
        ) from error

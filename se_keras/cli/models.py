"""The model that a command is about: a file, or the name of a network."""

import pathlib

from se_keras.errors import UsageError


def is_file(model: str) -> bool:
    """Returns whether the text is a file's, not a network's name."""
    return model.endswith(".keras")


def load(path: str):
    """Returns the model in a `.keras` file.

    Raises:
        UsageError: If there is none, or Keras cannot load it.
    """
    import keras

    if not pathlib.Path(path).is_file():
        raise UsageError(f"Expected a .keras file, and there is none. Received: {path}")
    try:
        return keras.models.load_model(path, compile=False)
    # On a damaged file or an unknown layer Keras raises whatever it meets.
    except Exception as error:
        raise UsageError(
            f"Expected a .keras file that Keras loads. Received: {path} ({error})"
        ) from error

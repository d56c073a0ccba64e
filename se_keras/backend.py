"""What needs the TensorFlow backend of Keras, and how it reports that."""

from se_keras.errors import UsageError


class BackendError(UsageError, ImportError):
    """Something needs the TensorFlow backend of Keras, and another one is in use."""


def on_tensorflow() -> bool:
    """Returns whether the backend of Keras is TensorFlow."""
    return _backend() == "tensorflow"


def require_tensorflow(what: str) -> None:
    """Raises a `BackendError` if the backend of Keras is not TensorFlow.

    Args:
        what: The function or package that needs it, for the message.
    """
    backend = _backend()
    if backend != "tensorflow":
        raise BackendError(
            f"Expected the TensorFlow backend of Keras for {what}: set the environment "
            "variable KERAS_BACKEND=tensorflow before Keras is imported. "
            f"Received: the backend {backend!r}"
        )


def _backend() -> str:
    # Not above: importing Keras takes seconds.
    import keras

    return keras.backend.backend()

"""The backend of Keras, and the settings of Keras that hold for the whole process."""

import contextlib
from collections.abc import Iterator

from se_keras.errors import UsageError


class BackendError(UsageError, ImportError):
    """Something needs the TensorFlow backend of Keras, and another one is in use."""


def on_tensorflow() -> bool:
    """Returns whether the backend of Keras is TensorFlow."""
    return _backend() == "tensorflow"


@contextlib.contextmanager
def keras_defaults() -> Iterator[None]:
    """A context with the settings that Keras documents as its defaults.

    What is computed within it does not depend on a user's `keras.json`, on environment
    variables of Keras, or on what a program has set.
    """
    from keras import config

    # How each is read and set, and its default.
    settings = (
        (config.floatx, config.set_floatx, "float32"),
        (config.epsilon, config.set_epsilon, 1e-7),
        (config.image_data_format, config.set_image_data_format, "channels_last"),
        (config.dtype_policy, config.set_dtype_policy, "float32"),
        (config.max_epochs, config.set_max_epochs, None),
        (config.max_steps_per_epoch, config.set_max_steps_per_epoch, None),
    )
    before = [(setter, getter()) for getter, setter, _ in settings]
    try:
        for _, setter, value in settings:
            setter(value)
        yield
    finally:
        for setter, value in before:
            setter(value)


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

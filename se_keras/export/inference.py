"""The form of a model that is exported: float32, and pixels in if that is wanted."""

import keras

from se_keras.graph import fold
from se_keras.models.preprocessing import Preprocessing


def as_float32(model: keras.Model) -> keras.Model:
    """Returns the same network with the same weights, computing in float32.

    A model that was trained in mixed precision casts between its layers, which
    exporters refuse or freeze; its weights are float32 all the same.

    Args:
        model: A model that Keras can serialise.
    """
    config = keras.saving.serialize_keras_object(model)
    copy = keras.saving.deserialize_keras_object(_with_float32(config))
    copy.set_weights(model.get_weights())
    return copy


def _with_float32(config):
    """Replaces every dtype policy in a serialised object."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value) for value in config)
    return config


def inference_form(model: keras.Model) -> keras.Model:
    """Returns the folded form of a model, or the model itself if its graph is hidden.

    Args:
        model: A functional model.
    """
    try:
        return fold(model)
    except ValueError:
        # A subclass whose config says nothing of its graph, or layers that share a
        # weight: exported as it is.
        return model


def with_preprocessing(model: keras.Model, record: Preprocessing) -> keras.Model:
    """Returns a model of pixels in 0..255, which normalises them before `model`.

    Args:
        model: A model of normalised images.
        record: What it expects.
    """
    (shape,) = [tensor.shape for tensor in model.inputs]
    pixels = keras.Input(shape[1:], name="pixels")
    normalize = keras.layers.Rescaling(
        record.scale.tolist(), record.offset.tolist(), name="normalize"
    )
    return keras.Model(pixels, model(normalize(pixels)), name=f"{model.name}_of_pixels")

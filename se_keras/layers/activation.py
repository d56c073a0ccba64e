"""Activations of a layer that are layers themselves."""

from typing import Any

import keras


def own_activation(layer: keras.Layer, argument: str, activation: Any) -> Any:
    """Returns an activation for one layer: a function, or a new layer.

    A layer with weights, such as `keras.layers.PReLU()`, cannot be the activation of
    several layers: its weights have the shape of one of them, and files have no place
    for weights in common.

    Args:
        layer: The layer whose activation it is, with its dtype and `trainable`.
        argument: Name of the argument, for the error.
        activation: A function, its name or config, or a layer, which is copied.

    Raises:
        ValueError: If a layer has weights already, which the copy would not have, or
            Keras does not know the activation.
    """
    found = keras.activations.get(activation)
    if not isinstance(found, keras.Layer):
        return found
    if found is activation and found.weights:
        raise ValueError(
            f"Argument `{argument}` must be a layer without weights yet, since each "
            "layer gets a copy of it with weights of its own. "
            f"Received: {argument}=<{type(found).__name__} name={found.name}>, which "
            "is built"
        )
    config = {
        **found.get_config(),
        "dtype": layer.dtype_policy,
        "trainable": layer.trainable and found.trainable,
    }
    return type(found).from_config(config)


def build_activation(activation, shape: tuple[int | None, ...]) -> None:
    """Creates the weights of an activation that is a layer, for inputs of a shape.

    Layers of Keras leave that to their first call, after weights were loaded.
    """
    if not isinstance(activation, keras.Layer) or activation.built:
        return
    try:
        activation.build(shape)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ValueError(
            f"Expected an activation that can be built on inputs of shape {shape}. "
            f"Received: a layer of class {type(activation).__name__} ({reason})"
        ) from error


def serialize_activation(activation):
    """Returns what `keras.activations.get` makes the activation from."""
    config = keras.activations.serialize(activation)
    if isinstance(config, dict):
        # It is built with the layer whose activation it is.
        config = {key: config[key] for key in config if key != "build_config"}
    return config

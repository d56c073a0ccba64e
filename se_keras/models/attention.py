"""The seam through which a gate enters a network."""

import functools
from collections.abc import Callable

import keras

from se_keras.graph.gates import GATES


def attention_seam(attention, data_format: str, dtype) -> Callable | None:
    """Returns the callable of a tensor and a name that builders apply, or `None`.

    Args:
        attention: One of
            - `None`: no gate;
            - a name in `GATES`: that layer with its defaults;
            - a layer: each place gets a copy of it, with weights of its own;
            - a callable `f(tensor, name)` that returns a tensor of the same shape;
              it sets layout and precision itself.
        data_format: Layout of layers that are created here.
        dtype: Precision of layers that are created here.

    Raises:
        ValueError: If it is none of these.
    """
    if attention is None:
        return None
    if isinstance(attention, keras.layers.Layer):
        make = functools.partial(_copy, attention)
    elif callable(attention) and not isinstance(attention, type):
        return attention
    elif isinstance(attention, str) and attention in GATES:
        make = GATES[attention]
    else:
        raise ValueError(
            "Argument `attention` must be None, a layer, a callable of a tensor and a "
            f"name, or one of {tuple(GATES)}. Received: attention={attention!r}"
        )
    return apply_layer(make, data_format, dtype)


def apply_layer(make: Callable, data_format: str, dtype) -> Callable:
    """Returns a seam that applies a layer which `make` creates for each place."""
    return lambda x, name: make(data_format=data_format, dtype=dtype, name=name)(x)


def _copy(layer, data_format, **settings):
    if "data_format" in layer.get_config():
        settings["data_format"] = data_format
    return type(layer).from_config({**layer.get_config(), **settings})

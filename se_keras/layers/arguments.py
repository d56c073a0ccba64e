"""Checks and small computations on the arguments of layers."""

import math
import numbers
from collections.abc import Callable

import keras

# What Keras takes for an argument of a layer: an object or its name.
Activation = str | Callable | None
Initializer = str | keras.initializers.Initializer
Regularizer = str | keras.regularizers.Regularizer | None

DATA_FORMATS = ("channels_last", "channels_first")


def positive_integer(name: str, value: int) -> int:
    """Returns `value`, or raises a `ValueError` that names the argument."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(
            f"Argument `{name}` must be a positive integer. Received: {name}={value!r}"
        )
    return int(value)


def positive_number(name: str, value: float) -> float:
    """Returns `value`, or raises a `ValueError` that names the argument."""
    if (
        isinstance(value, bool)
        or not isinstance(value, float | numbers.Real)
        or not float(value) > 0
    ):
        raise ValueError(
            f"Argument `{name}` must be a positive number. Received: {name}={value!r}"
        )
    return value


def fraction(name: str, value: float) -> float:
    """Returns `value`, or raises a `ValueError` that names the argument."""
    if not isinstance(value, float | numbers.Real) or not 0 <= float(value) <= 1:
        raise ValueError(
            f"Argument `{name}` must be in the range 0 to 1. Received: {name}={value!r}"
        )
    return value


def standardize_data_format(data_format: str | None) -> str:
    """Returns `data_format`, by default Keras's own, or raises a `ValueError`."""
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in DATA_FORMATS:
        raise ValueError(
            f"Argument `data_format` must be one of {DATA_FORMATS}. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def clone_initializer(initializer):
    """Returns a copy of `initializer`: one instance draws the same numbers twice."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer


def rounded_width(width: float, divisor: int, round_limit: float = 0.0) -> int:
    """Rounds `width` to the nearest positive multiple of `divisor`, halves up.

    A result below `round_limit * width` goes up by one more `divisor`: the rule of
    MobileNet with `round_limit=0.9`, of timm's SE layers with 0.
    """
    rounded = max(divisor, math.floor(width / divisor + 0.5) * divisor)
    return rounded + divisor if rounded < round_limit * width else rounded

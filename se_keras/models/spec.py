"""What the specs of all families have in common, and the checks of their fields."""

import dataclasses
import functools
import numbers

from se_keras.graph.attention import ATTENTION_LAYERS
from se_keras.layers import SqueezeExcite
from se_keras.models.preprocessing import IMAGENET, Preprocessing

# The SE of the paper, section 6.2: r = 16.
SE_PAPER = functools.partial(SqueezeExcite, ratio=16)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Fields that every spec has; each family adds its own.

    A spec describes a network completely; `create_model(spec)` builds it, and
    `register(name, spec)` gives it a name. `dataclasses.replace(spec, ...)` returns a
    variant.

    Attributes:
        attention: What the network has at its places of attention: anything that
            `create_model(attention=...)` takes except `"default"`. Defaults to
            `SqueezeExcite(ratio=16)`; `None` for a plain network.
        preprocessing: The images that the network expects.
        bn_momentum: Batch-norm momentum in Keras's convention: 0.9 here is 0.1 in
            PyTorch.
        bn_epsilon: Batch-norm epsilon.
        dropout: Fraction of the features that are dropped before the classifier.
        min_size: Smallest height and width of an image, in pixels.
    """

    attention: object = SE_PAPER
    preprocessing: Preprocessing = IMAGENET
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5
    dropout: float = 0.0
    min_size: int = 1

    def __post_init__(self):
        if isinstance(self.attention, str):
            check_key("attention", self.attention, ATTENTION_LAYERS)
        elif self.attention is not None and not callable(self.attention):
            raise ValueError(
                f"Field `attention` must be None, one of {tuple(ATTENTION_LAYERS)}, a "
                f"layer or a callable. Received: attention={self.attention!r}"
            )
        if not isinstance(self.preprocessing, Preprocessing):
            raise ValueError(
                "Field `preprocessing` must be a `Preprocessing`. "
                f"Received: preprocessing={self.preprocessing!r}"
            )
        check_range("bn_momentum", self.bn_momentum, 0, 1)
        check_range("bn_epsilon", self.bn_epsilon, 0, 1)
        check_range("dropout", self.dropout, 0, 1)
        check_integer("min_size", self.min_size)

    @property
    def output_strides(self) -> tuple[int, ...]:
        """What `create_model(output_stride=...)` may be; empty if it cannot vary."""
        return ()


def check_key(name: str, value, table) -> None:
    """Raises a `ValueError` if a field is not a key of a table."""
    if value not in table:
        raise ValueError(
            f"Field `{name}` must be one of {tuple(table)}. Received: {name}={value!r}"
        )


def check_range(name: str, value, low: float, high: float) -> None:
    """Raises a `ValueError` if a field is not a number in `[low, high]`."""
    if not isinstance(value, numbers.Real) or not low <= float(value) <= high:
        raise ValueError(
            f"Field `{name}` must be a number in the range {low} to {high}. "
            f"Received: {name}={value!r}"
        )


def check_integer(name: str, value) -> None:
    """Raises a `ValueError` if a field is not a positive integer."""
    if not _is_positive_integer(value):
        raise ValueError(
            f"Field `{name}` must be a positive integer. Received: {name}={value!r}"
        )


def check_integers(name: str, values, same_as: str = "", length: int = 0) -> None:
    """Raises a `ValueError` if a field is not a tuple of positive integers.

    Args:
        name: Name of the field.
        values: Its value.
        same_as: Name of the field that must have as many values.
        length: Number of values of that field; 0 for any.
    """
    if (
        not isinstance(values, list | tuple)
        or not values
        or not all(map(_is_positive_integer, values))
    ):
        raise ValueError(
            f"Field `{name}` must be a tuple of positive integers. "
            f"Received: {name}={values!r}"
        )
    if length and len(values) != length:
        raise ValueError(
            f"Field `{name}` must have as many values as `{same_as}`, {length}. "
            f"Received: {name}={values!r}"
        )


def _is_positive_integer(value) -> bool:
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and int(value) > 0
    )

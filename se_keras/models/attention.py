"""The seam through which attention enters a network."""

import functools
import inspect
from collections.abc import Callable

import keras

from se_keras.graph.attention import attention_copier, attention_layer

# Where attention goes in a residual block: section 6.5 of the paper and its figure 5.
PLACEMENTS = ("standard", "pre", "post", "identity", "inside")


class Attention:
    """What a builder calls at each place where attention may go.

    Args:
        apply: Callable of a tensor and a name that returns a tensor of the same
            shape; `None` in a plain network.
        placement: Which places of a block have attention, one of `PLACEMENTS`.
        stages: Which stages have it, counted from 1; `None` for all.

    Attributes:
        offered: Stages of the places that the builder offered.
        placed: Names of the places that have attention.
    """

    def __init__(
        self,
        apply: Callable | None = None,
        placement: str = "standard",
        stages: tuple[int, ...] | None = None,
    ):
        if placement not in PLACEMENTS:
            raise ValueError(
                f"Argument `placement` must be one of {PLACEMENTS}. "
                f"Received: placement={placement!r}"
            )
        self._apply = apply
        self.placement = placement
        self.stages = stages
        self.offered: set[int] = set()
        self.placed: list[str] = []

    def __call__(self, placement: str, x, *, stage: int, name: str):
        """Returns `x` after the attention, if there is one at this place."""
        self.offered.add(stage)
        here = placement == self.placement and stage in (self.stages or (stage,))
        if not self._apply or not here:
            return x
        self.placed.append(name)
        y = self._apply(x, name)
        if tuple(y.shape) != tuple(x.shape):
            raise ValueError(
                "Argument `attention` must keep the shape of its input. Received: an "
                f"attention that returns {tuple(y.shape)} for {tuple(x.shape)} at "
                f"{name!r}"
            )
        return y

    def check(self, model: str) -> None:
        """Raises a `ValueError` if a network has no place for what was asked for.

        Args:
            model: Name of the network, whose builder has run.
        """
        unknown = set(self.stages or ()) - self.offered
        if unknown:
            raise ValueError(
                f"Argument `stages` must be stages of {model!r}, which has "
                f"{sorted(self.offered)}. Received: stages={self.stages}"
            )
        if self._apply and not self.placed:
            raise ValueError(
                f"Model {model!r} has no place for attention with these arguments. "
                f"Received: placement={self.placement!r}, stages={self.stages}"
            )


def attention_function(
    attention, data_format: str, dtype, *, overrides: bool = False, **arguments
) -> Callable | None:
    """Returns the callable of a tensor and a name that a network applies, or `None`.

    Args:
        attention: One of
            - `None`: no attention;
            - a name in `ATTENTION_LAYERS`, a layer, a class of layers or a
              `functools.partial` of one: each place gets a copy, with its own weights;
            - a callable `f(tensor, name)` that returns a tensor of the same shape;
              it sets layout and precision itself.
        data_format: Layout of the copies.
        dtype: Precision of the copies.
        overrides: Whether the arguments replace those that a layer or a
            `functools.partial` has already.
        **arguments: Arguments of the layer, such as `ratio`; `None` for its own.

    Raises:
        ValueError: If it is anything else.
    """
    if attention is None:
        return None
    if is_function(attention):
        given = {name: value for name, value in arguments.items() if value is not None}
        if given:
            name, value = next(iter(given.items()))
            raise ValueError(
                f"Expected no argument `{name}` with a callable as `attention`, which "
                f"creates its layers itself. Received: {name}={value!r}"
            )
        return functools.partial(_call, attention)
    prototype = attention_layer(attention, overrides=overrides, **arguments)

    copy = attention_copier(prototype, data_format)
    return lambda x, name: copy(name=name, dtype=dtype)(x)


def _call(function, x, name):
    """Returns what a callable of the user returns, which must be a tensor."""
    try:
        inspect.signature(function).bind(x, name)
    except TypeError as error:
        raise ValueError(
            "A callable as `attention` must take a tensor and a name. "
            f"Received: {function!r} ({error})"
        ) from error
    y = function(x, name)
    if not isinstance(y, keras.KerasTensor):
        raise ValueError(
            "A callable as `attention` must return a tensor. "
            f"Received: {type(y).__name__} at {name!r}"
        )
    return y


def is_function(attention) -> bool:
    """Whether an `attention` argument is a callable of a tensor and a name."""
    if isinstance(attention, functools.partial):
        return not isinstance(attention.func, type)
    return callable(attention) and not isinstance(attention, type | keras.Layer)

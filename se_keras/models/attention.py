"""The seam through which a gate enters a network."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from se_keras.graph.gates import GATES, copy_gate

# Where a gate sits in a residual block: section 6.5 of the paper and its figure 5.
PLACEMENTS = ("standard", "pre", "post", "identity", "inside")


@dataclasses.dataclass(frozen=True)
class Attention:
    """What builders call at each place where a gate may sit.

    Attributes:
        apply: Callable of a tensor and a name that returns a tensor of the same
            shape; `None` in a plain network.
        placement: Which places of a block have the gate, one of `PLACEMENTS`.
        stages: Which stages have it, counted from 1; `None` for all.
    """

    apply: Callable | None = None
    placement: str = "standard"
    stages: tuple[int, ...] | None = None

    def __post_init__(self):
        if self.placement not in PLACEMENTS:
            raise ValueError(
                f"Argument `placement` must be one of {PLACEMENTS}. "
                f"Received: placement={self.placement!r}"
            )

    def __call__(self, placement: str, x, *, stage: int, name: str):
        """Returns `x` behind the gate, if there is one at this place."""
        here = placement == self.placement and stage in (self.stages or (stage,))
        return self.apply(x, name) if self.apply and here else x


def attention_seam(attention, data_format: str, dtype) -> Callable | None:
    """Returns the callable of a tensor and a name that builders apply, or `None`.

    Args:
        attention: One of
            - `None`: no gate;
            - a name in `GATES`: that layer with its defaults;
            - a layer: each place gets a copy of it, with weights of its own;
            - a `functools.partial` of a class of layers;
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
    elif isinstance(getattr(attention, "func", None), type):
        make = attention
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
    return copy_gate(layer, **settings)

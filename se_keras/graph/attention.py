"""Attention layers by name, their copies, and copies whose gates start at 1."""

import difflib
import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from se_keras.graph.copiers import reason
from se_keras.layers.activation import own_activation, serialize_activation
from se_keras.layers.effective import (
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
)
from se_keras.layers.gate import INNER_LAYERS, Gate
from se_keras.layers.spatial import ConcurrentSqueezeExcite, SpatialSqueezeExcite
from se_keras.layers.squeeze_excite import SqueezeExcite

# What `attention=` takes by name.
ATTENTION_LAYERS = {
    "se": SqueezeExcite,
    "spatial_se": SpatialSqueezeExcite,
    "scse": ConcurrentSqueezeExcite,
    "ese": EffectiveSqueezeExcite,
    "eca": EfficientChannelAttention,
}


@keras.saving.register_keras_serializable(package="se_keras")
def doubled_sigmoid(x):
    """Returns `2 * sigmoid(x)`, a gate activation in 0..2 that is 1 at 0."""
    return 2 * ops.sigmoid(x)


@keras.saving.register_keras_serializable(package="se_keras")
def doubled_hard_sigmoid(x):
    """Returns `2 * hard_sigmoid(x)`, a gate activation in 0..2 that is 1 at 0."""
    return 2 * ops.hard_sigmoid(x)


DOUBLED = {
    keras.activations.sigmoid: doubled_sigmoid,
    keras.activations.hard_sigmoid: doubled_hard_sigmoid,
}


# Arguments that every Keras layer has; a copy sets them itself.
_COMMON_ARGUMENTS = ("self", "name", "dtype", "trainable", "activity_regularizer")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def attention_layer(attention, *, overrides: bool = False, **arguments) -> keras.Layer:
    """Returns the layer that an `attention` argument describes.

    Args:
        attention: A name in `ATTENTION_LAYERS`, a layer, a class of layers or a
            `functools.partial` of one.
        overrides: Whether the arguments replace those that a layer or a
            `functools.partial` has already.
        **arguments: Arguments for the layer where `attention` is not one yet, such as
            `ratio`; those that are `None` are left out.

    Raises:
        ValueError: If `attention` is anything else, or the layer does not take the
            arguments.
    """
    arguments = {k: v for k, v in arguments.items() if v is not None}
    if isinstance(attention, keras.Layer):
        accepted = arguments.keys() <= set(_parameters(type(attention)))
        if arguments and not (overrides and accepted):
            raise ValueError(_arguments_of_instance(attention, arguments))
        return _with_arguments(attention, arguments) if arguments else attention
    create, nearest = attention, []
    if isinstance(attention, str):
        create = ATTENTION_LAYERS.get(attention)
        nearest = difflib.get_close_matches(attention.lower(), ATTENTION_LAYERS, n=1)
    kind = create.func if isinstance(create, functools.partial) else create
    if not (isinstance(kind, type) and issubclass(kind, keras.Layer)):
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(
            f"Argument `attention` must be one of {tuple(ATTENTION_LAYERS)}, a layer "
            "or a class of layers (in `create_model` also None or a callable of a "
            f"tensor and a name). {hint}Received: attention={attention!r}"
        )
    set_already = getattr(create, "keywords", {}).keys() & arguments.keys()
    if set_already and not overrides:
        name = min(set_already)
        raise ValueError(
            f"Expected argument `{name}` once. Received: {name}={arguments[name]!r} "
            f"with attention={attention!r}"
        )
    unknown = [name for name in arguments if name not in _parameters(kind)]
    if unknown:
        raise ValueError(
            f"Expected arguments of {kind.__name__}, which takes "
            f"{', '.join(_parameters(kind))}. Received: {unknown[0]}="
            f"{arguments[unknown[0]]!r} with attention={attention!r}"
        )
    try:
        # A name of its own, so that the layers of the user are numbered as before.
        return create(**arguments, name="attention")
    except TypeError as error:
        raise ValueError(
            f"{kind.__name__} cannot be created from its class ({error}). Expected a "
            f"layer with its arguments, `attention={kind.__name__}(...)`, of a class "
            "whose `__init__` passes `**kwargs` to `super().__init__`. "
            f"Received: attention={attention!r}"
        ) from error


def _with_arguments(layer, arguments) -> keras.Layer:
    return type(layer).from_config({**_config(layer), **arguments})


def _arguments_of_instance(layer, arguments) -> str:
    name, value = next(iter(arguments.items()))
    kind = type(layer).__name__
    received = f"Received: {name}={value!r} with attention={kind}(...)"
    if name in _parameters(type(layer)):
        return (
            f"Expected argument `{name}` in the layer itself: "
            f"attention={kind}({name}={value!r}). {received}"
        )
    return (
        f"Expected no argument `{name}`: {kind} does not take it. A layer that is "
        f"passed as `attention` has its own arguments. {received}"
    )


def _parameters(kind: type) -> list[str]:
    """Returns the names of the arguments of a class of layers.

    Those of its base classes are among them as far as `**kwargs` leads to them.
    """
    found = {}
    for base in kind.__mro__[: kind.__mro__.index(keras.Layer)]:
        constructor = vars(base).get("__init__")
        if constructor is None:
            continue
        parameters = inspect.signature(constructor).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        found |= dict.fromkeys(
            parameter.name
            for parameter in parameters
            if parameter.kind not in _VARIADIC
            and parameter.name not in _COMMON_ARGUMENTS
        )
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return list(found)


def copy_attention(
    layer: keras.Layer, *, name: str, dtype, data_format: str, **changes
) -> keras.Layer:
    """Returns a new layer with the arguments of `layer`, for one place of a network.

    Args:
        layer: The layer, with weights or not.
        name: Name of the copy.
        dtype: Precision of the copy.
        data_format: Layout of the feature map that the copy takes.
        **changes: Other arguments that differ.

    Raises:
        ValueError: If the copy would not have all arguments of the layer, because
            `get_config` does not return them; or if the layout is channels first and
            the layer has no argument `data_format`.
    """
    return attention_copier(layer, data_format)(name=name, dtype=dtype, **changes)


def attention_copier(layer: keras.Layer, data_format: str) -> Callable:
    """Returns a function that copies a layer for any number of places.

    Args:
        layer: See `copy_attention`.
        data_format: See `copy_attention`.

    Returns:
        A function of the arguments that differ, among them `name` and `dtype`.
    """
    config = _config(layer)
    if "data_format" in config:
        config["data_format"] = data_format
    elif data_format == "channels_first":
        raise ValueError(
            "In a network with data_format='channels_first', `attention` must be a "
            "layer with an argument `data_format`, which `get_config` returns; or a "
            "callable of a tensor and a name that sets the layout itself. "
            f"Received: a layer of class {type(layer).__name__}"
        )

    def copy(**changes):
        try:
            return type(layer).from_config({**config, **changes})
        except TypeError as error:
            raise ValueError(
                "Expected a layer that Keras can create from its config: `__init__` "
                "must take what `get_config` returns, and pass `**kwargs` to "
                "`super().__init__`. Received: a layer of class "
                f"{type(layer).__name__} ({reason(error)})"
            ) from error

    return copy


def _config(layer: keras.Layer) -> dict:
    """Returns the config of a layer, which must hold all its arguments."""
    kind = type(layer)
    try:
        config = layer.get_config()
    except NotImplementedError as error:
        raise ValueError(
            f"Expected a layer whose `get_config` returns its arguments. Received: a "
            f"layer of class {kind.__name__}, which has no `get_config`"
        ) from error
    # Without a `get_config` of the class, Keras records the arguments by itself.
    is_known = kind.get_config is keras.Layer.get_config or _is_of_keras(kind)
    own_from_config = kind.from_config.__func__ is not keras.Layer.from_config.__func__
    if not is_known and not own_from_config:
        written = inspect.signature(kind.__init__).parameters
        missing = [
            name for name in _parameters(kind) if name in written and name not in config
        ]
        if missing:
            raise ValueError(
                f"Expected `{kind.__name__}.get_config()` to return all arguments of "
                "`__init__`, since each place of the network gets a copy of the "
                f"layer. Received: a config without {', '.join(missing)}"
            )
    # Weights are not copied, nor what was done to them.
    return {key: config[key] for key in config if key != INNER_LAYERS}


def _is_of_keras(kind: type) -> bool:
    return kind.__module__.startswith("keras.")


def identity_gate(gate: Gate) -> Gate:
    """Returns a copy of a gate that is 1 once `start_at_identity` has reset it.

    With zeros in its last layer a gate is its activation at 0, whatever the input.
    For a sigmoid that is 1/2; twice the sigmoid takes its place, which is exactly 1 at
    0 and steepest there, so the gate learns from the first step and can attenuate and
    amplify. (A large bias before a plain sigmoid comes near 1 only where the sigmoid is
    flat and nothing is learned.)

    Raises:
        ValueError: If the gate cannot start at 1.
    """
    if not getattr(gate, "last_layers", ()):
        raise ValueError(
            "With `identity_start=True`, `attention` must be a layer whose class "
            "declares `last_layers` (see `se_keras.layers.Gate`). Set "
            "identity_start=False to start as the layer's initializers specify. "
            f"Received: {type(gate).__name__}"
        )
    if isinstance(gate, ConcurrentSqueezeExcite):
        if gate.merge != "add":
            raise ValueError(
                "With `identity_start=True`, `attention` must merge by 'add', where "
                f"two gates of 1/2 are 1 together. Received: merge={gate.merge!r}"
            )
        return _copy(gate)
    own: Any = gate.gate_activation
    activation = DOUBLED.get(own, own)
    # A layer would be built for this input.
    function = own_activation(gate, "gate_activation", serialize_activation(activation))
    start = float(ops.convert_to_numpy(function(ops.zeros((1, 1))))[0, 0])
    if start != 1:
        raise ValueError(
            "With `identity_start=True`, the gate activation must be 'sigmoid', "
            "'hard_sigmoid' or a function that is 1 at 0. Received: gate_activation="
            f"{_name(activation)!r}, which is {start:g} at 0"
        )
    return _copy(gate, gate_activation=serialize_activation(activation))


def _name(activation) -> str:
    return getattr(activation, "__name__", type(activation).__name__)


def _copy(gate: Gate, **changes) -> Gate:
    return copy_attention(
        gate,
        name=gate.name,
        dtype=gate.dtype_policy,
        data_format=gate.data_format,
        **changes,
    )


def start_at_identity(gate: Gate) -> None:
    """Sets to zero the last layer of a built gate that `identity_gate` returned."""
    for name in gate.last_layers:
        layer = operator.attrgetter(name)(gate)
        activation = getattr(layer, "activation", None)
        kept = {id(weight) for weight in getattr(activation, "weights", ())}
        for weight in layer.weights:
            if id(weight) not in kept:
                weight.assign(ops.zeros(weight.shape))

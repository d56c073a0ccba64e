"""Gates by name, copies of a gate, and gates that start at 1."""

import operator

import keras
from keras import ops

from se_keras import layers
from se_keras.layers.gate import Gate

GATES = {
    "se": layers.SqueezeExcite,
    "spatial_se": layers.SpatialSqueezeExcite,
    "scse": layers.ConcurrentSqueezeExcite,
    "ese": layers.EffectiveSqueezeExcite,
    "eca": layers.EfficientChannelAttention,
}

# The layers in a gate whose outputs are the gates, or add up to them.
LAST_LAYERS = {
    layers.SqueezeExcite: ("fc2",),
    layers.SpatialSqueezeExcite: ("fc",),
    layers.ConcurrentSqueezeExcite: ("channel.fc2", "spatial.fc"),
    layers.EffectiveSqueezeExcite: ("fc",),
    layers.EfficientChannelAttention: ("conv",),
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


def copy_gate(gate: keras.Layer, **settings) -> keras.Layer:
    """Returns a new layer with the arguments of `gate`, except for `settings`."""
    return type(gate).from_config({**gate.get_config(), **settings})


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
    if _last_layers(gate) is None:
        raise ValueError(
            "With `identity_start=True`, `gate` must be one of "
            f"{tuple(kind.__name__ for kind in LAST_LAYERS)}: how others start at 1 is "
            f"not known. Received: {type(gate).__name__}"
        )
    if isinstance(gate, layers.ConcurrentSqueezeExcite):
        if gate.merge != "add":
            raise ValueError(
                "With `identity_start=True`, `gate` must merge by 'add', where two "
                f"gates of 1/2 are 1 together. Received: merge={gate.merge!r}"
            )
        return copy_gate(gate)
    activation = DOUBLED.get(gate.gate_activation, gate.gate_activation)
    start = float(ops.convert_to_numpy(activation(ops.zeros((1, 1))))[0, 0])
    if start != 1:
        raise ValueError(
            "With `identity_start=True`, the gate activation must be 'sigmoid', "
            "'hard_sigmoid' or a function that is 1 at 0. Received: gate_activation="
            f"{keras.activations.serialize(activation)!r}, which is {start:g} at 0"
        )
    return copy_gate(gate, gate_activation=keras.activations.serialize(activation))


def start_at_identity(gate: Gate) -> None:
    """Sets to zero the last layer of a built gate that `identity_gate` returned."""
    for name in _last_layers(gate):
        for weight in operator.attrgetter(name)(gate).weights:
            weight.assign(ops.zeros(weight.shape))


def _last_layers(gate: Gate) -> tuple[str, ...] | None:
    for kind, names in LAST_LAYERS.items():
        if isinstance(gate, kind):
            return names
    return None

"""Adding attention layers to an existing model, and removing them."""

import dataclasses
import difflib
from collections.abc import Callable, Iterable

import keras

from se_keras.graph.attention import (
    attention_layer,
    copy_attention,
    identity_gate,
    start_at_identity,
)
from se_keras.graph.rewrite import Graph, Ref
from se_keras.layers.gate import Gate
from se_keras.lazy import resolve

# Layers of tokens, whose features are always the last axis, and layers after which the
# layout of what came before is not known.
CHANNELS_LAST = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.MultiHeadAttention,
)
REARRANGING = (keras.layers.Permute, keras.layers.Reshape, keras.layers.RepeatVector)


@dataclasses.dataclass(frozen=True)
class Architectures:
    """What is known of networks: where attention goes when `after` is not given.

    Attributes:
        names: Names of the architectures, for messages.
        find: Function of a `Graph` that returns, by the name of each architecture
            whose layers the graph has, the layers that attention follows, each with the
            name of its attention layer; `None` for one that has its own SE.
    """

    names: tuple[str, ...]
    find: Callable[[Graph], dict[str, dict[str, str] | None]]


# The networks for which `add_squeeze_excite` needs no `after`. `se_keras.models`, which
# knows them, needs this package, so that it is imported where they are asked for.
ARCHITECTURES = "se_keras.models.architectures:ARCHITECTURES"


def add_squeeze_excite(
    model: keras.Model,
    after: Iterable[str] | Callable | None = None,
    attention: str | keras.Layer | Callable = "se",
    ratio: float | None = None,
    gate_activation: str | Callable | None = None,
    identity_start: bool = True,
    name: str | None = None,
) -> keras.Model:
    """Returns a copy of a functional model with attention after the chosen layers.

    The copy has the layers of the model under their names, with the same weights and
    flags, and after layer `NAME` an attention layer `NAME_se` in the layout and
    precision of that layer. The model itself is not changed. If it is frozen, its
    layers are frozen in the copy too, and the new layers are trainable.

    Where SE goes with `after=None`:

    | network | SE after |
    | --- | --- |
    | networks of `se_keras.models` | the layer where their twin has it |
    | ResNet | the last batch norm before the addition |
    | ResNetV2 | the last convolution before the addition |
    | InceptionV3 | the concatenation of each module |
    | InceptionResNetV2 | the last convolution before the scaled addition; of modules \
without one, the concatenation |
    | VGG | each convolution with its ReLU |
    | MobileNet | the ReLU of each pointwise convolution |
    | MobileNetV2 | the batch norm of each projection |
    | DenseNet | the new features of each layer, before their concatenation |
    | Xception | the last batch norm or pool before the addition |
    | NASNet | the concatenation of each cell |
    | ConvNeXt | the last convolution before layer scale and addition |

    EfficientNet, EfficientNetV2 and MobileNetV3 have SE already, so that they need an
    explicit `after`.

    With `identity_start` the copy computes what the model does until it is trained. The
    last layer of each attention layer starts with zeros, and a doubled sigmoid (range 0
    to 2) replaces the sigmoid: every gate is exactly 1, and the sigmoid is steepest
    there, so training changes it from the first step. A bias that makes a plain sigmoid
    almost 1 would leave it where it is flat.

    Args:
        model: A functional model, or a built `keras.Sequential` model; the copy of
            the latter is functional. Submodels in it stay one layer each.
        after: Where attention goes: `None` for the table above, names of layers or
            operations of the model, or a predicate of a layer. A layer that the model
            calls more than once gets one attention layer, after each call.
        attention: `"se"`, `"spatial_se"`, `"scse"`, `"ese"`, `"eca"`, or a layer that
            is copied to each place: `SqueezeExcite(ratio=8, divisor=8)`, or a class of
            layers.
        ratio: Reduction ratio r of `"se"` and `"scse"`, or of a class of layers.
            Defaults to that of the layer, 16 for `"se"` and 2 for `"scse"`. A layer
            that is passed as `attention` has its own.
        gate_activation: Activation whose output is the gate, for an `attention` that is
            a name. Defaults to that of the layer, for `"se"` the sigmoid.
        identity_start: Whether all gates start at 1. If not, they start as the
            initializers of the layer specify.
        name: Name of the copy. Defaults to the name of the model.

    Returns:
        A model of the class of `model` (a functional model for a Sequential one), not
        compiled.

    Raises:
        ValueError: If the model is not functional, its architecture is not known, or an
            argument is invalid; if attention cannot follow a layer of `after`, with the
            name of the layer; if the gates cannot start at 1.

    Reference:
        [Hu et al., Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
        section 3.3, figures 2 and 3.

    Example:

    ```python
    model = keras.applications.ResNet50(weights="imagenet")
    se_model = add_squeeze_excite(model, ratio=16)
    se_model.get_layer("conv2_block1_3_bn_se").output.shape  # (None, 56, 56, 256)

    add_squeeze_excite(model, after=["conv5_block3_out"])
    add_squeeze_excite(model, after=lambda layer: layer.name.endswith("_out"))
    ```
    """
    graph = Graph(model)
    prototype = _prototype(attention, ratio, gate_activation)
    if identity_start:
        prototype = identity_gate(prototype)
    gates = [
        _gate_at(graph, place, name, prototype)
        for place, name in _places(graph, after).items()
    ]
    for place, layer in gates:
        graph.insert_after(place, layer)
    result = graph.build(name)
    if identity_start:
        for _, layer in gates:
            start_at_identity(graph.copies[layer.name])
    return result


def remove_squeeze_excite(model: keras.Model, name: str | None = None) -> keras.Model:
    """Returns a copy of a functional model without its attention layers.

    The inverse of `add_squeeze_excite`: all attention layers of `se_keras` (subclasses
    of `se_keras.layers.Gate`) are removed, every other layer stays with its name,
    weights and flags. If they were trained, the result computes something other than
    `model` does.

    Args:
        model: A functional model, or a built `keras.Sequential` model; the copy of
            the latter is functional. Gates inside submodels stay.
        name: Name of the copy. Defaults to the name of the model.

    Returns:
        A model of the class of `model` (a functional model for a Sequential one), not
        compiled.

    Raises:
        ValueError: If the model is not functional or has no gates, or the gates are
            outputs of their own (`layer.gate(x)`).

    Example:

    ```python
    plain = remove_squeeze_excite(add_squeeze_excite(model))  # computes what model does
    ```
    """
    graph = Graph(model)
    gates = _gates(graph)
    if not gates:
        raise ValueError(
            "Expected a model with attention layers to remove."
            + _submodel_hint(graph)
            + " "
            f"Received: a model named {model.name!r} without any"
        )
    for gate in gates:
        if graph.has_argument(gate, "gates_only"):
            raise ValueError(
                "Expected attention layers that only scale their input. Received: "
                f"layer {gate!r} of model {model.name!r}, whose gates are an output"
            )
        graph.bypass(gate)
    return graph.build(name)


def _prototype(attention, ratio: float | None, gate_activation) -> keras.Layer:
    """Returns the layer that each place gets a copy of."""
    return attention_layer(attention, ratio=ratio, gate_activation=gate_activation)


def _places(graph: Graph, after) -> dict[str, str]:
    """Returns the operations that attention follows, and the names of its layers."""
    if after is None:
        return _places_by_architecture(graph)
    if isinstance(after, str):
        after = [after]
    if isinstance(after, Iterable):
        places = list(dict.fromkeys(after))
        for place in places:
            _check_name(graph, place)
    elif callable(after) and not isinstance(after, keras.Layer):
        places = [layer.name for layer in graph.model.layers if after(layer)]
    else:
        raise ValueError(
            "Argument `after` must be None, names of layers or a function of a layer. "
            f"Received: after={after!r}"
        )
    if not places:
        raise ValueError(
            "Argument `after` must choose at least one layer."
            + _submodel_hint(graph)
            + f" Received: after={after!r}, which chooses none of model "
            f"{graph.model.name!r}"
        )
    return {place: f"{place}_se" for place in places}


def _places_by_architecture(graph: Graph) -> dict[str, str]:
    known: Architectures = resolve(ARCHITECTURES)
    found = known.find(graph)
    if len(found) != 1:
        received = " and ".join(found) or "none of them"
        raise ValueError(
            "Without `after` the model must be one of the known architectures "
            f"({', '.join(known.names)}), with their layer names."
            f"{_submodel_hint(graph)} Received: model {graph.model.name!r} with layers "
            f"of {received}"
        )
    ((architecture, places),) = found.items()
    gates = _gates(graph)
    if places is None or gates:
        own = f"{architecture} has its own SE"
        raise ValueError(
            "Without `after` the model must not have SE already: choose the layers "
            f"with `after`. Received: model {graph.model.name!r}; "
            f"{f'it has layer {gates[0]!r}' if gates else own}"
        )
    return places


def _check_name(graph: Graph, name) -> None:
    """Raises an error if the model has no operation of this name."""
    if name in graph.operations:
        return
    for submodel in _submodels(graph):
        if any(layer.name == name for layer in submodel.layers):
            raise ValueError(
                "Argument `after` must name layers of the model itself; a submodel is "
                "one layer: rewrite it alone, and call the result in a new model. "
                f"Received: {name!r}, a layer in the submodel {submodel.name!r}"
            )
    nearest = difflib.get_close_matches(str(name), graph.operations, n=3)
    hint = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    raise ValueError(
        f"Argument `after` must name layers of model {graph.model.name!r}.{hint} "
        f"Received: {name!r}"
    )


def _gate_at(graph: Graph, place: str, name: str, prototype) -> tuple[str, keras.Layer]:
    """Returns a place and the attention layer for it."""
    before = list(graph.upstream(place))
    policy = _floating(
        next(op.dtype_policy for op in before if hasattr(op, "dtype_policy"))
    )
    data_format = _data_format(before)
    if name in graph.operations:
        raise ValueError(
            f"Attention after {place!r} would have the name of a layer of the model. "
            f"Received: model {graph.model.name!r} with a layer {name!r}"
        )
    _check_output(graph, place, data_format)
    layer = copy_attention(prototype, name=name, dtype=policy, data_format=data_format)
    if not isinstance(layer, Gate):  # which keeps the shape of its input
        spec = graph.spec(Ref(place))
        shape = tuple(layer.compute_output_spec(spec).shape)
        if shape != tuple(spec.shape):
            raise ValueError(
                "Argument `attention` must keep the shape of its input. Received: a "
                f"layer that returns {shape} for {tuple(spec.shape)} after {place!r}"
            )
    return place, layer


def _floating(policy: keras.DTypePolicy) -> keras.DTypePolicy:
    """Returns the policy that a layer had before it was quantized."""
    # One of several layers in one, by their paths.
    policy = getattr(policy, "default_policy", policy)
    if policy.quantization_mode is None:
        return policy
    return keras.dtype_policies.get(policy.get_config()["source_name"])


def _data_format(before: Iterable[keras.Operation]) -> str:
    """Returns the layout of what an operation returns.

    Args:
        before: The operation and those before it, the nearest first.
    """
    for operation in before:
        if hasattr(operation, "data_format"):
            return operation.data_format
        if isinstance(operation, CHANNELS_LAST):
            return "channels_last"
        if isinstance(operation, REARRANGING):
            break
    return keras.config.image_data_format()


def _check_output(graph: Graph, place: str, data_format: str) -> None:
    """Raises an error that names the place if a gate cannot scale what it returns."""
    outputs = keras.tree.flatten(graph.operations[place].output)
    if len(outputs) == 1:
        outputs = [graph.spec(Ref(place, call)) for call in range(graph.calls(place))]
        axis = 1 if data_format == "channels_first" else -1
        suitable = all(
            len(output.shape) in (3, 4, 5)
            and output.shape[axis] is not None
            and "float" in output.dtype
            for output in outputs
        )
        # One gate scales the outputs of all calls.
        if suitable and len({(len(y.shape), y.shape[axis]) for y in outputs}) == 1:
            return
    received = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
    raise ValueError(
        f"Attention after {place!r} needs a floating-point tensor of rank 3 to 5 with "
        f"a known number of channels, in {data_format}. Received: {received}"
    )


def _gates(graph: Graph) -> list[str]:
    return [name for name, op in graph.operations.items() if isinstance(op, Gate)]


def _submodels(graph: Graph) -> list[keras.Model]:
    return [op for op in graph.operations.values() if isinstance(op, keras.Model)]


def _submodel_hint(graph: Graph) -> str:
    names = ", ".join(repr(submodel.name) for submodel in _submodels(graph))
    return f" (Layers inside submodels, here {names}, don't count.)" if names else ""

"""Squeeze-and-Excitation in a model that exists already: put in, and taken out."""

import dataclasses
import difflib
import inspect
import re
from collections.abc import Callable, Iterable

import keras

from se_keras.graph.gates import GATES, copy_gate, identity_gate, start_at_identity
from se_keras.graph.rewrite import Graph, Ref
from se_keras.layers.gate import Gate

RATIO = 16

# Layers of tokens, whose features are always the last axis, and layers behind which
# the layout of what came before says nothing.
CHANNELS_LAST = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.MultiHeadAttention,
)
REARRANGING = (keras.layers.Permute, keras.layers.Reshape, keras.layers.RepeatVector)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Where SE sits in one family of networks. Patterns match whole layer names.

    Attributes:
        name: Name of the family, for messages.
        signature: Pattern of names that only this family has.
        places: Pattern of the layers that SE follows; of those whose group `block` is
            the same, only the last. `None` for a family that has SE by itself.
    """

    name: str
    signature: str
    places: str | None


# Hu et al., section 3.3: on the residual branch before the addition, or on the output
# of a module without one; figures 2 and 3. The networks that the paper does not have
# follow the same rule: SE is the last step of what a block computes anew, before that
# is added or concatenated to what came before.
ARCHITECTURES = (
    Architecture("ResNet", r"conv\d_block\d+_3_bn", r"conv\d_block\d+_3_bn"),
    # Pre-activation: the branch ends with a convolution.
    Architecture("ResNetV2", r"conv\d_block\d+_preact_bn", r"conv\d_block\d+_3_conv"),
    Architecture(
        "the ResNets of se_keras",
        r"stage\d+_block\d+_bn\d",
        r"(?P<block>stage\d+_block\d+)_bn\d",
    ),
    Architecture(
        "the pre-activation ResNets of se_keras",
        r"stage\d+_block\d+_preact\d_bn",
        r"(?P<block>stage\d+_block\d+)_conv\d",
    ),
    # The mix of the branches is what is added.
    Architecture(
        "the Shake-Shake networks of se_keras",
        r"stage\d+_block\d+_shake",
        r"stage\d+_block\d+_shake",
    ),
    Architecture("the VGGs of se_keras", r"stage5_relu1", r"stage\d_relu\d"),
    Architecture(
        "BN-Inception of se_keras",
        r"inception_\d[a-e]_concat",
        r"inception_\d[a-e]_concat",
    ),
    # The concatenations of all modules, those with stride included.
    Architecture("InceptionV3", r"mixed\d+", r"mixed\d+"),
    # Residual blocks: the linear convolution, whose scaled output is added. The three
    # modules without addition: their output.
    Architecture(
        "InceptionResNetV2",
        r"block35_\d+_conv",
        r"block(35|17|8)_\d+_conv|mixed_(5b|6a|7a)",
    ),
    # Each convolution has its rectifier inside.
    Architecture("VGG", r"block5_conv1", r"block\d_conv\d"),
    Architecture("MobileNet", r"conv_pw_\d+_relu", r"conv_pw_\d+_relu"),
    # The linear projection, as in ResNet: a sixth of the channels that the expansion
    # has, where MobileNetV3 puts SE.
    Architecture(
        "MobileNetV2",
        r"block_\d+_project_BN",
        r"(block_\d+|expanded_conv)_project_BN",
    ),
    # The new features of a layer, before they join those of the layers before it.
    Architecture("DenseNet", r"conv\d_block\d+_concat", r"conv\d_block\d+_2_conv"),
    # The end of the residual branch, which is a pool where the stride is 2.
    Architecture(
        "Xception",
        r"block13_sepconv\d_bn",
        r"block(2|3|4|13)_pool|block([5-9]|1[0-2])_sepconv3_bn",
    ),
    # The concatenation that ends a cell.
    Architecture("NASNet", r"normal_concat_\d+", r"(normal|reduction)_concat_\w+"),
    # Before the layer scale: after it the squeeze of a new network is almost 0.
    Architecture(
        "ConvNeXt",
        r"(\w+_)?stage_\d+_block_\d+_layer_scale",
        r"(\w+_)?stage_\d+_block_\d+_pointwise_conv_2",
    ),
    Architecture("EfficientNet and EfficientNetV2", r"block\d[a-z]_se_reduce", None),
    Architecture("MobileNetV3", r"expanded_conv(_\d+)?_squeeze_excite_conv", None),
)


def add_squeeze_excite(
    model: keras.Model,
    after: Iterable[str] | Callable | None = None,
    ratio: float = RATIO,
    gate: str | Gate = "se",
    identity_start: bool = True,
    name: str | None = None,
) -> keras.Model:
    """Returns a copy of a functional model with SE after the chosen layers.

    The copy has the layers of the model under their names, with the same weights and
    flags, and after layer `NAME` a gate `NAME_se` in the layout and precision of that
    layer. The model itself stays as it is. If it is frozen, its layers are frozen in
    the copy too, and the gates train.

    Where SE sits by itself, `after=None`:

    | network | SE after |
    | --- | --- |
    | ResNet, also those of se_keras | the last batch norm before the addition |
    | ResNetV2 | the last convolution before the addition |
    | InceptionV3 | the concatenation of each module |
    | InceptionResNetV2 | the last convolution before the scaled addition; of modules \
without one, the concatenation |
    | VGG | each convolution with its rectifier |
    | MobileNet | each pointwise convolution's rectifier |
    | MobileNetV2 | the batch norm of each projection |
    | DenseNet | the new features of each layer, before their concatenation |
    | Xception | the last batch norm or pool before the addition |
    | NASNet | the concatenation of each cell |
    | ConvNeXt | the last convolution before layer scale and addition |

    EfficientNet, EfficientNetV2 and MobileNetV3 have SE already, so that they need an
    explicit `after`.

    With `identity_start` the copy computes what the model does until it is trained. The
    last layer of each gate starts with zeros and a doubled sigmoid (range 0 to 2) takes
    the place of a sigmoid: every gate is exactly 1, and the sigmoid is steepest
    there, so training moves it from the first step. A bias that makes a plain sigmoid
    almost 1 would leave it where it is flat.

    Args:
        model: A functional model, or a built `keras.Sequential` model; the copy of
            the latter is functional. Submodels in it stay one layer each.
        after: Where gates go: `None` for the table above, names of layers or
            operations of the model, or a predicate of a layer. A layer that the model
            calls more than once gets one gate, after each call.
        ratio: Reduction ratio r of the gates `"se"` and `"scse"`.
        gate: `"se"`, `"spatial_se"`, `"scse"`, `"ese"`, `"eca"`, or a gate that is
            copied to each place: `SqueezeExcite(ratio=8, divisor=8)`.
        identity_start: Whether all gates start at 1. If not, they start as the gate's
            own initializers say.
        name: Name of the copy. Defaults to the name of the model.

    Returns:
        A model of the class of `model` (a functional model for a Sequential one), not
        compiled.

    Raises:
        ValueError: If the model is not functional, its architecture not known, or an
            argument is bad; if a gate cannot go where `after` says, with the name of
            the layer; if the gate cannot start at 1.

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
    prototype = _prototype(gate, ratio)
    if identity_start:
        prototype = identity_gate(prototype)
    gates = [_gate_at(graph, place, prototype) for place in _places(graph, after)]
    for place, layer in gates:
        graph.insert_after(place, layer)
    result = graph.build(name)
    if identity_start:
        for _, layer in gates:
            start_at_identity(result.get_layer(layer.name))
    return result


def remove_squeeze_excite(model: keras.Model, name: str | None = None) -> keras.Model:
    """Returns a copy of a functional model without its gates.

    The inverse of `add_squeeze_excite`: all layers of `se_keras` that gate (SE and its
    relatives) go, every other layer stays with its name, weights and flags. If the
    gates were trained, the result computes something else than `model` does.

    Args:
        model: A functional model, or a built `keras.Sequential` model; the copy of
            the latter is functional. Gates inside submodels stay.
        name: Name of the copy. Defaults to the name of the model.

    Returns:
        A model of the class of `model` (a functional model for a Sequential one), not
        compiled.

    Raises:
        ValueError: If the model is not functional or has no gates.

    Example:

    ```python
    plain = remove_squeeze_excite(add_squeeze_excite(model))  # computes what model does
    ```
    """
    graph = Graph(model)
    gates = _gates(graph)
    if not gates:
        raise ValueError(
            "Expected a model with gates to remove." + _submodel_hint(graph) + " "
            f"Received: a model named {model.name!r} without any"
        )
    for gate in gates:
        graph.bypass(gate)
    return graph.build(name)


def _prototype(gate, ratio: float) -> Gate:
    """Returns a gate with the arguments that each place copies."""
    if isinstance(gate, str) and gate in GATES:
        kind = GATES[gate]
        if "ratio" in inspect.signature(kind).parameters:
            return kind(ratio=ratio)
        prototype = kind()
    elif isinstance(gate, Gate):
        prototype = gate
    else:
        raise ValueError(
            f"Argument `gate` must be one of {tuple(GATES)} or a gate layer of "
            f"`se_keras.layers`. Received: gate={gate!r}"
        )
    if ratio != RATIO:
        raise ValueError(
            "Argument `ratio` is for the gates 'se' and 'scse'; another gate has its "
            f"own arguments. Received: ratio={ratio!r} with gate={gate!r}"
        )
    return prototype


def _places(graph: Graph, after) -> list[str]:
    """Returns the names of the operations that gates follow."""
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
    return places


def _places_by_architecture(graph: Graph) -> list[str]:
    found = [
        architecture
        for architecture in ARCHITECTURES
        if any(re.fullmatch(architecture.signature, name) for name in graph.operations)
    ]
    if len(found) != 1:
        known = ", ".join(architecture.name for architecture in ARCHITECTURES)
        received = " and ".join(architecture.name for architecture in found)
        raise ValueError(
            "Without `after` the model must be one of the known architectures "
            f"({known}), with their layer names.{_submodel_hint(graph)} Received: "
            f"model {graph.model.name!r} with layers of {received or 'none of them'}"
        )
    (architecture,) = found
    gates = _gates(graph)
    if architecture.places is None or gates:
        own = f"{architecture.name} has SE by itself"
        raise ValueError(
            "Without `after` the model must not have SE already: choose the layers "
            f"with `after`. Received: model {graph.model.name!r}; "
            f"{f'it has layer {gates[0]!r}' if gates else own}"
        )
    places = {}
    for name in graph.operations:
        if match := re.fullmatch(architecture.places, name):
            places[match.groupdict().get("block", name)] = name
    return list(places.values())


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


def _gate_at(graph: Graph, place: str, prototype: Gate) -> tuple[str, Gate]:
    """Returns a place and the gate for it."""
    before = list(graph.upstream(place))
    policy = next(op.dtype_policy for op in before if hasattr(op, "dtype_policy"))
    data_format = _data_format(before)
    name = f"{place}_se"
    if name in graph.operations:
        raise ValueError(
            f"A gate after {place!r} would have the name of a layer of the model. "
            f"Received: model {graph.model.name!r} with a layer {name!r}"
        )
    _check_output(graph, place, data_format)
    layer = copy_gate(prototype, name=name, dtype=policy, data_format=data_format)
    return place, layer


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
        f"A gate after {place!r} needs a floating-point tensor of rank 3 to 5 with a "
        f"known number of channels, in {data_format}. Received: {received}"
    )


def _gates(graph: Graph) -> list[str]:
    return [name for name, op in graph.operations.items() if isinstance(op, Gate)]


def _submodels(graph: Graph) -> list[keras.Model]:
    return [op for op in graph.operations.values() if isinstance(op, keras.Model)]


def _submodel_hint(graph: Graph) -> str:
    names = ", ".join(repr(submodel.name) for submodel in _submodels(graph))
    return f" (Layers inside submodels, here {names}, don't count.)" if names else ""

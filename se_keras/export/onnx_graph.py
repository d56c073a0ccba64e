"""Simplification of the graphs that tf2onnx writes."""

import collections
import itertools

import numpy as np

# Names of the axes of a batch of images.
INPUT_AXES = ("batch", "height", "width")


def unknown_operations(model) -> list[str]:
    """Returns the sorted names of operations that ONNX does not have.

    Args:
        model: An `onnx.ModelProto`.
    """
    import onnx

    operations = {(node.op_type, node.domain) for node in model.graph.node}
    return sorted(name for name, own in operations if not onnx.defs.has(name, own))


def simplify(model) -> None:
    """Removes nodes that take time and do not change the outputs.

    Args:
        model: An `onnx.ModelProto`, which is changed in place.
    """
    import onnx

    if any(
        attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
        for node in model.graph.node
        for attribute in node.attribute
    ):
        return  # a branch or a loop may use any tensor by its name
    _remove_reshapes(model)
    _merge_padding(model)
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    _replace(model.graph.initializer, kept)


def name_axes(model) -> None:
    """Names the axes of unknown size of the input and the output, and no others.

    Args:
        model: An `onnx.ModelProto` of one batch of images and one output, which is
            changed in place.
    """
    graph = model.graph
    for tensor, names in (
        (graph.input[0], INPUT_AXES),
        (graph.output[0], INPUT_AXES[:1]),
        *((value, ()) for value in graph.value_info),
    ):
        axes = tensor.type.tensor_type.shape.dim
        for axis, name in itertools.zip_longest(axes, names[: len(axes)]):
            if axis.HasField("dim_param"):
                axis.ClearField("dim_param")
                if name:
                    axis.dim_param = name


def _remove_reshapes(model):
    """Removes reshapes to the same shape, which tf2onnx puts around gates."""
    import onnx

    known = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in known.value_info
    }
    constants = _constants(model)
    outputs = {output.name for output in model.graph.output}
    kept, renamed = [], {}
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if (
            node.op_type == "Reshape"
            and node.output[0] not in outputs
            and _is_shape(constants.get(node.input[1]), shapes.get(node.input[0]))
        ):
            renamed[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    _replace(model.graph.node, kept)


def _is_shape(target, shape) -> bool:
    """Returns whether the target of a reshape is the shape of its input.

    Unknown sizes of a shape are 0. The size of the batch may be unknown.
    """
    return (
        target is not None
        and shape is not None
        and len(shape) == len(target)
        and target[0] in (-1, shape[0])
        and 0 not in shape[1:]
        and list(target[1:]) == shape[1:]
    )


def _merge_padding(model):
    """Makes padding with zeros after a ReLU a part of the max-pooling that follows.

    A node for the padding alone takes a pass over the largest feature map of the
    network. In ONNX, unlike in TensorFlow, pooling has an argument for its padding.
    """
    import onnx

    nodes = {output: node for node in model.graph.node for output in node.output}
    constants = _constants(model)
    consumers = collections.Counter(
        name for node in model.graph.node for name in node.input
    )
    merged = []
    for pool in model.graph.node:
        pad = nodes.get(pool.input[0]) if pool.op_type == "MaxPool" else None
        if (
            pad is None
            or pad.op_type != "Pad"
            or consumers[pad.output[0]] > 1
            or getattr(nodes.get(pad.input[0]), "op_type", "") != "Relu"
            or not _pads_with_zeros(pad, constants)
        ):
            continue
        amounts = constants[pad.input[1]].reshape(2, -1)
        attributes = _attributes(pool)
        automatic = attributes.get("auto_pad", b"NOTSET")
        if amounts[:, :2].any() or automatic not in (b"NOTSET", b"VALID"):
            continue
        pads = np.add(attributes.get("pads", 0), amounts[:, 2:].ravel())
        if (pads.reshape(2, -1) >= attributes["kernel_shape"]).any():
            continue  # in ONNX no window of a pool may have padding only
        kept = [a for a in pool.attribute if a.name not in ("auto_pad", "pads")]
        pads = onnx.helper.make_attribute("pads", pads.tolist())
        _replace(pool.attribute, [*kept, pads])
        pool.input[0] = pad.input[0]
        merged.append(pad.output[0])
    _replace(
        model.graph.node, [n for n in model.graph.node if n.output[0] not in merged]
    )


def _pads_with_zeros(pad, constants) -> bool:
    """Returns whether a node pads by known amounts, with zeros."""
    _, amounts, value, axes = [*pad.input, "", "", ""][:4]
    return (
        _attributes(pad).get("mode", b"constant") == b"constant"
        and amounts in constants
        and (not value or (value in constants and not constants[value].any()))
        and not axes
    )


def _attributes(node) -> dict:
    """Returns the attributes of a node by name."""
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _constants(model) -> dict:
    """Returns the constants of a model by name."""
    import onnx

    return {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
    }


def _replace(field, values):
    """Replaces the values of a repeated field."""
    values = list(values)
    del field[:]
    field.extend(values)

"""A network as a graph of TensorFlow."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from se_keras.export.metadata import OUTPUT_NAME


@contextlib.contextmanager
def inlined():
    """Makes TensorFlow functions that a model calls part of its graph.

    Keras compiles grouped convolutions with XLA, in a function that no converter to
    ONNX knows; only their gradient needs it.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def function_of(
    network: keras.Model,
    input_name: str,
    *,
    frozen: bool,
    batch: int | None = None,
    change: Callable[[tf.compat.v1.GraphDef], Any] | None = None,
) -> Any:
    """Returns the function of images that a network computes.

    Args:
        network: A model of one image.
        input_name: Name of the images.
        frozen: Whether the weights are nodes of the graph; else they are constants
            that the function takes from outside.
        batch: Size of the batches; `None` for any.
        change: Called on the graph of a frozen function, which it may change in place.
    """
    weights = network.trainable_variables, network.non_trainable_variables
    values = [[variable.numpy() for variable in variables] for variables in weights]
    if not frozen:
        values = [[*map(tf.constant, group)] for group in values]

    def serve(images):
        # In here a constant is a node; one from outside is an argument.
        trainable, others = ([*map(tf.convert_to_tensor, group)] for group in values)
        with inlined():
            return network.stateless_call(trainable, others, images, training=False)[0]

    (tensor,) = network.inputs
    spec = tf.TensorSpec((batch, *tensor.shape[1:]), tf.float32, name=input_name)
    function = tf.function(serve, [spec])
    return _frozen(function, change) if frozen else function


def _frozen(function, change):
    """Returns a function whose constants from outside are nodes of its graph.

    Layers may have tensors in addition to their weights: an adapted `Normalization`
    has its mean and variance.
    """
    traced = function.get_concrete_function()
    graph = traced.graph.as_graph_def()
    if change:
        change(graph)
    (source, *placeholders), (target,) = traced.inputs, traced.outputs
    captured = {
        placeholder.name: value if value.dtype == tf.resource else value.numpy()
        for placeholder, value in zip(placeholders, traced.captured_inputs, strict=True)
    }

    def serve(images):
        inputs = {name: tf.convert_to_tensor(value) for name, value in captured.items()}
        inputs[source.name] = images
        return tf.graph_util.import_graph_def(graph, inputs, [target.name], name="")[0]

    return tf.function(serve, function.input_signature)


def with_named_scores(function: Any) -> Any:
    """Returns the same function, which returns a dictionary of the scores.

    Formats name their outputs by its key.
    """
    return tf.function(
        lambda images: {OUTPUT_NAME: function(images)}, function.input_signature
    )


def gates_first(graph: tf.compat.v1.GraphDef) -> int:
    """Makes a convolution wait for the gate of its output, if both have one input.

    After `fold`, a gate is computed from the input of the last convolution of its
    block. TensorFlow runs the two at once: the small operations of the gate then wait
    for a thread in their kernels, and the multiplication waits for them long after the
    convolution has ended.

    Args:
        graph: A graph, which is changed in place.

    Returns:
        How many convolutions wait.
    """
    nodes = {node.name: node for node in graph.node}
    waiting = 0
    for multiply in [node for node in graph.node if node.op == "Mul"]:
        for product, gate in (multiply.input, multiply.input[::-1]):
            convolution = nodes.get(product)
            if convolution is not None and convolution.op == "BiasAdd":
                convolution = nodes.get(convolution.input[0])
            if (
                convolution is None
                or convolution.op != "Conv2D"
                or not _is_gate(nodes, gate, convolution)
            ):
                continue
            # Not an edge to the convolution itself: TensorFlow would not fuse the bias
            # and the ReLU with it.
            wait = graph.node.add(name=f"{convolution.name}/wait", op="Identity")
            nodes[wait.name] = wait
            wait.attr["T"].CopyFrom(convolution.attr["T"])
            wait.input.extend([convolution.input[0], f"^{_name(gate)}"])
            convolution.input[0] = wait.name
            waiting += 1
    return waiting


def erfc_as_erf(graph: tf.compat.v1.GraphDef) -> None:
    """Replaces `erfc(x)`, which ONNX does not have, by `1 - erf(x)`.

    Keras computes GELU with it.

    Args:
        graph: A graph, which is changed in place.
    """
    for node in [node for node in graph.node if node.op == "Erfc"]:
        dtype = node.attr["T"]
        erf = graph.node.add(name=f"{node.name}/erf", op="Erf", input=node.input)
        erf.attr["T"].CopyFrom(dtype)
        one = graph.node.add(name=f"{node.name}/one", op="Const")
        one.attr["dtype"].CopyFrom(dtype)
        value = tf.make_tensor_proto(1.0, tf.as_dtype(dtype.type))
        one.attr["value"].tensor.CopyFrom(value)
        node.op = "Sub"
        node.input[:] = [one.name, erf.name]


def _is_gate(nodes, tensor, convolution):
    """Returns whether a tensor depends on a mean of a convolution's input only."""
    source = convolution.input[0]
    queue, seen, has_mean = [tensor], {source}, False
    while queue:
        node = nodes[_name(queue.pop())]
        if node is convolution:
            return False
        has_mean |= node.op == "Mean" and node.input[0] == source
        queue += [name for name in node.input if name not in seen]
        seen.update(node.input)
    return has_mean


def _name(tensor):
    """Returns the name of the operation that a tensor or an edge comes from."""
    return tensor.lstrip("^").split(":")[0]

"""Changes of TensorFlow's graphs that do not change the outputs."""

import tensorflow as tf


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

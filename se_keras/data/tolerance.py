"""Steps of a pipeline that may fail on some of its records."""

from collections.abc import Callable

import tensorflow as tf


def attempt(
    function: Callable, argument: tf.Tensor, otherwise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Calls a function that may raise an error in the graph.

    Only `tf.data` can catch an error in a graph, so this makes a data set of a single
    element. This takes time, the more the larger the function is.

    Args:
        function: Callable of a tensor that returns a tensor.
        argument: The tensor.
        otherwise: The result if there is an error, of the same type and rank.

    Returns:
        The result, and whether it is that of the function.
    """
    results = tf.data.Dataset.from_tensors(argument).map(lambda a: (function(a), True))
    fallback = tf.data.Dataset.from_tensors((otherwise, False))
    either = results.ignore_errors().concatenate(fallback)
    return either.take(1).get_single_element()

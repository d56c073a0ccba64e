"""Which devices a run uses."""

import tensorflow as tf

from se_keras.errors import UsageError


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns a strategy.

    Args:
        name: `"none"` for one device; `"mirrored"` or `"auto"` for a
            `MirroredStrategy` over all GPUs of this machine, or its CPU.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy()


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Raises a `UsageError` if a batch cannot be shared out evenly."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"Expected a batch_size that is a multiple of the {replicas} replicas. "
            f"Received: batch_size={batch_size}"
        )

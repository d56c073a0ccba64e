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


def check_batch_size(
    batch_size: int, strategy: tf.distribute.Strategy, parts: int = 1
) -> None:
    """Raises a `UsageError` if a batch cannot be shared out evenly.

    Args:
        batch_size: Images of a batch.
        strategy: Shares it out to its replicas.
        parts: Parts in which each replica takes its share.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % (replicas * parts):
        accumulation = f", gradient_accumulation={parts}" if parts > 1 else ""
        raise UsageError(
            f"Expected a batch_size that is a multiple of the {replicas} replicas"
            f"{' times gradient_accumulation' if parts > 1 else ''}. "
            f"Received: batch_size={batch_size}{accumulation}"
        )

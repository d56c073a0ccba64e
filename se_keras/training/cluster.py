"""The processes and devices of a run, and how they work together."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError, WorkerLostError

# What TensorFlow raises on workers that wait for one that is gone.
CLUSTER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)
_TASK = re.compile(r"/job:(chief|worker)(?:/replica:0)?/task:(\d+)")
_SUM = tf.distribute.ReduceOp.SUM


class Cluster:
    """The workers of a run, each a process, and the replicas on their devices.

    All of a run asks this object, and nothing else asks a strategy of `tf.distribute`.
    Every worker makes the same calls in the same order; those that exchange values wait
    for all workers.

    Args:
        strategy: A strategy of `tf.distribute`. Defaults to the current one, which is
            one device of this process.

    Attributes:
        index: Index of this worker; 0 is the chief.
        workers: Number of workers.
        replicas: Number of replicas of the model, on all workers.

    Example:

    ```python
    cluster = Cluster(tf.distribute.MirroredStrategy())
    with cluster.scope():
        model = create_model("se_resnet50")
    if cluster.is_chief:
        print(f"Training on {cluster.replicas} devices")
    ```
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None):
        self._strategy = strategy or tf.distribute.get_strategy()
        self.replicas: int = self._strategy.num_replicas_in_sync
        self.index, self.workers = _place(self._strategy)

    @property
    def is_chief(self) -> bool:
        """Whether this worker is the chief, the only one that writes and prints."""
        return self.index == 0

    @property
    def shard(self) -> tuple[int, int]:
        """Index of this worker and number of workers, for input pipelines."""
        return self.index, self.workers

    @property
    def on_cpu(self) -> bool:
        """Whether the replicas of this worker are on its CPU."""
        kinds = {device.device_type for device in tf.config.list_logical_devices()}
        return not kinds & {"GPU", "TPU"}

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns a context in which variables are created on all replicas."""
        return self._strategy.scope()

    def check_batch_size(self, batch_size: int, parts: int = 1) -> None:
        """Checks that a batch can be divided evenly.

        Args:
            batch_size: Images of a batch, over all replicas.
            parts: Number of parts in which each replica processes its share.

        Raises:
            UsageError: If it cannot.
        """
        if batch_size % (self.replicas * parts):
            accumulation = f", gradient_accumulation={parts}" if parts > 1 else ""
            raise UsageError(
                f"Expected a batch_size that is a multiple of the {self.replicas} "
                f"replicas{' times gradient_accumulation' if parts > 1 else ''}. "
                f"Received: batch_size={batch_size}{accumulation}"
            )

    def distribute(self, data: tf.data.Dataset) -> Any:
        """Distributes a data set to the replicas of this worker.

        Args:
            data: Batches of any structure. With several workers, each has the batches
                of its own share, see `shard`: `experimental_distribute_dataset` would
                have every worker prepare all batches and drop what is not its own.

        Returns:
            An iterable of batches for `run`.
        """
        if self.workers == 1:
            return self._strategy.experimental_distribute_dataset(data)
        replicas = self.replicas // self.workers

        def local(context):
            if replicas == 1:
                return data
            size = tf.nest.flatten(data.element_spec)[0].shape[0]
            return data.rebatch(size // replicas, drop_remainder=True)

        return self._strategy.distribute_datasets_from_function(local)

    def run(self, step: Callable, batch: Sequence = ()) -> Any:
        """Calls `step(*batch)` on each replica; returns the results of all replicas."""
        return self._strategy.run(step, args=tuple(batch))

    def reduce_sum(self, values: Mapping[str, object]) -> dict[str, tf.Tensor]:
        """Returns the sums over all replicas of values that `run` returned."""
        return {
            name: self._strategy.reduce(_SUM, value, axis=None)
            for name, value in values.items()
        }

    def gather(self, values: Mapping[str, object]) -> dict[str, tf.Tensor]:
        """Concatenates values that `run` returned, over all replicas and workers.

        Args:
            values: Tensors `(batch, ...)` by name.

        Returns:
            Tensors `(batch of all replicas, ...)` by name, the same on all workers.
        """
        if self.replicas == 1:
            return dict(values)
        return {
            name: self._strategy.gather(value, axis=0) for name, value in values.items()
        }

    def all_reduce_sum(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the sums of tensors over all replicas; call it within `run`."""
        return _all_reduce_sum(tensors)

    def update(self, variable: keras.Variable, function: Callable, *args: Any) -> None:
        """Calls `function(variable, *args)` where each copy of a variable is."""
        self._strategy.extended.update(variable.value, function, args=args)

    def broadcast(self, value: Any = None) -> Any:
        """Returns the chief's value on all workers.

        Args:
            value: What JSON can represent. Only the chief's is used.
        """
        if self.workers == 1:
            return value
        text = np.frombuffer(json.dumps(value).encode(), "uint8").astype("int32")
        size = tf.constant([len(text)], tf.int32)
        (length,) = _of_chief(self._strategy, size).numpy()
        message = np.zeros(length, "int32")
        if self.is_chief:
            message[:] = text
        received = _of_chief(self._strategy, tf.constant(message)).numpy()
        return json.loads(bytes(received.tolist()))

    def broadcast_variables(self, variables: Sequence[keras.Variable]) -> None:
        """Assigns the chief's values of some variables on all workers."""
        if self.workers == 1:
            return
        # One call packs its tensors together, so they must have the same type.
        for dtype in sorted({v.dtype for v in variables}):
            self._broadcast_alike([v for v in variables if v.dtype == dtype])

    def _broadcast_alike(self, variables):
        @tf.function
        def values():
            return self._strategy.run(
                lambda: _masked_sum([tf.convert_to_tensor(v.value) for v in variables])
            )

        for variable, value in zip(variables, values(), strict=True):
            variable.assign(self._strategy.experimental_local_results(value)[0])

    def sum(self, number: int) -> int:
        """Returns the sum of the numbers of all workers."""
        if self.workers == 1:
            return number

        @tf.function
        def add(number):
            copies = self._strategy.run(lambda: tf.identity(number))
            return self._strategy.reduce(_SUM, copies, axis=None)

        replicas_of_worker = self.replicas // self.workers
        return int(add(tf.constant(number)).numpy()) // replicas_of_worker

    @contextlib.contextmanager
    def chief_first(self) -> Iterator[None]:
        """A context that the chief runs before the others, which wait for it."""
        if not self.is_chief:
            self.broadcast()
        yield
        if self.is_chief:
            self.broadcast()

    @contextlib.contextmanager
    def lost_worker_errors(self) -> Iterator[None]:
        """Turns the errors of what workers do together into `WorkerLostError`."""
        if self.workers == 1:
            yield
            return
        try:
            yield
        except CLUSTER_ERRORS as error:
            resolver = self._strategy.cluster_resolver
            own = (resolver.task_type, resolver.task_id)
            tasks = {(job, int(index)) for job, index in _TASK.findall(str(error))}
            cluster = resolver.cluster_spec().as_dict()
            lost = [
                f"{job} {i} at {cluster[job][i]}" for job, i in sorted(tasks - {own})
            ]
            # TensorFlow adds advice for programs that cannot continue.
            reason = " ".join(str(error).splitlines()[-3:]).split(" The error could")[0]
            raise WorkerLostError(
                f"Lost {' and '.join(lost) or 'another worker'}: {reason} "
                "Start all workers again: they continue from the last checkpoint"
            ) from error


def _place(strategy) -> tuple[int, int]:
    """Returns the index of this worker, the chief first, and the number of workers."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec().as_dict()
    chiefs = len(cluster.get("chief", ()))
    index = resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)
    return index, sum(len(addresses) for addresses in cluster.values())


@tf.function(reduce_retracing=True)
def _of_chief(strategy, values):
    """Returns the chief's values on all workers."""
    (shared,) = strategy.run(lambda: _masked_sum([values]))
    return strategy.experimental_local_results(shared)[0]


def _masked_sum(tensors):
    """Returns the tensors of the first replica, on every replica."""
    context = tf.distribute.get_replica_context()
    first = context.replica_id_in_sync_group == 0
    return _all_reduce_sum([tf.cast(first, t.dtype) * t for t in tensors])


def _all_reduce_sum(tensors):
    return tf.distribute.get_replica_context().all_reduce(_SUM, tensors)

"""Which devices and machines a run uses."""

import contextlib
import dataclasses
import json
import os
import re

import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError, WorkerLostError

# The jobs of a cluster that train.
JOBS = ("chief", "worker")
# What workers that were waiting for one that is gone may hear.
CLUSTER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)
_TASK = re.compile(r"/job:(chief|worker)(?:/replica:0)?/task:(\d+)")


@dataclasses.dataclass(frozen=True)
class Worker:
    """One of the programs of a run, which may be on several machines.

    Attributes:
        index: Its number; 0 is the chief, which alone writes and prints.
        count: Number of workers.
    """

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes and prints."""
        return self.index == 0


def make_strategy(
    name: str, workers: tuple[str, ...] = (), worker_index: int | None = None
) -> tf.distribute.Strategy:
    """Returns a strategy.

    Args:
        name: `"none"` for one device; `"mirrored"` for all GPUs of this machine, or
            its CPU; `"multi_worker"` for those of several machines; `"tpu"` for a TPU;
            `"auto"` for `"multi_worker"` where a cluster is given, else `"mirrored"`.
        workers: Address `host:port` of each worker. Defaults to the cluster in the
            environment variable `TF_CONFIG`.
        worker_index: Number of this worker.

    Raises:
        UsageError: If the cluster is not there, or wrong.
    """
    if name == "auto":
        name = "multi_worker" if workers or "TF_CONFIG" in os.environ else "mirrored"
    if name != "multi_worker" and (workers or worker_index is not None):
        raise UsageError(
            "Expected --workers and --worker_index with the strategies multi_worker "
            f"and auto. Received: strategy={name}"
        )
    return STRATEGIES[name](workers, worker_index)


def _one_device(workers, worker_index):
    return tf.distribute.get_strategy()


def _mirrored(workers, worker_index):
    return tf.distribute.MirroredStrategy()


def _multi_worker(workers, worker_index):
    cluster, job, index = _cluster(workers, worker_index)
    print(f"Waiting for all workers as {job} {index} of {cluster}.", flush=True)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=job, task_id=index, rpc_layer="grpc"
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (RuntimeError, tf.errors.OpError) as error:
        raise UsageError(
            f"Worker {job} {index} of {cluster} could not join the cluster: {error}"
        ) from error


def _tpu(workers, worker_index):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        raise UsageError(
            f"Expected a TPU for the strategy tpu. Received: {error}"
        ) from error


STRATEGIES = {
    "none": _one_device,
    "mirrored": _mirrored,
    "multi_worker": _multi_worker,
    "tpu": _tpu,
}


def _cluster(workers, worker_index):
    """Returns the cluster, and the job and number of this worker in it."""
    if not workers:
        return _cluster_of_environment()
    for address in workers:
        host, _, port = address.rpartition(":")
        if not (host and port.isdigit() and 0 < int(port) < 2**16):
            raise UsageError(
                "Expected host:port for each of the workers, with a port below 65536. "
                f"Received: {address!r}"
            )
    if len(set(workers)) < len(workers):
        raise UsageError(
            f"Expected different workers. Received: workers={','.join(workers)}"
        )
    if worker_index is None or not 0 <= worker_index < len(workers):
        raise UsageError(
            f"Expected a worker_index in 0..{len(workers) - 1}. "
            f"Received: worker_index={worker_index}"
        )
    return {"worker": list(workers)}, "worker", worker_index


def _cluster_of_environment():
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise UsageError(
            "Expected --workers and --worker_index, or the environment variable "
            "TF_CONFIG, for the strategy multi_worker. Received: neither"
        )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        cluster = {job: list(cluster[job]) for job in JOBS if job in cluster}
        job, index = task["type"], int(task["index"])
        if index < 0:
            raise IndexError(index)
        cluster[job][index]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(
            'Expected TF_CONFIG to be {"cluster": {"worker": ["host:port", ...]}, '
            '"task": {"type": "worker", "index": 0}}, with this worker\'s own task. '
            f"Received: {text!r}"
        ) from error
    return cluster, job, index


def worker_of(strategy: tf.distribute.Strategy) -> Worker:
    """Returns which worker this program is."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return Worker()
    resolver = strategy.cluster_resolver
    cluster = resolver.cluster_spec().as_dict()
    chiefs = len(cluster.get("chief", ()))
    return Worker(
        resolver.task_id + (chiefs if resolver.task_type == "worker" else 0),
        sum(len(addresses) for addresses in cluster.values()),
    )


@contextlib.contextmanager
def naming_lost_workers(strategy: tf.distribute.Strategy):
    """Turns the failure of what workers do together into `WorkerLostError`."""
    if worker_of(strategy).count == 1:
        yield
        return
    try:
        yield
    except CLUSTER_ERRORS as error:
        resolver = strategy.cluster_resolver
        own = (resolver.task_type, resolver.task_id)
        found = {(job, int(index)) for job, index in _TASK.findall(str(error))} - {own}
        cluster = resolver.cluster_spec().as_dict()
        lost = [f"{job} {i} at {cluster[job][i]}" for job, i in sorted(found)]
        # What follows is advice for programs that cannot go on.
        reason = " ".join(str(error).splitlines()[-3:]).split(" The error could")[0]
        raise WorkerLostError(
            f"Lost {' and '.join(lost) or 'another worker'}: {reason} "
            "Start all workers again: they go on from the last checkpoint"
        ) from error


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


def distribute_share(strategy: tf.distribute.Strategy, share: tf.data.Dataset):
    """Gives a worker's share of each batch to its own replicas.

    `experimental_distribute_dataset` would have every worker prepare whole batches
    and drop what is not its own.
    """
    replicas = strategy.num_replicas_in_sync // worker_of(strategy).count

    def local(context):
        if replicas == 1:
            return share
        size = share.element_spec[0].shape[0]
        return share.rebatch(size // replicas, drop_remainder=True)

    return strategy.distribute_datasets_from_function(local)


def share_state(strategy: tf.distribute.Strategy, variables) -> None:
    """Gives all workers the chief's values of some variables."""
    # One call packs its tensors together, which have to be of one type then.
    for dtype in sorted({v.dtype for v in variables}):
        _share_alike(strategy, [v for v in variables if v.dtype == dtype])


def _share_alike(strategy, variables):
    @tf.function
    def values():
        return strategy.run(
            lambda: _of_chief([tf.convert_to_tensor(v.value) for v in variables])
        )

    for variable, value in zip(variables, values(), strict=True):
        variable.assign(strategy.experimental_local_results(value)[0])


def share_record(strategy: tf.distribute.Strategy, record: dict | None = None) -> dict:
    """Returns the chief's `record` on all workers; the other workers' is not read.

    All workers wait here for each other.
    """
    text = np.frombuffer(json.dumps(record).encode(), "uint8").astype("int32")
    (length,) = _shared(strategy, tf.constant([len(text)], tf.int32)).numpy()
    message = np.zeros(length, "int32")
    if worker_of(strategy).is_chief:
        message[:] = text
    return json.loads(bytes(_shared(strategy, tf.constant(message)).numpy().tolist()))


@tf.function(reduce_retracing=True)
def _shared(strategy, values):
    """Returns the chief's values on all workers."""
    (shared,) = strategy.run(lambda: _of_chief([values]))
    return strategy.experimental_local_results(shared)[0]


def total(strategy: tf.distribute.Strategy, number: int) -> int:
    """Returns the sum of a number of all workers, which wait here for each other."""
    workers = worker_of(strategy).count
    if workers == 1:
        return number

    @tf.function
    def add(number):
        copies = strategy.run(lambda: tf.identity(number))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, copies, axis=None)

    replicas = strategy.num_replicas_in_sync // workers
    return int(add(tf.constant(number)).numpy()) // replicas


def _of_chief(tensors):
    """Returns the tensors of the first replica, on every replica."""
    context = tf.distribute.get_replica_context()
    first = context.replica_id_in_sync_group == 0
    return context.all_reduce(
        tf.distribute.ReduceOp.SUM, [tf.cast(first, t.dtype) * t for t in tensors]
    )

"""Strategies of `tf.distribute` by name."""

import json
import os

import tensorflow as tf

from se_keras.errors import UsageError
from se_keras.training.choices import STRATEGIES

# The jobs of a cluster that train.
JOBS = ("chief", "worker")


def make_strategy(
    name: str, workers: tuple[str, ...] = (), worker_index: int | None = None
) -> tf.distribute.Strategy:
    """Returns a strategy of `tf.distribute`.

    Args:
        name: `"none"` for one device; `"mirrored"` for all GPUs of this machine, or
            its CPU; `"multi_worker"` for those of several machines; `"tpu"` for a TPU;
            `"auto"` for `"multi_worker"` where a cluster is given, else `"mirrored"`.
        workers: Address `host:port` of each worker. Defaults to the cluster in the
            environment variable `TF_CONFIG`.
        worker_index: Index of this worker.

    Raises:
        UsageError: If there is no such cluster, or it is not valid.
    """
    if name == "auto":
        name = "multi_worker" if workers or "TF_CONFIG" in os.environ else "mirrored"
    if name != "multi_worker" and (workers or worker_index is not None):
        raise UsageError(
            "Expected --workers and --worker_index with the strategies multi_worker "
            f"and auto. Received: strategy={name}"
        )
    return STRATEGIES[name](workers, worker_index)


def one_device(workers, worker_index):
    """Returns the strategy of one device, without replicas."""
    return tf.distribute.get_strategy()


def mirrored(workers, worker_index):
    """Returns the strategy of all GPUs of this machine, or of its CPU."""
    return tf.distribute.MirroredStrategy()


def multi_worker(workers, worker_index):
    """Returns the strategy of several machines, when all of them have joined."""
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


def tpu(workers, worker_index):
    """Returns the strategy of a TPU."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        raise UsageError(
            f"Expected a TPU for the strategy tpu. Received: {error}"
        ) from error


def _cluster(workers, worker_index):
    """Returns the cluster, and the job and index of this worker in it."""
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

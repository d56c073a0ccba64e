"""`Cluster` in one process; several workers are in `test_workers.py`."""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras.errors import UsageError, WorkerLostError
from se_keras.training import Cluster

ADDRESSES = {"chief": ["c:3"], "worker": ["a:1", "b:2"]}


def strategy_of(job, index, addresses=ADDRESSES, replicas=6):
    """A strategy of several workers, of which only the place in the cluster is real."""
    strategy = mock.create_autospec(
        tf.distribute.MultiWorkerMirroredStrategy, instance=True
    )
    strategy.num_replicas_in_sync = replicas
    strategy.cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(addresses), task_type=job, task_id=index
    )
    return strategy


@pytest.mark.parametrize(
    "strategy", [None, tf.distribute.get_strategy(), tf.distribute.OneDeviceStrategy]
)
def test_one_device(strategy):
    cluster = Cluster(strategy("/cpu:0") if callable(strategy) else strategy)
    assert (cluster.index, cluster.workers, cluster.replicas) == (0, 1, 1)
    assert cluster.is_chief
    assert cluster.shard == (0, 1)
    assert cluster.broadcast({"a": 1}) == {"a": 1}
    assert cluster.sum(3) == 3
    with cluster.chief_first(), cluster.scope():
        variable = keras.Variable([1.0, 2.0])
    cluster.broadcast_variables([variable])
    assert variable.numpy().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("job", "index", "addresses", "expected"),
    [
        ("chief", 0, ADDRESSES, (0, 3)),
        ("worker", 0, ADDRESSES, (1, 3)),
        ("worker", 1, ADDRESSES, (2, 3)),
        ("worker", 0, {"worker": ["a:1", "b:2"]}, (0, 2)),
    ],
)
def test_place_among_several_workers(job, index, addresses, expected):
    cluster = Cluster(strategy_of(job, index, addresses))
    assert cluster.shard == (cluster.index, cluster.workers) == expected
    assert cluster.is_chief == (expected[0] == 0)
    assert cluster.replicas == 6


@pytest.mark.parametrize(
    ("batch_size", "parts", "message"),
    [
        (12, 1, None),
        (12, 2, None),
        (10, 1, "multiple of the 6 replicas. Received: batch_size=10"),
        (12, 4, "6 replicas times gradient_acc.*batch_size=12, gradient_acc.*=4"),
    ],
)
def test_batch_size(batch_size, parts, message):
    cluster = Cluster(strategy_of("chief", 0))
    if message is None:
        cluster.check_batch_size(batch_size, parts)
        return
    with pytest.raises(UsageError, match=f"Expected a batch_size.*{message}"):
        cluster.check_batch_size(batch_size, parts)


def test_batches_of_structures():
    cluster = Cluster(tf.distribute.OneDeviceStrategy("/cpu:0"))
    values = {"x": np.arange(6.0), "y": {"z": np.ones((6, 2))}}
    data = tf.data.Dataset.from_tensor_slices((values, np.arange(6))).batch(3)

    @tf.function
    def step(batch):
        def double(values, index):
            return {"x": 2 * values["x"]}, {"total": tf.reduce_sum(values["y"]["z"])}

        gathered, sums = cluster.run(double, batch)
        return cluster.gather(gathered), cluster.reduce_sum(sums)

    found = [step(batch) for batch in cluster.distribute(data)]
    np.testing.assert_array_equal(
        np.concatenate([gathered["x"] for gathered, _ in found]), 2 * np.arange(6)
    )
    assert [float(sums["total"]) for _, sums in found] == [6, 6]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("from /job:worker/replica:0/task:1: Socket closed", "worker 1 at b:2"),
        ("/job:chief/replica:0/task:0 and /job:worker/task:0", "chief 0 at c:3"),
        ("Deadline exceeded", "another worker"),
    ],
)
def test_lost_workers(text, lost):
    error = tf.errors.UnavailableError(None, None, text)
    message = f"Lost {lost}: .*they continue from the last checkpoint"
    cluster = Cluster(strategy_of("worker", 0))
    with pytest.raises(WorkerLostError, match=message), cluster.lost_worker_errors():
        raise error
    # One process has no others to lose.
    with pytest.raises(type(error)), Cluster().lost_worker_errors():
        raise error


def test_other_errors_of_workers():
    cluster = Cluster(strategy_of("worker", 0))
    error = tf.errors.InvalidArgumentError(None, None, "not an image")
    with pytest.raises(type(error)), cluster.lost_worker_errors():
        raise error

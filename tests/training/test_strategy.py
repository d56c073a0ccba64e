import json

import pytest

from se_keras.errors import UsageError
from se_keras.training import choices, strategy
from se_keras.training.strategy import make_strategy

TWO = ("a:1", "b:2")
CLUSTER = {"chief": ["c:3"], "worker": ["a:1", "b:2"], "ps": ["d:4"]}


def config(job="worker", index=1, cluster=CLUSTER):
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


@pytest.fixture
def cluster(monkeypatch):
    """Returns the cluster that a strategy would be made of."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name in choices.STRATEGIES:
        monkeypatch.setitem(
            choices.STRATEGIES,
            name,
            lambda *a, name=name: (
                (name, *strategy._cluster(*a)) if name == "multi_worker" else (name,)
            ),
        )


def test_cluster_of_flags(cluster):
    expected = ("multi_worker", {"worker": ["a:1", "b:2"]}, "worker", 1)
    assert make_strategy("multi_worker", TWO, 1) == expected
    assert make_strategy("auto", TWO, 1) == expected


@pytest.mark.parametrize(("job", "index"), [("chief", 0), ("worker", 1)])
def test_cluster_of_the_environment(job, index, cluster, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(job, index))
    trained = {"chief": ["c:3"], "worker": ["a:1", "b:2"]}
    for name in ("auto", "multi_worker"):
        assert make_strategy(name) == ("multi_worker", trained, job, index)


@pytest.mark.parametrize("name", ["none", "mirrored", "tpu"])
def test_other_strategies(name, cluster, monkeypatch):
    assert make_strategy(name) == (name,)
    monkeypatch.setenv("TF_CONFIG", config())
    assert make_strategy(name) == (name,)


def test_auto_without_a_cluster(cluster):
    assert make_strategy("auto") == ("mirrored",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("multi_worker",), "TF_CONFIG, for the strategy multi_worker"),
        (("multi_worker", TWO), r"worker_index in 0\.\.1\. Received: .*=None"),
        (("multi_worker", TWO, 2), r"worker_index in 0\.\.1\. Received: .*=2"),
        (("multi_worker", TWO, -1), r"worker_index in 0\.\.1\. Received: .*=-1"),
        (("multi_worker", ("a:1", "a:1"), 0), "different workers.*a:1,a:1"),
        (("multi_worker", ("a:1", "b"), 0), "host:port.*'b'"),
        (("multi_worker", ("a:1", "b:x"), 0), "host:port.*'b:x'"),
        (("mirrored", TWO, 0), "multi_worker and auto.*strategy=mirrored"),
        (("none", (), 1), "multi_worker and auto.*strategy=none"),
    ],
)
def test_bad_flags(arguments, message, cluster):
    with pytest.raises(UsageError, match=f"Expected .*{message}"):
        make_strategy(*arguments)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        config(index=2),
        config(index=-1),
        config("ps", 0),
        config("evaluator", 0),
        config(cluster={"worker": 3}),
    ],
)
def test_bad_environment(text, cluster, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match="Expected TF_CONFIG to be"):
        make_strategy("auto")

"""Kills runs and compares what they come to with a run that nobody killed.

python -m tests.training.kill_test --runs=20 --data_dir=$HOME/.cache/se_keras

Each run is killed with SIGKILL once or twice, at a random time or while it writes a
checkpoint, and started again until it is finished. All its weights and the metrics of
its epochs have to be those of the undisturbed run, to the last bit.

Every start is a fork of this process, which has imported TensorFlow and used nothing
of it.
"""

import argparse
import collections
import csv
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import traceback

import numpy as np

from se_keras import training
from tests.training.networks import SMALL, small_network

EPOCHS, EVERY = 3, 3
# Not what an epoch came to, but how fast.
SPEEDS = ("images_per_second",)


def start(data_dir, workdir):
    """Starts a run, or goes on with it; returns the process."""
    child = os.fork()
    if child:
        return child
    try:
        log = open(f"{workdir}.log", "a")  # noqa: SIM115 (as long as the process)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        with small_network():
            training.train(
                training.make_recipe(
                    data_dir=str(data_dir),
                    workdir=str(workdir),
                    model=SMALL,
                    epochs=EPOCHS,
                    batch_size=128,
                    image_size=8,
                    drop_path=0.3,  # has a random state
                    ema=0.9,
                    checkpoint_every=EVERY,
                    strategy="none",
                    deterministic=True,
                    exports=(),
                )
            )
        save_weights(workdir)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def save_weights(workdir):
    import keras

    model = keras.models.load_model(workdir / "model.keras")
    np.savez(workdir / "weights.npz", *model.get_weights())


def is_writing(workdir):
    return any((workdir / "checkpoints").glob(".writing-*"))


def wait(child, until=lambda: False):
    """Waits for the end of a process, or for `until`; returns whether it ended."""
    while not until():
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            if status:
                raise RuntimeError(f"a run failed: {os.waitstatus_to_exitcode(status)}")
            return True
        time.sleep(0.0005)
    return False


def kill(rng, child, workdir, timeline):
    """Kills a process at a random moment.

    Returns:
        The kind of moment, or `None` if the process had ended by then.
    """
    first_checkpoint, end = timeline
    kind = rng.choice(["writing", "writing", "training", "any time"])
    if kind == "writing":
        for _ in range(rng.randint(1, 1 + EPOCHS * 11 // EVERY // 2)):
            if wait(child, lambda: is_writing(workdir)):
                return None
            if wait(child, lambda: not is_writing(workdir)):
                return None
        if wait(child, lambda: is_writing(workdir)):
            return None
        time.sleep(rng.uniform(0, 0.02))
    else:
        begin = first_checkpoint * 0.9 if kind == "training" else 0.0
        moment = time.monotonic() + rng.uniform(begin, end)
        if wait(child, lambda: time.monotonic() > moment):
            return None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if kind == "writing" and not is_writing(workdir):
        kind = "written"
    return kind


def outcome(workdir):
    with np.load(workdir / "weights.npz") as file:
        weights = [file[name] for name in file.files]
    with (workdir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return weights, [{k: v for k, v in r.items() if k not in SPEEDS} for r in rows]


def same(one, other):
    weights = zip(one[0], other[0], strict=True)
    return one[1] == other[1] and all(a.tobytes() == b.tobytes() for a, b in weights)


def main(runs, seed, data_dir, folder):
    rng = random.Random(seed)
    whole = folder / "whole"
    began = time.monotonic()
    child = start(data_dir, whole)
    wait(child, lambda: is_writing(whole))
    first_checkpoint = time.monotonic() - began
    wait(child)
    timeline = first_checkpoint, time.monotonic() - began
    expected = outcome(whole)
    assert len(expected[1]) == EPOCHS
    kills, equal = collections.Counter(), 0
    for number in range(runs):
        workdir = folder / f"killed-{number}"
        wanted, own = rng.randint(1, 2), []
        while True:
            child = start(data_dir, workdir)
            kind = None
            if len(own) < wanted:
                kind = kill(rng, child, workdir, timeline)
            else:
                wait(child)
            if kind is None:
                break
            own.append(kind)
        if not own:
            print(f"run {number}: finished before it was killed", flush=True)
            continue
        kills.update(own)
        equal += same(outcome(workdir), expected)
        print(f"run {number}: killed {' and '.join(own)}; equal: {equal}", flush=True)
    killed = sum(1 for _ in kills.elements())
    print(
        f"{equal} of {runs} runs have the weights and metrics of the undisturbed run, "
        f"bit for bit; {killed} kills: "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(kills.items()))
    )
    return equal == runs


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data_dir", required=True, help="holds the prepared digits")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if not main(
            arguments.runs,
            arguments.seed,
            arguments.data_dir,
            pathlib.Path(temporary),
        ):
            sys.exit(1)

"""Stops, kills and damages runs, and compares them with a run that nobody disturbed.

python -m tests.robustness.interruptions --signals=50 --kills=20 --damages=8

Signals and kills come at random moments: while the program starts, trains, evaluates,
writes checkpoints and exports. A run is disturbed several times, started again each
time, and has to come to the weights and metrics of the undisturbed run, to the last
bit. A program that a signal ended has to have the documented exit code and one line;
no program may print a traceback.

Most programs are forks of this process, which has imported TensorFlow and used nothing
of it. The others start from the beginning, and are disturbed while they import.
"""

import argparse
import collections
import contextlib
import csv
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import keras
import numpy as np

from se_keras import training
from se_keras.cli.exit import ending_on_signals, exit_on_usage_error
from tests.helpers import ROOT
from tests.training.networks import SMALL, small_network

SETTINGS = {
    "model": SMALL,
    "epochs": 2,
    "batch_size": 256,
    "image_size": 8,
    "drop_path": 0.3,  # has a random state
    "ema": 0.9,
    "checkpoint_every": 2,
    "keep_checkpoints": 3,
    "strategy": "none",
    "deterministic": True,
    "exports": ("tflite",),
}
# Not what an epoch came to, but how fast.
SPEEDS = ("images_per_second", "seconds")
ENDS = {signal.SIGTERM: 75, signal.SIGINT: 75, signal.SIGKILL: -signal.SIGKILL}
# What no program may print.
UNWANTED = ("Traceback", "Exception ignored", "Error:")
DISTURBANCES_OF_A_RUN = 7


class Program:
    """A training program, in a fork of this process.

    Args:
        workdir: Its work directory.
        data_dir: Holds the prepared digits.
    """

    def __init__(self, workdir: pathlib.Path, data_dir: str):
        self.errors = pathlib.Path(f"{workdir}.errors")
        reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(reader)
            os._exit(self._run(workdir, data_dir, writer))
        os.close(writer)
        os.read(reader, 1)  # until the program handles signals
        os.close(reader)

    def _run(self, workdir, data_dir, ready):
        os.dup2(os.open(f"{workdir}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(os.open(self.errors, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 2)
        recipe = {**SETTINGS, "data_dir": data_dir, "workdir": str(workdir)}
        try:
            with ending_on_signals(continues=True), exit_on_usage_error():
                os.close(ready)
                with small_network():
                    training.train(training.make_recipe(**recipe))
                    model = keras.models.load_model(workdir / "model.keras")
                np.savez(f"{workdir}.npz", *model.get_weights())
        except SystemExit as end:
            if isinstance(end.code, int):
                return end.code
            print(end.code, file=sys.stderr, flush=True)
            return 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
            return 1
        return 0

    def wait(self, seconds: float | None = None) -> int | None:
        """Returns the exit code, or `None` if it still runs after some seconds."""
        until = time.monotonic() + (1e9 if seconds is None else seconds)
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.001)
        return None

    def send(self, number: int) -> int:
        """Sends a signal; returns the exit code."""
        os.kill(self.pid, number)
        return self.wait()


def check(code: int, expected: set[int], errors: str, faults: list[str]) -> None:
    """Adds to `faults` what a program did that is not documented."""
    lines = [line for line in errors.splitlines() if line.startswith("stopped: ")]
    if code not in expected:
        faults.append(f"exit code {code}, not in {expected}: {errors[-500:]}")
    if code == 75 and len(lines) != 1:
        faults.append(f"{len(lines)} lines instead of one: {errors[-500:]}")
    if any(text in errors for text in UNWANTED):
        faults.append(errors[-2000:])


def outcome(workdir: pathlib.Path):
    """Returns the weights and metrics that a run came to, and what is half-written."""
    with np.load(f"{workdir}.npz") as file:
        weights = [file[name].tobytes() for name in file.files]
    with (workdir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = [{k: v for k, v in row.items() if k not in SPEEDS} for row in rows]
    left = [path.name for path in workdir.rglob(".*")]
    return weights, metrics, left


def disturb(kinds, folder, data_dir, duration, rng, faults):
    """Disturbs runs at random moments; returns the directories of the finished runs."""
    kinds = [*kinds]
    rng.shuffle(kinds)
    counts: collections.Counter = collections.Counter()
    workdirs = []
    while kinds:
        workdir = folder / f"run-{len(workdirs)}"
        workdirs.append(workdir)
        for _ in range(DISTURBANCES_OF_A_RUN):
            if not kinds:
                break
            began = time.monotonic()
            program = Program(workdir, data_dir)
            code = program.wait(rng.uniform(0, duration))
            if code is not None:  # It was faster, and is not counted.
                check(code, {0}, program.errors.read_text(), faults)
                duration = min(duration, time.monotonic() - began)
                continue
            kind = kinds.pop()
            code = program.send(kind)
            # The program may have ended by itself.
            check(code, {0, ENDS[kind]}, program.errors.read_text(), faults)
            counts[signal.Signals(kind).name, code] += 1
        code = (program := Program(workdir, data_dir)).wait()
        check(code, {0}, program.errors.read_text(), faults)
        print(f"{workdir.name}: {dict(counts)}, {len(faults)} faults", flush=True)
    return workdirs, counts


def start_up(kinds, folder, data_dir, rng, faults):
    """Disturbs programs while they import; returns the counts."""
    counts: collections.Counter = collections.Counter()
    for number, kind in enumerate(kinds):
        workdir = folder / f"start-{number}"
        flags = {"data_dir": data_dir, "workdir": workdir, "strategy": "none"}
        program = subprocess.Popen(
            [
                sys.executable,
                ROOT / "examples/train_imagenet.py",
                *(f"--{name}={value}" for name, value in flags.items()),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _wait_for_handlers(program.pid)
        time.sleep(rng.uniform(0, 5))
        program.send_signal(kind)
        _, errors = program.communicate()
        check(program.returncode, {ENDS[kind]}, errors, faults)
        counts[signal.Signals(kind).name, program.returncode] += 1
        left = [*workdir.glob("*.keras")] if workdir.exists() else []
        if left:
            faults.append(f"{left} after the start")
    return counts


def _wait_for_handlers(pid):
    """Waits until a process handles SIGTERM: Python needs some time to start."""
    while True:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)


def _data(checkpoint):
    return checkpoint / "state.data-00000-of-00001"


def truncate(checkpoint):
    """Loses the end of the values."""
    os.truncate(_data(checkpoint), _data(checkpoint).stat().st_size // 2)


def flip(checkpoint):
    """Changes one bit of the values."""
    content = bytearray(_data(checkpoint).read_bytes())
    content[len(content) // 3] ^= 4
    _data(checkpoint).write_bytes(content)


def flip_index(checkpoint):
    """Changes one bit of the index."""
    content = bytearray((checkpoint / "state.index").read_bytes())
    content[len(content) // 2] ^= 1
    (checkpoint / "state.index").write_bytes(content)


def lose_index(checkpoint):
    """Loses the index."""
    (checkpoint / "state.index").unlink()


def lose_values(checkpoint):
    """Loses the values."""
    _data(checkpoint).unlink()


def empty(checkpoint):
    """Loses the content of all files."""
    for path in checkpoint.iterdir():
        path.write_bytes(b"")


def zeros(checkpoint):
    """Has zeros instead of values, as after a power cut."""
    _data(checkpoint).write_bytes(bytes(_data(checkpoint).stat().st_size))


def be_a_file(checkpoint):
    """Has a file instead of the directory."""
    shutil.rmtree(checkpoint)
    checkpoint.write_text("not a checkpoint")


DAMAGES = (
    truncate,
    flip,
    flip_index,
    lose_index,
    lose_values,
    empty,
    zeros,
    be_a_file,
)


def damage(count, folder, data_dir, duration, faults):
    """Damages the last checkpoint of stopped runs; returns their directories."""
    stopped = folder / "stopped"
    while len([*stopped.glob("checkpoints/epoch-*")]) < 2:
        program = Program(stopped, data_dir)
        while not [*stopped.glob("checkpoints/epoch-*-step-00000004")]:
            time.sleep(0.001)
        check(program.send(signal.SIGTERM), {75}, program.errors.read_text(), faults)
    workdirs = []
    for number in range(count):
        workdir = folder / f"damaged-{number}"
        shutil.copytree(stopped, workdir)
        last = max(workdir.glob("checkpoints/epoch-*"))
        DAMAGES[number % len(DAMAGES)](last)
        program = Program(workdir, data_dir)
        check(program.wait(), {0}, program.errors.read_text(), faults)
        log = pathlib.Path(f"{workdir}.log").read_text()
        if f"Checkpoint {last.name} is damaged" not in log:
            faults.append(f"no line about the damage: {log[-500:]}")
        workdirs.append(workdir)
    return workdirs


def main(signals, kills, damages, starts, seed, data_dir, folder) -> int:
    """Disturbs runs, prints the counts, and returns the number of faults."""
    rng, faults = random.Random(seed), []
    whole = folder / "whole"
    began = time.monotonic()
    program = Program(whole, data_dir)
    check(program.wait(), {0}, program.errors.read_text(), faults)
    duration = time.monotonic() - began
    expected = outcome(whole)
    both = (signal.SIGTERM, signal.SIGINT)
    kinds = [both[i % 2] for i in range(signals - starts)] + [signal.SIGKILL] * kills
    workdirs, counts = disturb(kinds, folder, data_dir, duration, rng, faults)
    counts += start_up(
        [both[i % 2] for i in range(starts)], folder, data_dir, rng, faults
    )
    workdirs += damage(damages, folder, data_dir, duration, faults)
    equal = sum(outcome(workdir) == expected for workdir in workdirs)
    for (name, code), count in sorted(counts.items()):
        print(f"{count} x {name}: exit code {code}")
    print(
        f"{signals} signals ({starts} of them in imports), {kills} kills, "
        f"{damages} damaged checkpoints: {equal} of {len(workdirs)} runs have the "
        f"weights and metrics of the undisturbed run, bit for bit; {len(faults)} "
        f"faults; {time.monotonic() - began:.0f} s"
    )
    for fault in faults:
        print("FAULT:", fault)
    return len(faults) + len(workdirs) - equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, default in (
        ("signals", 50),
        ("starts", 10),
        ("kills", 20),
        ("damages", 8),
        ("seed", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--data_dir", required=True, help="holds the prepared digits")
    arguments = vars(parser.parse_args())
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory())
        sys.exit(bool(main(folder=pathlib.Path(temporary), **arguments)))

"""Two workers on this machine, one CPU each, compared with one process."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest

from se_keras.cli.exit import EXIT_CODES
from se_keras.errors import InterruptionError, WorkerLostError
from tests.helpers import ROOT

pytestmark = pytest.mark.slow

STEPS = 2 * (1437 // 128)


class Program:
    """A process of `tests.training.cluster`, and what it printed."""

    def __init__(self, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.cluster", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.records, self.errors = [], ""
        self._readers = [
            threading.Thread(target=read) for read in (self._read_out, self._read_err)
        ]
        for reader in self._readers:
            reader.start()

    def _read_out(self):
        for line in self._process.stdout:
            # The progress bar leaves no line to itself.
            if "{" in line and line.endswith("}\n"):
                self.records.append(json.loads(line[line.index("{") :]))

    def _read_err(self):
        self.errors = self._process.stderr.read()

    def wait_for_step(self, step):
        deadline = time.monotonic() + 120
        while not any(record.get("step", 0) >= step for record in self.records):
            assert self._process.poll() is None, self.end()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def send(self, number):
        self._process.send_signal(number)

    def end(self, timeout=120):
        """Waits for the end; returns the exit code and the last line of errors."""
        code = self._process.wait(timeout)
        for reader in self._readers:
            reader.join()
        return code, (self.errors.splitlines() or [""])[-1]

    @property
    def losses(self):
        return {r["step"]: r["loss"] for r in self.records if "step" in r}

    @property
    def report(self):
        return self.records[-1]


def pair(data_dir, folder, *arguments):
    """Starts two workers; the second has a work directory that it must not use."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("localhost", 0))
        ports = [each.getsockname()[1] for each in (one, two)]
    workers = ",".join(f"localhost:{port}" for port in ports)
    return [
        Program(
            data_dir,
            folder / name,
            f"--workers={workers}",
            f"--worker_index={index}",
            *arguments,
        )
        for index, name in enumerate(("chief", "other"))
    ]


def weights(workdir):
    return keras.models.load_model(workdir / "model.keras").get_weights()


@pytest.fixture(scope="module")
def one(digits_dir, tmp_path_factory):
    program = Program(digits_dir, tmp_path_factory.mktemp("one") / "chief")
    assert program.end()[0] == 0, program.errors
    return program


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(digits_dir, folder):
    programs = pair(digits_dir, folder)
    for program in programs:
        assert program.end()[0] == 0, program.errors
    return programs


def test_losses_and_evaluation_are_those_of_one_process(one, two):
    for worker in two:
        assert list(worker.losses) == list(one.losses) == list(range(1, STEPS + 1))
        losses = [list(each.losses.values()) for each in (worker, one)]
        np.testing.assert_allclose(*losses, rtol=1e-4)
        assert worker.report["examples"] == one.report["examples"] == 360
        assert worker.report["accuracy"] == one.report["accuracy"]
        assert worker.report["loss"] == pytest.approx(one.report["loss"], rel=1e-4)


def test_only_the_chief_writes(two, folder):
    assert [path.name for path in folder.iterdir()] == ["chief"]
    rows = (folder / "chief" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 2


def test_stopped_and_killed_workers_go_on(two, folder, digits_dir, tmp_path):
    """Asked to stop, killed, started again: the weights of an undisturbed run."""
    chief, other = pair(digits_dir, tmp_path, "--pause=0.2")
    other.wait_for_step(3)
    other.send(signal.SIGTERM)
    for program in (chief, other):
        code, message = program.end(60)
        assert code == EXIT_CODES[InterruptionError] == 75, program.errors
        assert message.startswith("stopped: After step"), program.errors
    stopped = max(chief.losses)
    assert max(other.losses) == stopped < 8
    checkpoints = tmp_path / "chief" / "checkpoints"
    assert checkpoints / f"epoch-00000-step-{stopped:08}" in checkpoints.iterdir()

    chief, other = pair(digits_dir, tmp_path, "--pause=0.2")
    other.wait_for_step(14)
    assert min(other.losses) == min(chief.losses) == stopped + 1
    other.send(signal.SIGKILL)
    started = time.monotonic()
    code, message = chief.end(60)
    assert time.monotonic() - started < 60
    assert code == EXIT_CODES[WorkerLostError] == 69, chief.errors
    assert message.startswith("stopped: Lost worker 1 at localhost:")
    assert other.end()[0] == -signal.SIGKILL

    for program in pair(digits_dir, tmp_path):
        assert program.end()[0] == 0, program.errors
    expected, found = weights(folder / "chief"), weights(tmp_path / "chief")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [p.name for p in pathlib.Path(tmp_path).iterdir()] == ["chief"]


def test_frozen_worker_is_missed(digits_dir, tmp_path):
    """A worker of which nothing is heard, and whose machine does not say why."""
    chief, other = pair(digits_dir, tmp_path, "--pause=0.2")
    other.wait_for_step(2)
    other.send(signal.SIGSTOP)
    try:
        code, message = chief.end(60)
        assert code == EXIT_CODES[WorkerLostError], chief.errors
        assert message.startswith("stopped: Lost worker 1 at localhost:")
    finally:
        other.send(signal.SIGKILL)
        other.end()

"""Signals: what handlers do, and how programs end."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from se_keras import signals
from se_keras.signals import on_signals
from tests.helpers import ROOT


@pytest.mark.parametrize("second", signals.SIGNALS)
@pytest.mark.parametrize("first", signals.SIGNALS)
def test_first_signal_asks_and_second_one_insists(first, second):
    asked, insisted = [], []
    before = signal.getsignal(second)
    signal.signal(second, lambda number, frame: insisted.append(number))
    try:
        with on_signals(asked.append):
            os.kill(os.getpid(), first)
            assert (asked, insisted) == ([first.name], [])
            os.kill(os.getpid(), second)
            assert (asked, insisted) == ([first.name], [second])
        os.kill(os.getpid(), second)
        assert insisted == [second] * 2
    finally:
        signal.signal(second, before)


def test_thread_that_receives_no_signals():
    done = []

    def work():
        with on_signals(done.append), signals.ending(done.append):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


PROGRAM = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from se_keras.cli.exit import ending_on_signals, exit_on_usage_error
from se_keras.signals import on_signals

class Foreign:
    def __del__(self):  # Python ignores exceptions here.
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.1)

def prints():
    print("half of a line", end="", flush=True)
    os.kill(os.getpid(), signal.{name})

def waits():
    # Foreign code that does not return, as when it waits for another machine.
    import ctypes
    lock, libc = ctypes.create_string_buffer(256), ctypes.CDLL(None)
    print("waiting", flush=True)
    for _ in range(2):
        libc.pthread_mutex_lock(lock)

def filters():
    # As while TensorFlow is imported.
    from se_keras.cli.quiet import _filtered
    with _filtered():
        os.kill(os.getpid(), signal.{name})

def collects():
    Foreign()

def handled():
    asked = []
    with on_signals(asked.append):
        os.kill(os.getpid(), signal.{name})
    assert asked == ["{name}"]
    time.sleep(1.2)  # longer than the other thread waits
    print("handled", flush=True)
    os.kill(os.getpid(), signal.{name})

with ending_on_signals(continues={continues}), exit_on_usage_error():
    try:
        {what}()
        time.sleep(60)
    except BaseException as error:
        raise SystemExit(f"an exception reached the program: {{error!r}}")
"""
CODES = {
    (signal.SIGTERM, True): (75, "stopped: Received SIGTERM. The same command"),
    (signal.SIGINT, True): (75, "stopped: Received SIGINT. The same command"),
    (signal.SIGTERM, False): (-15, "terminated"),
    (signal.SIGINT, False): (130, "interrupted"),
}


def start(what, number, continues):
    text = PROGRAM.format(
        root=str(ROOT), name=number.name, what=what, continues=continues
    )
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("continues", [True, False])
def test_programs_end_with_one_line_and_their_code(continues):
    """Wherever a signal comes, no exception passes through the program."""
    kinds = [
        (what, number)
        for what in ("prints", "filters", "collects", "handled")
        for number in signals.SIGNALS
    ]
    programs = {kind: start(*kind, continues) for kind in kinds}
    waiting = start("waits", signal.SIGTERM, continues)
    assert waiting.stdout.readline() == "waiting\n"
    time.sleep(0.3)  # until it waits
    began = time.monotonic()
    waiting.terminate()
    code, line = CODES[signal.SIGTERM, continues]
    # The other thread cannot restore the default handler: 143, as a shell reports it.
    assert waiting.wait() in (code, 128 + signal.SIGTERM)
    assert time.monotonic() - began < 5
    assert waiting.stderr.read().startswith(line)
    for (what, number), program in programs.items():
        output, errors = program.communicate()
        code, line = CODES[number, continues]
        assert program.returncode == code, (what, errors)
        assert errors.startswith(line)
        assert errors.count("\n") == 1
        if what == "prints":
            assert output == "half of a line\n"

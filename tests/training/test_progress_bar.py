"""What a progress bar prints, in a terminal and in a pipe."""

import fcntl
import io
import os
import re
import struct
import sys
import termios
import threading
import time

import pytest

from se_keras.training.progress_bar import ProgressBar, in_words

END = "<end>"
LOGS = {
    "loss": 0.54321,
    "accuracy": 0.8125,
    "top5_accuracy": 0.99,
    "val_loss": 1e-5,
    "val_accuracy": 0.875,
    "val_top5_accuracy": 1.0,
    "learning_rate": 0.1,
    "images_per_second": 349.4,
}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0446, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min"),
        (3590, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (97200, "1 d 3 h"),
    ],
)
def test_time_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.fixture
def terminal(monkeypatch):
    """Standard output is a terminal of some columns; returns what it received."""
    monkeypatch.delenv("COLUMNS", raising=False)
    main, slave = os.openpty()
    file = os.fdopen(slave, "w")

    def received(columns, write):
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        found = []

        def read():
            # A terminal holds some kilobytes; who writes more waits for a reader.
            while END not in "".join(found[-2:]):
                found.append(os.read(main, 4096).decode())

        reader = threading.Thread(target=read)
        reader.start()
        with monkeypatch.context() as patch:
            for name in ("stdout", "__stdout__"):
                patch.setattr(sys, name, file)
            write()
        os.write(slave, END.encode())
        reader.join(10)
        return "".join(found).removesuffix(END)

    yield received
    file.close()
    os.close(main)


def run(epochs, steps, shown, fail=False):
    bar = ProgressBar(epochs, steps, 64, "val_accuracy")
    bar.on_train_begin()
    for epoch in range(shown):
        bar.on_epoch_begin(epoch)
        for step in range(steps):
            bar._shown = 0.0  # as if each step took its time
            bar.on_train_batch_end(step, LOGS)
        if fail:
            return bar.on_train_end()
        bar.on_test_begin({"batches": 2})
        for batch in range(2):
            bar._shown = 0.0
            bar.on_test_batch_end(batch)
        bar.on_test_end(LOGS)
        bar.on_epoch_end(epoch, LOGS)
    return bar.on_train_end()


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize(("epochs", "steps"), [(2, 3), (1000, 1)])
def test_terminal(columns, epochs, steps, terminal):
    text = terminal(columns, lambda: run(epochs, steps, min(epochs, 3)))
    lines = [line for line in re.split(r"[\r\n]+", text) if line]
    assert max(map(len, lines)) < columns
    assert text.count("\n") == min(epochs, 3)
    shown = [line.rstrip() for line in text.split("\n")[:-1]]
    # Each line starts over the one before it, and is not shorter.
    for line in shown:
        widths = [len(part) for part in line.split("\r")[1:]]
        visible = [len(part.rstrip()) for part in line.split("\r")[1:]]
        assert all(w >= v for w, v in zip(widths[1:-1], visible[:-2], strict=False))
    if columns == 80:
        assert "evaluation 1/2 [" in text
        assert re.search(r"349 images/s, (\d+ s|\d+ min|\d+ h \d+ min) left", text)
        assert f"Epoch 1/{epochs} 1/{steps} " in text
    assert "val_accuracy 0.875" in shown[0].split("\r")[-1]
    if columns == 120:
        for part in ("loss 0.543", "accuracy 0.812", "val_loss 1.0e-05"):
            assert part in shown[0].split("\r")[-1]


def test_an_error_starts_a_line(terminal):
    text = terminal(80, lambda: run(2, 3, 1, fail=True))
    assert text.endswith("\n")
    assert text.count("\n") == 1


def test_pipe_gets_one_line_per_epoch(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    run(3, 2, 3)
    lines = pipe.getvalue().splitlines()
    assert len(lines) == 3
    assert "\r" not in pipe.getvalue()
    assert all(len(line) < 80 for line in lines)
    assert lines[0].startswith("Epoch 1/3: loss 0.543, ")
    # Two epochs of 128 images, and two evaluations that took no time.
    assert lines[0].endswith(f"349 images/s, {round(256 / 349.4)} s left")
    assert lines[2].endswith("349 images/s")


def test_time_left_counts_steps_epochs_and_evaluations(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    bar = ProgressBar(5, 100, 10, "val_accuracy", validation_frequency=2)
    bar.on_epoch_begin(0)
    bar.on_test_begin()
    # The first batch takes longer once, and is not counted as such.
    for batch, seconds in enumerate([900, 10, 10]):
        clock[0] += seconds
        bar.on_test_batch_end(batch)
    bar.on_test_end()
    bar.on_epoch_end(0, {**LOGS, "images_per_second": 10.0})
    # Four epochs of 100 s; evaluations of 30 s after the second, fourth and fifth.
    minutes = round((4 * 100 + 3 * 30) / 60)
    assert pipe.getvalue().rstrip().endswith(f"{minutes} min left")

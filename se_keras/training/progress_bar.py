"""The progress of a run as text: in a terminal, a notebook, a pipe or a log file.

`keras.utils.Progbar` prints all metrics, numbers only, and its lines are longer than 80
columns from three metrics on.
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence

import keras

SECONDS = 0.1  # between two updates of a line
BAR = 24  # columns at most
SMALLEST_BAR = 6
# What `Speed` adds to the logs; the bar shows it in its own way, or not at all.
SPEED, RATE = "images_per_second", "learning_rate"


class ProgressBar(keras.callbacks.Callback):
    """Prints the progress of training and of evaluation.

    In a terminal and in a notebook one line is rewritten in place, and is left there at
    the end of an epoch. Elsewhere one line is printed for each epoch. A line has at
    most as many columns as the terminal, 80 where that is not known: what matters
    least is left out.

    Args:
        epochs: Epochs of the run.
        steps_per_epoch: Steps of an epoch.
        batch_size: Images of a step.
        monitor: Name of the logged metric that matters most.
        validation_frequency: Epochs between two evaluations.
        rewrite: Whether lines are rewritten in place. Defaults to whether the standard
            output is a terminal or a notebook.
    """

    def __init__(
        self,
        epochs: int = 1,
        steps_per_epoch: int = 0,
        batch_size: int = 1,
        monitor: str = "val_loss",
        validation_frequency: int = 1,
        rewrite: bool | None = None,
    ):
        super().__init__()
        self._epochs = epochs
        self._steps = steps_per_epoch
        self._batch_size = batch_size
        self._monitor = monitor
        self._validation_frequency = validation_frequency
        self._rewrite = _is_rewritable() if rewrite is None else rewrite
        self._epoch = -1
        self._open = 0  # columns of the line that is not finished
        self._shown = 0.0
        self._evaluation_seconds = 0.0
        self._evaluation_batches: int | None = None

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Shows the step, and the metrics of the epoch so far."""
        if not self._is_due():
            return
        logs = logs or {}
        metric = self._monitor.removeprefix("val_")
        names = dict.fromkeys(n for n in ("loss", metric) if n in logs)
        parts = [_metric(name, logs[name]) for name in names]
        parts += self._speed(logs, self._epoch, batch + 1)
        self._show(
            f"{self._place} {batch + 1}/{self._steps}", parts, (batch + 1) / self._steps
        )

    def on_test_begin(self, logs=None):
        """Starts the clock of an evaluation."""
        self._evaluation_started, self._evaluated = time.monotonic(), 0
        self._evaluation_batches = (logs or {}).get("batches", self._evaluation_batches)

    def on_test_batch_end(self, batch, logs=None):
        """Shows the batch."""
        self._evaluated = batch + 1
        if batch == 0:
            # It waits for TensorFlow to trace the step, and for the pipeline.
            self._evaluation_started = time.monotonic()
        if not self._is_due():
            return
        count, total = batch + 1, self._evaluation_batches
        head = f"{self._place}, evaluation" if self._place else "Evaluation"
        if total:
            self._show(f"{head} {count}/{total}", [], min(count / total, 1))
        else:
            self._show(f"{head} {count}", [])

    def on_test_end(self, logs=None):
        """Notes the time of the evaluation, for the time that is left."""
        seconds = time.monotonic() - self._evaluation_started
        timed = max(self._evaluated - 1, 1)
        self._evaluation_seconds = seconds * self._evaluated / timed

    def on_epoch_end(self, epoch, logs=None):
        """Prints the line of an epoch."""
        logs = logs or {}
        parts = [(rank, _metric(name, logs[name])) for rank, name in self._ranked(logs)]
        parts += [(2, text) for text in self._speed(logs, epoch + 1, 0)]
        head = f"{self._place}: "
        self._write(head + _fitting(parts, _columns() - len(head)))
        self._end_line()

    def on_train_end(self, logs=None):
        """Ends the line, so that an error starts on one of its own."""
        self.close()

    def close(self) -> None:
        """Ends the line that is not finished."""
        if self._open:
            self._end_line()

    def _ranked(self, logs):
        """Returns pairs of a rank and the name of a metric, in the order of a line."""
        metric = self._monitor.removeprefix("val_")
        ranks = {self._monitor: 0, "loss": 1, metric: 3, "val_loss": 4}

        def place(name):
            base = name.removeprefix("val_")
            return name != base, base != "loss", base != metric

        names = sorted((n for n in logs if n not in (SPEED, RATE)), key=place)
        return [(ranks.get(name, 5), name) for name in names]

    @property
    def _place(self):
        return f"Epoch {self._epoch + 1}/{self._epochs}" if self._epoch >= 0 else ""

    def _is_due(self):
        now = time.monotonic()
        if not self._rewrite or now - self._shown < SECONDS:
            return False
        self._shown = now
        return True

    def _speed(self, logs, epochs_done, steps_done):
        """Returns the speed, and the time that is left of the whole run."""
        rate = logs.get(SPEED)
        if not rate:
            return []
        speed = f"{_number(rate)} images/s"
        if epochs_done == self._epochs:
            return [speed]
        steps = (self._epochs - epochs_done) * self._steps - steps_done
        frequency = self._validation_frequency
        # The last epoch is evaluated, too.
        evaluations = -(-self._epochs // frequency) - epochs_done // frequency
        seconds = (
            steps * self._batch_size / rate + evaluations * self._evaluation_seconds
        )
        return [speed, f"{in_words(seconds)} left"]

    def _show(self, head: str, parts: Sequence[str], fraction: float | None = None):
        """Rewrites the line: a head, a bar if it fits, and some parts."""
        columns = _columns() - len(head) - 1
        text = _fitting(list(enumerate(parts)), columns)
        width = min(columns - len(text) - 3, BAR)
        if fraction is not None and width >= SMALLEST_BAR:
            done = round(fraction * width)
            head += f" [{'=' * done}{'.' * (width - done)}]"
        self._write(f"{head} {text}".rstrip())

    def _write(self, line):
        # Spaces delete what is left of a longer line.
        sys.stdout.write(f"\r{line:{self._open}}" if self._rewrite else line)
        sys.stdout.flush()
        self._open = len(line)

    def _end_line(self):
        sys.stdout.write("\n")
        sys.stdout.flush()
        self._open = 0


def in_words(seconds: float) -> str:
    """Returns a time in words: `"45 s"`, `"3 min"`, `"2 h 5 min"`, `"1 d 3 h"`.

    Args:
        seconds: The time.
    """
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def _is_rewritable():
    return sys.stdout.isatty() or "ipykernel" in sys.modules


def _columns():
    # A line as wide as the terminal would continue on the next one.
    return max(shutil.get_terminal_size().columns - 1, 20)


def _fitting(parts: Sequence[tuple[int, str]], columns: int) -> str:
    """Joins the texts, in their order, that fit: those of the lowest rank first."""
    chosen: Mapping[int, str] = {}
    for index, (_, text) in sorted(enumerate(parts), key=lambda part: part[1][0]):
        more = {**chosen, index: text}
        if len(", ".join(more.values())) <= columns:
            chosen = more
    return ", ".join(chosen[index] for index in sorted(chosen))


def _metric(name, value):
    small = value != 0 and abs(value) < 1e-3
    return f"{name} {value:.1e}" if small else f"{name} {value:.3f}"


def _number(value):
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"

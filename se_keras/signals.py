"""What a program does on SIGTERM, SIGINT and SIGHUP.

No handler here raises an exception. Python calls handlers between any two instructions
of the main thread, also within other packages, which may catch an exception, ignore
it, or report it as an error of their own. A handler sets what is looked at later, or
ends the process.
"""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

# What asks a run to stop.
SIGNALS = (signal.SIGTERM, signal.SIGINT)
# What ends a program; Windows has no SIGHUP.
ENDING = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP")
    if hasattr(signal, name)
)
# The exit code of a training run that a signal stopped, EX_TEMPFAIL of sysexits.h.
STOPPED = 75
# How long the main thread may take to call a handler, in seconds.
PATIENCE = 0.5

LINES = {"SIGINT": "interrupted", "SIGTERM": "terminated"}
CONTINUES = "The same command continues the run"

_handled = -math.inf  # when the main thread last called a handler of this module


def end_on_signals(continues: bool = False) -> None:
    """Makes signals end this program from now on.

    For the first line of a program: what it imports next takes a moment.

    Args:
        continues: As in `end_process`.
    """
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: end_process(number, continues))


def end_process(number: int, continues: bool = False, stderr: int | None = 2) -> None:
    """Ends this process at once, with one line about the signal.

    Args:
        number: The signal.
        continues: Whether the program is a training run, which the same command
            continues: the exit code is then `STOPPED`, and not that of the signal.
        stderr: The descriptor to write the line to, if there is one.
    """
    name = signal.Signals(number).name
    if continues and number in SIGNALS:
        code, line = STOPPED, f"stopped: Received {name}. {CONTINUES}"
    else:
        code, line = 128 + number, LINES.get(name, f"ended by {name}")
    if stderr is not None:
        with contextlib.suppress(OSError):
            os.write(stderr, f"{line}\n".encode())
    main = threading.current_thread() is threading.main_thread()
    if code != STOPPED and number != signal.SIGINT and main:
        # The parent process reads which signal it was.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(code)


@contextlib.contextmanager
def on_signals(action: Callable[[str], None]) -> Iterator[None]:
    """A context that calls `action` with the name of a signal: SIGTERM or SIGINT.

    Only the first signal calls it; the next one is handled as before. In a thread that
    cannot receive signals this does nothing.

    Args:
        action: Is called between any two instructions of the main thread, and must not
            raise an exception.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    received = []

    def act(number, frame):
        global _handled
        _handled = time.monotonic()
        received.append(number)
        if len(received) == 1:
            action(signal.Signals(number).name)
            return
        handler = before[number]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, handler or signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        signal.signal(number, act)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextlib.contextmanager
def ending(end: Callable[[int], None]) -> Iterator[None]:
    """A context in which a signal ends the process, whatever it is doing.

    Python calls a handler when the current instruction has ended, and one may wait for
    other machines. Where the main thread does not call it, another thread ends the
    process. In a thread that cannot receive signals this does nothing.

    Args:
        end: Ends the process; takes the number of the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ender: list[int] = []

    def end_once(number):
        ender.append(threading.get_ident())
        if ender[0] == threading.get_ident():
            if len(ender) == 1:
                end(number)
            return
        while True:  # The other thread ends the process.
            time.sleep(PATIENCE)

    def leave(number, frame):
        global _handled
        _handled = time.monotonic()
        end_once(number)

    def watch(descriptor):
        while received := os.read(descriptor, 1):
            since = time.monotonic()
            time.sleep(PATIENCE)
            handled = _handled > since - PATIENCE
            if not handled and signal.getsignal(received[0]) is leave:
                end_once(received[0])

    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        # `nohup` ignores SIGHUP.
        if number in SIGNALS or handler is not signal.SIG_IGN:
            signal.signal(number, leave)
    with _wakeup(watch):
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)


@contextlib.contextmanager
def _wakeup(watch):
    """Runs a function in a thread, with the descriptor that signals are written to."""
    if os.name == "nt":  # Its pipes are always blocking.
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def run():
        with open(reader, closefd=True):  # closed when the writer is
            watch(reader)

    threading.Thread(target=run, daemon=True, name="signals").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


def ignore_at_exit() -> None:
    """Makes Python ignore signals while it ends: there is nothing left to stop."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)

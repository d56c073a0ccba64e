"""What a run does on SIGTERM and SIGINT."""

import contextlib
import signal
import threading
from collections.abc import Callable

from se_keras.errors import AbandonedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def on_signals(action: Callable[[str], None]):
    """A context that calls `action` with the name of a signal: SIGTERM or SIGINT.

    Only the first signal of each kind calls it; the next one is handled as before. In
    a thread that cannot receive signals this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def act(number, frame):
        signal.signal(number, before[number])
        action(signal.Signals(number).name)

    for number in SIGNALS:
        signal.signal(number, act)
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])


def leave_at_once(name: str) -> None:
    """Ends a part of a run in which there is nothing to save."""
    raise AbandonedError(f"Received {name}. The same command continues the run")

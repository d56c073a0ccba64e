import os
import signal
import threading

import pytest

from se_keras.errors import AbandonedError, InterruptionError
from se_keras.training.signals import leave_at_once, on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_asks_and_second_one_insists(number):
    asked = []
    before = signal.getsignal(number)
    with on_signals(leave_at_once):
        with on_signals(asked.append):
            os.kill(os.getpid(), number)
            assert asked == [signal.Signals(number).name]
            # Not saved: the signal may have come in the middle of a step.
            with pytest.raises(AbandonedError, match=f"Received {asked[0]}"):
                os.kill(os.getpid(), number)
        with pytest.raises(InterruptionError):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before
    assert len(asked) == 1


def test_thread_that_receives_no_signals():
    done = []

    def work():
        with on_signals(leave_at_once):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done

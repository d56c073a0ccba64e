"""How programs end, for the user and for a scheduler."""

import os

import pytest

from se_keras.cli.exit import exit_on_usage_error
from se_keras.errors import (
    AbandonedError,
    InterruptionError,
    RunError,
    StorageError,
    UsageError,
    WorkerLostError,
)


def test_usage_error_ends_the_program_with_one_line():
    with pytest.raises(SystemExit) as end, exit_on_usage_error():
        raise UsageError("Expected this\n    or   that. Received: nothing\n")
    # `sys.exit` prints a text to stderr and exits with code 1.
    assert end.value.code == "error: Expected this or that. Received: nothing"


def test_an_interrupt_ends_in_one_line(capsys):
    with pytest.raises(SystemExit) as end, exit_on_usage_error():
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("kind", [ValueError, KeyError])
def test_other_errors_are_not_hidden(kind):
    with pytest.raises(kind), exit_on_usage_error():
        raise kind("an error in the code")


@pytest.mark.parametrize(
    ("kind", "code", "name"),
    [
        (WorkerLostError, 69, "EX_UNAVAILABLE"),
        (StorageError, 74, "EX_IOERR"),
        (InterruptionError, 75, "EX_TEMPFAIL"),
        (AbandonedError, 75, "EX_TEMPFAIL"),
        (RunError, 1, ""),
    ],
)
def test_stopped_runs_have_their_own_exit_codes(kind, code, name, capsys):
    assert getattr(os, name, code) == code
    with pytest.raises(SystemExit) as end, exit_on_usage_error():
        raise kind("after step 3,\nwhich is saved")
    assert end.value.code == code
    assert capsys.readouterr().err == "stopped: after step 3, which is saved\n"

import pytest

from se_keras.errors import (
    InterruptionError,
    StorageError,
    UsageError,
    WorkerLostError,
    as_usage_errors,
    exit_on_usage_error,
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
        raise kind("a fault of ours")


def test_errors_of_a_kind_become_usage_errors():
    with (
        pytest.raises(UsageError, match=r"^bad name$") as error,
        as_usage_errors(KeyError, ValueError),
    ):
        raise ValueError("bad name")
    assert isinstance(error.value.__cause__, ValueError)
    with pytest.raises(TypeError), as_usage_errors(ValueError):
        raise TypeError


def test_usage_error_stays_itself():
    original = UsageError("x")
    with pytest.raises(UsageError) as error, as_usage_errors(ValueError):
        raise original
    assert error.value is original


@pytest.mark.parametrize(
    ("kind", "code"),
    [(WorkerLostError, 69), (StorageError, 74), (InterruptionError, 75)],
)
def test_stopped_runs_have_their_own_exit_codes(kind, code, capsys):
    with pytest.raises(SystemExit) as end, exit_on_usage_error():
        raise kind("after step 3,\nwhich is saved")
    assert end.value.code == code
    assert capsys.readouterr().err == "stopped: after step 3, which is saved\n"

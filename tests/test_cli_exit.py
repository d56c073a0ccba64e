"""How programs end, for the user and for a scheduler."""

import os
import re

import keras
import pytest

from se_keras.cli.exit import EXIT_CODES, exit_on_usage_error, exits_table
from se_keras.errors import (
    InterruptionError,
    RunError,
    StorageError,
    UsageError,
    WorkerLostError,
    as_usage_errors,
    keras_reason,
    one_line,
)
from tests.helpers import ROOT


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
        (RunError, 1, ""),
    ],
)
def test_stopped_runs_have_their_own_exit_codes(kind, code, name, capsys):
    assert getattr(os, name, code) == code
    with pytest.raises(SystemExit) as end, exit_on_usage_error():
        raise kind("after step 3,\nwhich is saved")
    assert end.value.code == code
    assert capsys.readouterr().err == "stopped: after step 3, which is saved\n"


def test_messages_are_bounded_and_printable():
    text = f"Expected\n a {'long ' * 20_000}\x1b[1m\udc80 message. Received: \x00end"
    line = one_line(text)
    assert len(line) < 1100
    assert line.startswith("Expected a long long")
    assert line.endswith(r"\x1b[1m\udc80 message. Received: \x00end")
    assert line.isprintable()


def test_a_message_starts_on_a_line_of_its_own(capsys):
    def fails(text):
        print(text, end="", flush=True)
        raise RunError("done")

    for text in ("17/20 ====>...", "a whole line\n"):
        with pytest.raises(SystemExit), exit_on_usage_error():
            fails(text)
        assert capsys.readouterr().out == text.rstrip() + "\n"


def test_reason_in_an_error_of_keras():
    @keras.saving.register_keras_serializable("test")
    class Inner(keras.layers.Layer):
        pass

    model = keras.Sequential([keras.Input((4,)), keras.Sequential([Inner()])])
    config = keras.saving.serialize_keras_object(model)
    inner = config["config"]["layers"][1]["config"]["layers"][0]
    inner |= {"class_name": "Gone", "registered_name": "gone", "module": None}
    with pytest.raises((TypeError, ValueError)) as error:
        keras.saving.deserialize_keras_object(config)
    reason = keras_reason(error.value)
    assert "'Gone'" in reason
    assert "config" not in reason
    assert len(reason) < 300 < len(str(error.value))


@pytest.mark.parametrize(
    "error",
    [
        UsageError("Expected a path. Received: [Errno 28] No space left on device"),
        OSError(28, "No space left on device"),
        RuntimeError("Unable to flush (errno = 28, 'No space left on device')"),
    ],
)
def test_a_full_disk_has_its_own_exit_code(error, capsys):
    with pytest.raises(SystemExit) as end, exit_on_usage_error():
        raise error
    assert end.value.code == 74
    assert capsys.readouterr().err.startswith("stopped: ")


def test_error_raised_from_that_of_a_full_disk():
    with (
        pytest.raises(SystemExit) as end,
        exit_on_usage_error(),
        as_usage_errors(OSError),
    ):
        raise OSError(28, "No space left on device")
    assert end.value.code == 74


def test_codes_in_the_documentation():
    page = (ROOT / "docs/guides/scaling.md").read_text()
    assert exits_table() in page
    assert "{{ exits }}" in (ROOT / "docs/reference/cli.md").read_text()
    text = (ROOT / "examples/train_imagenet.py").read_text()
    for code in EXIT_CODES.values():
        assert re.search(rf"\b{code}\b", text)

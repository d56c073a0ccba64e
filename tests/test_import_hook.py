"""Contexts around later imports, and imports without log lines."""

import contextlib
import importlib
import importlib.resources
import importlib.util
import os
import signal
import subprocess
import sys
import types

import pytest

from se_keras.cli.quiet import _filtered
from se_keras.import_hook import around_import


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package that is not imported yet; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    name = "package_of_the_test"

    def write(text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
        (tmp_path / name / "inner.py").write_text("")
        importlib.invalidate_caches()
        return name

    yield write
    for each in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[each]


def recording(events, label):
    @contextlib.contextmanager
    def context():
        events.append(f"before {label}")
        try:
            yield
        finally:
            events.append(f"after {label}")

    return context


def test_first_import_runs_in_all_contexts(package):
    events = []
    name = package("import sys; sys.modules['events_of_the_test'].append('import')")
    sys.modules["events_of_the_test"] = events
    try:
        around_import(name, recording(events, "outer"))
        around_import(name, recording(events, "inner"))
        # Looking for it imports nothing, and does not use up the contexts.
        assert importlib.util.find_spec(name)
        assert events == []
        module = importlib.import_module(f"{name}.inner")
    finally:
        del sys.modules["events_of_the_test"]
    # The last one that was added is entered first.
    assert events == [
        "before inner",
        "before outer",
        "import",
        "after outer",
        "after inner",
    ]
    assert isinstance(module, types.ModuleType)
    importlib.reload(sys.modules[name + ".inner"])
    assert len(events) == 5


def test_the_module_is_as_without_a_context(package):
    """Its loader gives its source and its data, as `importlib.resources` needs."""
    name = package("value = 3\n")
    around_import(name, contextlib.nullcontext)
    module = importlib.import_module(name)
    plain = importlib.util.spec_from_file_location(name, module.__file__)
    assert type(module.__loader__) is type(module.__spec__.loader) is type(plain.loader)
    assert module.__loader__.get_source(name) == "value = 3\n"
    assert (importlib.resources.files(name) / "inner.py").is_file()


def test_an_import_that_fails_can_be_repeated(package):
    events = []
    name = package("1 / 0")
    around_import(name, recording(events, "it"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            importlib.import_module(name)
    assert events == ["before it", "after it"]
    around_import("missing_of_the_test", contextlib.nullcontext)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("missing_of_the_test")


LINES = """WARNING: All log messages before absl::InitializeLog() is called are written
I0000 00:00:1795808346.628805   10480 port.cc:153] oneDNN custom operations are on.
W0000 00:00:1795808346.628805   10480 a.cc:1] a warning
E0000 00:00:1795808346.628805   10480 a.cc:1] an error
2026-11-27 19:31:32.123456: I tensorflow/core/a.cc:1] older
2026-11-27 19:31:32.123456: E tensorflow/core/a.cc:1] older error
To enable the following instructions: AVX2, rebuild
UserWarning: a warning of Python
Immediately important
""".splitlines(keepends=True)
KEPT = [LINES[number] for number in (3, 5, 7, 8)]


@pytest.mark.parametrize("fails", [False, True])
def test_log_lines_are_left_out_unless_the_import_fails(fails, capfd):
    expected = contextlib.nullcontext()
    if fails:
        expected = pytest.raises(ImportError)
    with expected, _filtered():
        os.write(2, "".join(LINES).encode())
        if fails:
            raise ImportError
    os.write(2, b"after\n")
    printed = capfd.readouterr().err
    assert printed == "".join([*(LINES if fails else KEPT), "after\n"])


def test_contexts_within_contexts(capfd):
    with _filtered():
        with _filtered():
            os.write(2, (LINES[1] + LINES[3]).encode())
        os.write(2, LINES[2].encode())
    assert capfd.readouterr().err == LINES[3]


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), signal.SIGILL)"])
def test_a_crash_is_reported(end):
    code = f"""
import os, signal, sys
from se_keras.cli.quiet import _filtered
with _filtered():
    {end}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode < 0
    assert "Fatal Python error: " in done.stderr
    assert "line 5 in <module>" in done.stderr


@pytest.mark.parametrize(("continues", "code"), [(True, 75), (False, -signal.SIGTERM)])
def test_a_signal_while_tensorflow_is_imported(continues, code):
    """Its line is not filtered: the process ends in the handler."""
    script = f"""
import os, signal, time
from se_keras.cli.exit import ending_on_signals
from se_keras.cli.quiet import _filtered
with ending_on_signals({continues}), _filtered(), _filtered():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert line.startswith("stopped: Received SIGTERM" if continues else "terminated")


def test_python_writes_in_the_same_order():
    code = """
import os, sys
from se_keras.cli.quiet import _filtered
with _filtered():
    print("first", file=sys.stderr)
    os.write(2, b"second\\n")
    print("third", end="", file=sys.stderr)
print(" and after", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "first\nsecond\nthird and after\n"


def test_without_stderr():
    """As of a daemon, whose descriptors are closed."""
    code = """
import os, sys
from se_keras.cli.quiet import _filtered
os.close(2)
with _filtered():
    print("imported")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "imported\n"

"""The type checker has no errors on the package and on programs that use it."""

import subprocess
import sys

import pytest

from tests.helpers import ROOT, require

WRONG = ROOT / "tests/typing/wrong.py"


def mypy(*arguments):
    """Runs mypy in a process of its own; returns its exit code and what it printed."""
    require("mypy")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.mark.slow
def test_package_and_its_use():
    code, printed = mypy()
    assert code == 0, printed


@pytest.mark.slow
def test_wrong_uses_are_reported(tmp_path):
    """Without its comments, each line of a wrong use has an error."""
    lines = WRONG.read_text().splitlines()
    expected = {i for i, line in enumerate(lines, 1) if "# type: ignore" in line}
    path = tmp_path / "wrong.py"
    path.write_text("\n".join(line.partition("  # type:")[0] for line in lines))
    code, printed = mypy(str(path), "--config-file", str(ROOT / "pyproject.toml"))
    found = {
        int(line.split(":")[1]) for line in printed.splitlines() if "error:" in line
    }
    assert code == 1
    assert found == expected, printed
    assert len(expected) > 30

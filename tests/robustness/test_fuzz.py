"""Files that are damaged at random, see `fuzz.py`."""

import os
import subprocess
import sys

import pytest

from tests.helpers import ROOT


@pytest.mark.slow
def test_damaged_files_are_read_or_refused_in_one_line():
    # In a process of its own, as an interpreter may crash.
    program = subprocess.run(
        [sys.executable, "-m", "tests.robustness.fuzz", "--count=40"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert program.returncode == 0, program.stdout + program.stderr[-2000:]
    assert "\n0 faults" in program.stdout
    # Each kind was refused at least sometimes: the damage reaches the reader.
    assert program.stdout.count("'refused'") == program.stdout.count(": {")
    print(program.stdout)

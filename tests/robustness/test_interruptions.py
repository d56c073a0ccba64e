"""Signals, kills and damaged checkpoints, see `interruptions.py`.

SE_KERAS_INTERRUPTIONS=50 is the number of signals; the default is fewer.
"""

import os
import subprocess
import sys

import pytest

from tests.helpers import ROOT


@pytest.mark.slow
def test_disturbed_runs_end_as_documented_and_lose_nothing(digits_dir):
    signals = int(os.environ.get("SE_KERAS_INTERRUPTIONS", "12"))
    counts = {"signals": signals, "starts": signals // 5, "kills": signals * 2 // 5}
    program = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.robustness.interruptions",
            f"--data_dir={digits_dir}",
            *(f"--{name}={count}" for name, count in counts.items()),
            f"--damages={8 if signals >= 50 else 4}",
        ],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert program.returncode == 0, program.stdout + program.stderr
    assert "0 faults" in program.stdout
    print(program.stdout)

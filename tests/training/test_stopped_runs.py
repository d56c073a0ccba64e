"""Early stopping, the best epoch, balanced sampling and a limit, in runs that stop."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.slow


def test_stopped_runs_end_as_an_undisturbed_one(digits_dir, tmp_path):
    program = subprocess.run(
        [sys.executable, "-m", "tests.training.stopped_runs", digits_dir, tmp_path],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert program.returncode == 0, program.stderr
    outcomes = json.loads((tmp_path / "outcomes.json").read_text())
    for devices, stops in (("one", 3), ("two", 1)):
        whole, stopped = outcomes[f"{devices} whole"], outcomes[f"{devices} stopped"]
        assert (whole.pop("stops"), stopped.pop("stops")) == (0, stops)
        assert stopped == whole
        report, rows = whole["report"], whole["rows"]
        # All of it had an effect: ended early, and the best epoch is not the last.
        assert report["epoch"] < report["epochs"] == len(rows) < 12
        assert report["epochs"] - report["epoch"] == 2
        assert report["examples"] == 300
        best = max(rows, key=lambda row: float(row["val_accuracy"]))
        assert int(best["epoch"]) == report["epoch"]
        assert float(best["val_accuracy"]) == report["accuracy"]
        assert float(best["val_loss"]) == pytest.approx(report["loss"], rel=1e-6)

"""The scripts start, and the computed table is the one in the results."""

import subprocess
import sys

import pytest

from benchmarks import report
from tests.helpers import ROOT

SCRIPTS = (
    "build_time",
    "costs",
    "fold",
    "inference",
    "input",
    "quantization",
    "scaling_model",
    "tables",
    "train_step",
)


def run(script, *flags):
    command = [sys.executable, f"benchmarks/{script}.py", *flags]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_script_is_listed():
    found = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert found == {*SCRIPTS, "report"}


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_explains_itself(script):
    assert "usage:" in run(script, "--help")


@pytest.mark.slow
def test_costs_writes_what_it_counts(tmp_path):
    path = tmp_path / "networks.csv"
    run("costs", "--networks", "resnet20", "se_resnet20", f"--output={path}")
    (plain, se) = report.read(path)
    expected = {
        row["network"]: row
        for row in report.read(ROOT / "benchmarks/results/networks.csv")
    }
    for row in (plain, se):
        name = row["network"]
        assert row["parameters"] == expected[name]["parameters"]
        assert row["gmacs"] == pytest.approx(expected[name]["gmacs"], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "flags"),
    [("default", ()), ("service, sync_batch_norm", ("--service", "--sync_batch_norm"))],
)
def test_the_scaling_model_is_the_one_in_the_results(name, flags, tmp_path):
    path = tmp_path / "model.csv"
    run("scaling_model", *flags, f"--run={name}", f"--output={path}")
    expected = report.read(ROOT / "benchmarks/results/scaling_model.csv")
    assert report.read(path) == [row for row in expected if row["run"] == name]

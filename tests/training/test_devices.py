"""One network on one device, and on two devices that share each batch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers import ROOT

STEPS = 1437 // 128


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes(digits_dir, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("two_devices")
    run = subprocess.run(
        [sys.executable, "-m", "tests.training.two_devices", digits_dir, workdir],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads((workdir / "outcomes.json").read_text())


def test_losses_and_weights_agree(outcomes):
    one, two = outcomes["one"], outcomes["two"]
    assert outcomes["replicas"] == 2
    assert len(one["losses"]) == len(two["losses"]) == STEPS
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-4)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=0, atol=1e-3)


def test_batch_norm_of_each_device_for_itself_differs(outcomes):
    """The test above would see a difference that is as small as this one."""
    one, apart = outcomes["one"], outcomes["two_apart"]
    error = np.abs(np.divide(apart["losses"], one["losses"]) - 1)
    assert error.max() > 5e-4
    assert np.abs(np.subtract(apart["weights"], one["weights"])).max() > 3e-3


@pytest.mark.parametrize("name", ["one", "two", "two_apart"])
def test_evaluation_counts_every_image_once(name, outcomes):
    report, recomputed = outcomes[name]["report"], outcomes[name]["recomputed"]
    assert report["examples"] == recomputed["examples"] == 360
    assert report["accuracy"] == pytest.approx(recomputed["accuracy"], abs=1e-9)
    assert report["loss"] == pytest.approx(recomputed["loss"], rel=1e-5)


def test_batch_that_cannot_be_shared_out(outcomes):
    assert outcomes["odd_batch"] == {
        "message": "Expected a batch_size that is a multiple of the 2 replicas. "
        "Received: batch_size=33",
        "workdir": False,
    }

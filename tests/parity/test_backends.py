"""The tests of the layers, on the backends of Keras that are not the default."""

import os
import re
import subprocess
import sys

import pytest

from tests.helpers import ROOT, require

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_layers_on_backend(backend):
    require(backend)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", ROOT / "tests" / "layers"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(rf"^keras: .* on {backend}$", run.stdout, re.MULTILINE)
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 0

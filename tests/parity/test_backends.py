"""Layers and networks on the backends of Keras that are not the default."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers import ROOT, relative_error, require
from tests.models.test_every_network import LARGE, NETWORKS

EACH = [
    name
    for name in NETWORKS
    if name not in LARGE or os.environ.get("SE_KERAS_LARGE") == "1"
]

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


def outputs(backend, folder):
    """Returns what each network answers on a backend, by name."""
    file = folder / f"{backend}.npz"
    subprocess.run(
        [sys.executable, "-m", "tests.parity.backend_outputs", file, *EACH],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        check=True,
    )
    return np.load(file)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return outputs("tensorflow", tmp_path_factory.mktemp("outputs"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_networks_on_backend(backend, expected, tmp_path):
    require(backend)
    found = outputs(backend, tmp_path)
    for name in EACH:
        one, other = expected[name]
        # Else the weights would hide the images, and with them an error.
        assert relative_error(one, other) > 0.02, name
        assert relative_error(found[name], expected[name]) < 1e-4, name

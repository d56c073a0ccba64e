"""`import se_keras` brings in nothing that `import keras` does not."""

import os
import subprocess
import sys

import pytest

from tests.helpers import require

SCRIPT = """
import keras, sys
before = {name.partition(".")[0] for name in sys.modules}
import se_keras
se_keras.create_model, se_keras.layers.SqueezeExcite, se_keras.weights.load
after = {name.partition(".")[0] for name in sys.modules}
print(*(after - before - sys.stdlib_module_names))
assert not {"se_keras.data", "se_keras.export", "se_keras.training"} & {*sys.modules}
"""


@pytest.mark.parametrize(
    "backend",
    [
        "tensorflow",
        pytest.param("jax", marks=pytest.mark.parity),
        pytest.param("torch", marks=pytest.mark.parity),
    ],
)
def test_import_is_light(backend):
    require(backend)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["se_keras"]

"""The package under the JAX and PyTorch backends of Keras, each in a process."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers import ROOT, require

pytestmark = pytest.mark.parity

FIX = "set the environment variable KERAS_BACKEND=tensorflow"


def run(backend, *command):
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module", params=["jax", "torch"])
def backend(request):
    require(request.param)
    return request.param


@pytest.fixture(scope="module")
def found(backend, tmp_path_factory):
    """What a process of the backend found."""
    require("openvino")
    require("onnxruntime")
    directory = tmp_path_factory.mktemp(backend)
    child = run(backend, "tests.parity.other_backend", directory)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout.splitlines()[-1])
    assert found["backend"] == backend
    return found


def test_what_needs_tensorflow_reports_it_in_one_line(found):
    for statement, error in found["errors"].items():
        assert error is not None, statement
        kinds, message = error
        assert {"UsageError", "ImportError"} <= set(kinds), (statement, message)
        assert FIX in message, statement
        assert f"Received: the backend {found['backend']!r}" in message
        assert "\n" not in message


def test_the_package_does_not_import_tensorflow(found):
    assert not found["tensorflow"]


def test_onnx_and_openvino_give_the_same_answers(found):
    """The second of a network with a layer of the user's own."""
    assert len(found["reports"]) == 2
    for report in found["reports"]:
        assert report["images"] == 3
        assert report["largest_difference"] < 1e-5
        assert report["top1_agreement"] == 1
        assert report["error"] < 1e-5


def test_a_layer_that_a_child_process_cannot_import(found):
    kinds, message = found["unknown"]
    assert "UsageError" in kinds
    assert "Could not locate class 'Unknown'" in message
    assert "\n" not in message


def test_a_keras_file_is_a_classifier(found):
    assert found["saved"] == [3, 5]
    assert found["files"] == ["doubled", "model.keras", "model.onnx"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["data"],
        ["export", "--model=se_resnet20", "--format=tflite"],
        ["export", "--model=se_resnet20", "--format=onnx", "--images=digits"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_command(arguments, backend, tmp_path):
    output = f"--output={tmp_path / 'new'}{'.png' * (arguments == ['data'])}"
    child = run(backend, "se_keras", *arguments, output)
    assert child.returncode == 1
    errors = [line for line in child.stderr.splitlines() if line]
    assert errors[-1].startswith("error: Expected the TensorFlow backend of Keras")
    assert FIX in errors[-1]
    assert "Traceback" not in child.stderr
    assert not list(tmp_path.iterdir())

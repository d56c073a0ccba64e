"""`import se_keras` is light, and works where Unix and docstrings are missing."""

import os
import subprocess
import sys

import pytest

import se_keras
from tests.helpers import require


def python(script, *arguments, flags=(), **variables):
    """Runs a script in a process of its own; returns what it printed."""
    run = subprocess.run(
        [sys.executable, *flags, "-c", script, *map(str, arguments)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


LIGHT = """
import keras, sys
before = {name.partition(".")[0] for name in sys.modules}
import se_keras
se_keras.create_model, se_keras.layers.SqueezeExcite, se_keras.weights.load
after = {name.partition(".")[0] for name in sys.modules}
print(*(after - before - sys.stdlib_module_names))
if {"se_keras.data", "se_keras.export", "se_keras.training"} & {*sys.modules}:
    raise SystemExit("a package that needs TensorFlow is imported")
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
    assert python(LIGHT, KERAS_BACKEND=backend).split() == ["se_keras"]


# A small model is created, saved and loaded.
SAVE_AND_LOAD = """
import keras, numpy as np, pathlib, sys
import se_keras
model = se_keras.create_model("se_resnet20", classes=3, input_shape=(16, 16, 3))
path = pathlib.Path(sys.argv[1]) / "model.keras"
model.save(path)
loaded = keras.models.load_model(path)
image = np.ones((1, 16, 16, 3), "float32")
np.testing.assert_array_equal(loaded(image), model(image))
print("saved and loaded:", loaded.name, loaded.preprocessing == model.preprocessing)
"""
SAVED_AND_LOADED = "saved and loaded: se_resnet20 True\n"

# Of the names of the package, only `se_keras` is used.
LOAD = """
import importlib, sys
import se_keras
if "keras" in sys.modules:
    raise SystemExit("`import se_keras` imports Keras")
for name in sys.argv[2:]:
    importlib.import_module(name)
import keras
path = sys.argv[1] + "/model.keras"
print(type(keras.models.load_model(path)).__name__)
found = [name for name in sys.modules if name.startswith("se_keras.models.")]
print("se_keras.models.create" in found)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The directory of a network with SE, and a gate that starts at 1."""
    folder = tmp_path_factory.mktemp("saved")
    model = se_keras.create_model("resnet20", classes=3, input_shape=(16, 16, 3))
    se_keras.add_squeeze_excite(model).save(folder / "model.keras")
    return folder


def test_keras_imported_later_loads_models(file):
    assert python(LOAD, file) == "ImageModel\nFalse\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "tensorflow",
        "se_keras.layers",
        "se_keras.layers.gate",
        "se_keras.graph.fold",
        "se_keras.models.create",
        "se_keras.models.image_model",
        "se_keras.weights.hub",
        "se_keras.analysis.cost",
    ],
)
def test_any_module_may_be_the_first_to_import_keras(first, file):
    """None of them meets a half-imported module."""
    assert python(LOAD, file, first).startswith("ImageModel\n")


# Other projects are imported before the names are hidden.
HIDE_UNIX = """
import os, pathlib, signal, sys, tempfile
import keras, tensorflow, tensorflow_datasets
os_names = "O_DIRECTORY fork getuid geteuid getloadavg sched_getaffinity uname".split()
for name in [*os_names, *(name for name in dir(os) if name.startswith("EX_"))]:
    delattr(os, name)
windows = {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"}
for name in dir(signal):
    if name.startswith("SIG") and name.isalpha() and name not in windows:
        delattr(signal, name)
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
"""

IMPORT_EVERYTHING = """
import importlib, pkgutil, warnings
import se_keras
modules = [each.name for each in pkgutil.walk_packages(se_keras.__path__, "se_keras.")]
for name in modules:
    importlib.import_module(name)
print(len(modules) > 80)
with warnings.catch_warnings(record=True) as caught:
    from se_keras.files import locked, write_json
    with locked(sys.argv[1]):
        write_json(pathlib.Path(sys.argv[1], "a.json"), {})
print(caught[0].message)
from se_keras.cli import main
main(["list", "se_resnet50"])
"""


@pytest.mark.slow
def test_without_names_of_unix(tmp_path):
    printed = python(HIDE_UNIX + IMPORT_EVERYTHING + SAVE_AND_LOAD, tmp_path)
    everything, lock, listed, saved = printed.splitlines(keepends=True)
    assert everything == "True\n"
    assert "cannot be locked" in lock
    assert listed == "se_resnet50\n"
    assert saved == SAVED_AND_LOADED


COMMANDS = """
from se_keras.cli import main
main(["list", "se_resnet50"])
main(["info", "se_resnet50"])
main(["summary", "se_resnet20"])
"""


@pytest.mark.slow
def test_without_docstrings_and_assertions(tmp_path):
    """`python -OO` removes both."""
    printed = python(SAVE_AND_LOAD + COMMANDS, tmp_path, flags=["-OO"])
    assert printed.startswith(SAVED_AND_LOADED + "se_resnet50\nname: se_resnet50\n")
    assert "\nreferences:\n  - " in printed
    assert "https://arxiv.org/abs/1709.01507" in printed
    assert "\ntotal " in printed

"""The public names of each package."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib

import pytest

import se_keras
from tests.helpers import ROOT

PACKAGES = (
    "analysis",
    "data",
    "evaluation",
    "export",
    "graph",
    "layers",
    "models",
    "training",
    "weights",
)


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_show_their_public_names(name):
    package = importlib.import_module(f"se_keras.{name}")
    assert sorted(dir(package)) == sorted(package.__all__)
    for public in package.__all__:
        value = getattr(package, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), public


def test_the_package_shows_its_packages():
    assert sorted(dir(se_keras)) == sorted({*se_keras.__all__, *PACKAGES})
    with pytest.raises(AttributeError, match="no attribute 'trainings'"):
        se_keras.trainings  # noqa: B018


def declared(package):
    """The names that type checkers see, by the modules that they are imported from."""
    path = ROOT / package.replace(".", "/") / "__init__.py"
    names = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for each in node.body:
                assert isinstance(each, ast.ImportFrom)
                names |= {alias.name: each.module for alias in each.names}
    return names


@pytest.mark.parametrize(
    "package",
    ["se_keras", "se_keras.data", "se_keras.export", "se_keras.training"],
)
def test_type_checkers_see_the_names_that_are_imported_late(package):
    module = importlib.import_module(package)
    names = declared(package)
    assert {*names} == {*dir(module)} - {"__version__"}, package
    for name, source in names.items():
        found = getattr(importlib.import_module(source), name)
        assert getattr(module, name) is found
        # Importing a module of this name would replace the object.
        path = ROOT / package.replace(".", "/") / name
        assert inspect.ismodule(found) or not path.with_suffix(".py").exists()


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project.get("dynamic", ())
    assert re.fullmatch(r"\d+\.\d+\.\d+", se_keras.__version__)
    text = (ROOT / "CHANGELOG.md").read_text() + (ROOT / "CITATION.cff").read_text()
    assert text.count(se_keras.__version__) >= 2


def test_a_star_import_needs_no_extra():
    """Nor does it import data set libraries, plotting or keras-cv."""
    code = """
import sys
for name in ("tensorflow_datasets", "keras_cv", "matplotlib", "sklearn", "yaml"):
    sys.modules[name] = None
from se_keras import *
print(SqueezeExcite(ratio=4).ratio)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "4\n", run.stderr

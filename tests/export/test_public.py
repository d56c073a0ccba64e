"""The functions of the package, compared with the table of formats."""

import inspect
import re
import subprocess
import sys

import pytest

from se_keras import data, export
from se_keras.export import FORMATS
from se_keras.export.writing import Shared

LONG = "saved_model"
SHARED = set(inspect.signature(Shared).parameters)


def arguments(function):
    """Returns the section Args of a docstring, by name."""
    section = inspect.getdoc(function).partition("Args:\n")[2].partition("\n\nRet")[0]
    found = re.split(r"^    (\w+): ", section, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_a_function_has_the_options_of_its_format(name):
    parameters = inspect.signature(getattr(export, name)).parameters
    shared = inspect.signature(Shared).parameters
    expected = {name: shared[name].default for name in SHARED}
    expected |= FORMATS[name].options
    keywords = {p.name: p for p in parameters.values() if p.kind == p.KEYWORD_ONLY}
    assert {name: p.default for name, p in keywords.items()} == expected
    assert set(parameters) == {"model", "path", *expected}


@pytest.mark.parametrize("name", [*FORMATS, "export_files"])
def test_every_argument_is_documented_and_typed(name):
    function = getattr(export, name)
    parameters = inspect.signature(function).parameters
    assert list(arguments(function)) == list(parameters)
    assert all(p.annotation is not p.empty for p in parameters.values())


def test_shared_arguments_are_documented_alike():
    """`saved_model` has the long form."""
    texts = [arguments(getattr(export, name)) for name in FORMATS if name != LONG]
    for shared in SHARED - {"images"}:  # of which TFLite has another default
        assert len({text[shared] for text in texts}) == 1, shared


def test_names_of_files():
    names = {name: form.file_name() for name, form in FORMATS.items()}
    assert names["saved_model"] == "saved_model"
    assert names["tflite"] == "model.tflite"
    assert FORMATS["tflite"].file_name("a_int8") == "a_int8.tflite"
    assert FORMATS["openvino"].file_name("a") == "a_openvino"
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("package", [export, data])
def test_the_package_lists_its_public_names_only(package):
    assert dir(package) == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_without_docstrings_and_assertions():
    program = "from se_keras import data, export; print(len(export.FORMATS))"
    run = subprocess.run(
        [sys.executable, "-OO", "-c", program], capture_output=True, text=True
    )
    assert run.stdout == f"{len(FORMATS)}\n", run.stderr

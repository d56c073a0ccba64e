"""The stub of the constructors is up to date, and `help()` reads well."""

import ast
import inspect

import pytest

from se_keras import models
from se_keras.models import constructors, create_model, registry, stubs
from tests.helpers import ROOT


def test_stub_is_up_to_date(capsys):
    assert stubs.main(["--check"]) == 0, capsys.readouterr().err


def test_check_reports_another_stub(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stubs, "PACKAGE", tmp_path)
    assert stubs.main(["--check"]) == 1
    for name, old, new in [
        ("__init__.pyi", "SEResNet50:", "ResNet:"),
        ("index.py", '"se_resnet50",', ""),
    ]:
        assert stubs.main([]) == 0
        assert stubs.main(["--check"]) == 0
        path = tmp_path / name
        path.write_text(path.read_text().replace(old, new))
        assert stubs.main(["--check"]) == 1
    assert "Run `python -m se_keras.models.stubs`" in capsys.readouterr().err
    assert stubs.main(["--chekc"]) == 2


def test_stub_declares_the_public_names():
    names = set()
    for node in ast.parse(stubs.STUB.read_text()).body:
        if isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.asname}
    assert names == set(models.__all__)


def test_networks_of_the_user_are_not_in_the_stub():
    models.register("my_stub_net", models.ResNetSpec(depths=(1,), widths=(8,)))
    try:
        assert "MyStubNet" in dir(models)
        assert stubs.main(["--check"]) == 0
    finally:
        registry.unregister("my_stub_net")


def test_the_stub_and_the_mark_of_types_are_packaged():
    package = ROOT / "se_keras"
    assert (package / "py.typed").is_file()
    text = (ROOT / "pyproject.toml").read_text()
    assert 'se_keras = ["py.typed", "**/*.pyi"]' in text


@pytest.mark.parametrize("name", constructors.constructor_names())
def test_docstring(name):
    constructor = getattr(models, name)
    network = next(n for n in registry.networks() if n.constructor == name)
    text = inspect.getdoc(constructor)
    assert max(map(len, text.splitlines())) <= constructors.WIDTH or "https://" in text
    height, width = network.preprocessing.size
    assert text.startswith(f"Creates `{network.name}`, ")
    assert " parameters with 1000 classes" in text
    assert f"images of {height} x {width} pixels (height x width)" in " ".join(
        text.split()
    )
    assert "https://arxiv.org/abs/" in text
    expected = list(inspect.signature(create_model).parameters)[1:]
    assert list(inspect.signature(constructor).parameters) == expected
    assert all(f"`{argument}`" in text for argument in expected)

"""The keywords of `make_recipe` and `Recipe.replace`, which `help()` shows."""

import dataclasses
import inspect
import pydoc

import pytest

from se_keras.training import Recipe, fields_of, make_recipe, stubs


def test_file_is_up_to_date(capsys):
    assert stubs.main(["--check"]) == 0, capsys.readouterr().err


def test_check_reports_another_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stubs, "PATH", tmp_path / "keywords.py")
    assert stubs.main(["--check"]) == 1
    assert stubs.main([]) == 0
    assert stubs.main(["--check"]) == 0
    stubs.PATH.write_text(stubs.PATH.read_text().replace("epochs: int", "epochs: str"))
    assert stubs.main(["--check"]) == 1
    assert f"Run `{stubs.COMMAND}`" in capsys.readouterr().err
    assert stubs.main(["--chekc"]) == 2


@pytest.mark.parametrize("function", [make_recipe, Recipe.replace])
def test_help_lists_the_fields(function):
    names = {name for name in fields_of(Recipe) if name.isidentifier()}
    parameters = inspect.signature(function).parameters.values()
    keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert keywords == names | {field.name for field in dataclasses.fields(Recipe)}
    text = pydoc.plain(pydoc.render_doc(function))
    assert "learning_rate: float" in text
    assert "workdir: str | None" in text
    assert "**" not in text.partition("\n    Returns")[0]


def test_keywords_of_all_kinds():
    """All ways to give a field of a field give the same recipe."""
    recipe = make_recipe("paper", augmentation={"padding": 2}, runtime={"workdir": "a"})
    assert recipe == make_recipe("paper", **{"augmentation.padding": 2}, workdir="a")
    assert recipe == make_recipe("paper").replace(
        augmentation={"padding": 2}, workdir="a"
    )

"""Writes the keywords of `make_recipe` and `Recipe.replace`.

Both take the fields of a recipe by the names that their flags have. The file declares
them for type checkers, editors and `help()`.

    python -m se_keras.training.stubs           # writes the file
    python -m se_keras.training.stubs --check   # fails if it is not up to date
"""

import dataclasses
import pathlib
import sys
import types
import typing

from se_keras.training.recipe import Recipe
from se_keras.training.settings import fields_of

PATH = pathlib.Path(__file__).parent / "keywords.py"
COMMAND = "python -m se_keras.training.stubs"

TEXT = '''\
"""The keywords of `make_recipe` and `Recipe.replace`, for type checkers and `help()`.

A field within `augmentation` is also a keyword by its name with a dot:
`**{{"augmentation.padding": 2}}`.
"""

# Written by `{command}`.

from collections.abc import Mapping
from typing import TypedDict

{imports}


class Settings(TypedDict, total=False):
    """Fields of a recipe, and those of its `runtime`."""

{settings}


class Overrides(TypedDict, total=False):
    """Fields of a recipe, of which `None` keeps the value of the recipe."""

{overrides}
'''


def keywords() -> str:
    """Returns the text of the file."""
    types_ = {
        name: _text(field.type)
        for name, field in fields_of(Recipe).items()
        if name.isidentifier()
    }
    outer = {
        name: kind
        for name, kind in typing.get_type_hints(Recipe).items()
        if dataclasses.is_dataclass(kind)
    }
    for name, kind in outer.items():
        types_[name] = f"{_text(kind)} | Mapping[str, object]"
    imports = sorted(
        f"from {kind.__module__} import {_text(kind)}" for kind in outer.values()
    )
    optional = {
        name: text if "None" in text.split(" | ") else f"{text} | None"
        for name, text in types_.items()
    }
    return TEXT.format(
        command=COMMAND,
        imports="\n".join(imports),
        settings=_lines(types_),
        overrides=_lines(optional),
    )


def _lines(types_: dict[str, str]) -> str:
    return "\n".join(f"    {name}: {text}" for name, text in types_.items())


def _text(kind: typing.Any) -> str:
    """Returns a type as it is written in Python."""
    if kind is ...:
        return "..."
    if kind is type(None):
        return "None"
    arguments = [_text(each) for each in typing.get_args(kind)]
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return " | ".join(arguments)
    name = (typing.get_origin(kind) or kind).__name__
    return f"{name}[{', '.join(arguments)}]" if arguments else name


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if arguments == ["--check"]:
        if PATH.is_file() and PATH.read_text() == keywords():
            return 0
        print(f"{PATH} is not up to date. Run `{COMMAND}`.", file=sys.stderr)
        return 1
    if arguments:
        print(f"Usage: {COMMAND} [--check]", file=sys.stderr)
        return 2
    PATH.write_text(keywords())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Writes the stub `se_keras/models/__init__.pyi`, and the index of the networks.

The constructors of the networks are created when they are used, so that editors and
type checkers don't find them in the module. The stub declares them, each with the
docstring that `help()` shows. The index has the names of the networks for the command
line, which lists them without importing Keras.

    python -m se_keras.models.stubs           # writes both
    python -m se_keras.models.stubs --check   # fails if one is not up to date
"""

import ast
import inspect
import pathlib
import sys
import textwrap

from se_keras import models
from se_keras.models import constructors, create
from se_keras.models.families import public_types
from se_keras.models.registry import networks

PACKAGE = pathlib.Path(__file__).parent
STUB = PACKAGE / "__init__.pyi"
COMMAND = "python -m se_keras.models.stubs"

HEADER = f'''\
"""Networks: by name or spec with `create_model`, or by constructor as in Keras."""

# Written by `{COMMAND}`.
'''
PROTOCOL = '''\
class _Constructor(Protocol):
    """Creates a network. The arguments are those of `create_model` after the first."""

    __name__: str

    def __call__(
        self,
{parameters}
    ) -> ImageModel: ...
'''


def stub() -> str:
    """Returns the text of the stub."""
    found = sorted(
        (network for network in networks() if network.built_in),
        key=lambda network: network.constructor,
    )
    return "\n".join(
        [
            HEADER,
            *_imports(),
            "",
            PROTOCOL.format(parameters=textwrap.indent(_parameters(), " " * 8)),
            *map(_declaration, found),
        ]
    )


def _imports() -> list[str]:
    """Returns the lines that import what the annotations name, and the public names."""
    places = (place.partition(":") for place in vars(models)["_PUBLIC"].values())
    public = [(module, name) for module, _, name in places]
    public += [(kind.__module__, name) for name, kind in public_types().items()]
    return [
        "import pathlib",
        "from collections.abc import Callable, Mapping",
        "from typing import Protocol",
        "",
        "import keras",
        "",
        # `import name as name` makes a name of a stub public.
        *(f"from {module} import {name} as {name}" for module, name in sorted(public)),
    ]


def _parameters() -> str:
    """Returns the parameters of a constructor as they are written in the source."""
    tree = ast.parse(inspect.getsource(create.create_model))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    annotations = {
        argument.arg: argument.annotation and ast.unparse(argument.annotation)
        for argument in function.args.args
    }
    return "\n".join(
        f"{parameter.name}: {annotations[parameter.name]} = {_literal(parameter)},"
        for parameter in constructors.parameters()
    )


def _literal(parameter: inspect.Parameter) -> str:
    value = parameter.default
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _declaration(network) -> str:
    text = "\n\n".join(
        [constructors.description(network), constructors.references(network)]
    )
    return f'{network.constructor}: _Constructor\n"""{text}\n"""\n'


def index() -> str:
    """Returns the text of the index."""
    built_in = (network.name for network in networks() if network.built_in)
    names = "\n".join(f'    "{name}",' for name in built_in)
    return f'''\
"""The names of the networks of this package, in the order of `list_models`."""

# Written by `{COMMAND}`.

NAMES = (
{names}
)
'''


# What is written: a function that returns the text, by name of the file.
FILES = {"__init__.pyi": stub, "index.py": index}


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if arguments == ["--check"]:
        for name, text in FILES.items():
            path = PACKAGE / name
            if not path.is_file() or path.read_text() != text():
                print(f"{path} is not up to date. Run `{COMMAND}`.", file=sys.stderr)
                return 1
        return 0
    if arguments:
        print(f"Usage: {COMMAND} [--check]", file=sys.stderr)
        return 2
    for name, text in FILES.items():
        (PACKAGE / name).write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Fields of a nested dataclass by name: from text, from and to YAML.

A field within a field has a dotted name, `augmentation.padding`, unless the outer field
is declared with `metadata=FLAT`: the fields of `Recipe.runtime` have short names.
"""

import ast
import contextlib
import dataclasses
import difflib
import inspect
import pathlib
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ParamSpec, TypeVar

import yaml

from se_keras.errors import UsageError, one_line
from se_keras.files import replacing
from se_keras.training.checks import as_text
from se_keras.training.subjects import Subject

# Of a YAML file of settings: its size, and its values with those that aliases repeat.
MAX_BYTES, MAX_VALUES = 100_000, 1000
BOOLEANS = {"true": True, "false": False}
FLAT = {"flat": True}
P = ParamSpec("P")
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a nested dataclass.

    Attributes:
        name: Its name for users: `"epochs"`, `"augmentation.padding"`, `"workdir"`.
        path: Its place in the dataclass: `"epochs"`, `"augmentation.padding"`,
            `"runtime.workdir"`.
        type: Its type.
        help: Its description in the docstring of its dataclass.
        subject: What it is about, as its type declares; that of the outer field where
            the type of an inner one does not.
    """

    name: str
    path: str
    type: object
    help: str
    subject: Subject = Subject.OTHER


def fields_of(settings: Any) -> dict[str, Field]:
    """Returns all fields of a dataclass and of the dataclasses within it.

    Args:
        settings: The dataclass, or an instance of it.

    Returns:
        The fields by their names for users.

    Example:

    ```python
    list(training.fields_of(training.Recipe))  # all flags of a training run
    ```
    """
    kind = settings if isinstance(settings, type) else type(settings)
    types_ = typing.get_type_hints(kind)
    annotated = typing.get_type_hints(kind, include_extras=True)
    texts = _attributes(kind)
    found = {}
    for field in dataclasses.fields(kind):
        name, subject = field.name, _subject(annotated[field.name])
        if not dataclasses.is_dataclass(types_[name]):
            help_ = texts.get(name, "")
            found[name] = Field(name, name, types_[name], help_, subject)
            continue
        for inner in fields_of(types_[name]).values():
            own = inner.subject is not Subject.OTHER
            inner = dataclasses.replace(
                inner,
                name=inner.name if field.metadata == FLAT else f"{name}.{inner.name}",
                path=f"{name}.{inner.path}",
                subject=inner.subject if own else subject,
            )
            found[inner.name] = inner
    return found


def _subject(annotated) -> Subject:
    declared = getattr(annotated, "__metadata__", ())
    return next((d for d in declared if isinstance(d, Subject)), Subject.OTHER)


def replace_settings(instance, settings: Mapping[str, object]):
    """Returns a dataclass with some fields replaced.

    Args:
        instance: The dataclass.
        settings: Values by name or by path, of the field's type or as text. The fields
            of a field that is a dataclass may also be given as a mapping, or as an
            instance.

    Raises:
        UsageError: If there is no such field, with the nearest name; if a field is
            given twice; or if a value is not of the type of its field.
    """
    fields = fields_of(instance)
    names = {field.path: name for name, field in fields.items()}
    changes: dict[str, object] = {}
    given: dict[str, str] = {}
    for key, value in flattened(settings).items():
        name = names.get(key, key)
        if name not in fields:
            raise UsageError(_unknown(name, fields))
        if name in given:
            raise UsageError(
                f"Expected one value for {name}. Received: {given[name]} and {key}"
            )
        given[name] = key
        _put(changes, fields[name].path, _convert(value, fields[name]))
    return _replaced(instance, changes)


def flattened(settings, prefix: str = "") -> dict[str, object]:
    """Returns values by path from a dataclass or nested dictionaries."""
    if dataclasses.is_dataclass(settings):
        fields = dataclasses.fields(settings)
        settings = {field.name: getattr(settings, field.name) for field in fields}
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if dataclasses.is_dataclass(value) or isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


class _Unchanged:
    """The default of a keyword that keeps the value of a field."""

    def __repr__(self):
        return "..."


def with_keywords(
    keywords: type,
) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Returns a decorator that lets `help()` list the keywords of a function.

    Args:
        keywords: The `TypedDict` of the last parameter of the function,
            `**name: Unpack[keywords]`.
    """

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        signature = inspect.signature(function)
        *parameters, _ = signature.parameters.values()
        parameters += [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=_Unchanged(),
                annotation=kind,
            )
            for name, kind in keywords.__annotations__.items()
        ]
        replaced = signature.replace(parameters=parameters)
        function.__signature__ = replaced  # type: ignore[attr-defined]
        return function

    return decorate


def read_config(path: str | pathlib.Path) -> dict[str, object]:
    """Reads a YAML file of settings for `make_recipe`.

    Args:
        path: The file: a mapping of some fields or all of them. Fields within
            fields are nested or have dotted names; those of `runtime` may also have
            their short names.

    Returns:
        Values by name, with a dot for each level.

    Raises:
        UsageError: If the file cannot be read, is not such a mapping, or has a key
            twice.
    """
    try:
        with pathlib.Path(path).expanduser().open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        content = yaml.load(text.decode(), _LoaderOfUniqueKeys)  # a safe one
        _check_size(content)
    # PyYAML raises a ValueError for a long integer, and recurses.
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(
            f"Expected a YAML file with fields of a recipe. Received: {str(path)!r} "
            f"({one_line(error, 300)})"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(k, str) for k in content):
        raise UsageError(
            "Expected a YAML file with lines of the form 'field: value'. "
            f"Received: {str(path)!r}"
        )
    return flattened(content)


def _check_size(content):
    """Raises a `ValueError` on more values than a recipe can have.

    An alias repeats what it stands for, also another alias, and may contain itself.
    """
    left, count = [content], 0
    while left:
        value = left.pop()
        count += 1
        if count > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values, with those of aliases")
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list | tuple | set):
            left += value


class _LoaderOfUniqueKeys(yaml.SafeLoader):
    """Raises on a duplicate key, as YAML requires and PyYAML does not."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # The base class raises an error.
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"found {key!r} twice", node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node):
        super().flatten_mapping(node)  # replaces merge keys, `<<`
        if len(node.value) > MAX_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"found more than {MAX_VALUES} keys", node.start_mark
            )


def write_config(path: str | pathlib.Path, settings: Any) -> None:
    """Writes all fields of a recipe to a YAML file that `read_config` reads.

    Args:
        path: The file; a file that exists is replaced.
        settings: A `Recipe`, or another dataclass.
    """
    with replacing(path) as temporary:
        temporary.write_text(
            yaml.safe_dump(_plain(settings), sort_keys=False, allow_unicode=True),
            encoding="utf-8",
        )


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {
            f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    return list(value) if isinstance(value, tuple) else value


def _attributes(kind) -> dict[str, str]:
    """Returns the descriptions in the section Attributes of a docstring by name."""
    section = _docstring(kind).partition("Attributes:\n")[2].split("\n\n")[0]
    entries = re.split(r"^ {4}(\w+): ", section, flags=re.MULTILINE)[1:]
    return {
        name: " ".join(text.split())
        for name, text in zip(entries[::2], entries[1::2], strict=True)
    }


def _docstring(kind) -> str:
    """Returns the docstring of a class, from its source where Python removed it.

    `python -OO` does; a dataclass without a docstring gets its signature instead.
    """
    if sys.flags.optimize < 2:
        return inspect.getdoc(kind) or ""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except OSError:  # there is no source
        return ""
    return ast.get_docstring(definition) or ""  # type: ignore[arg-type]


def _put(changes, name, value):
    *parents, last = name.split(".")
    for parent in parents:
        changes = changes.setdefault(parent, {})
    changes[last] = value


def _replaced(instance, changes):
    return dataclasses.replace(
        instance,
        **{
            name: _replaced(getattr(instance, name), value)
            if isinstance(value, dict)
            else value
            for name, value in changes.items()
        },
    )


def _unknown(name, fields):
    # The name of an inner field without that of the outer one.
    nearest = [field for field in fields if field.endswith(f".{name}")]
    nearest = nearest or difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
    hints = (f"Did you mean {n} ({_type_name(fields[n].type)})? " for n in nearest)
    return (
        f"Expected field to be one of the recipe's. {''.join(hints)}"
        f"Received: {as_text(name, repr)}"
    )


def _convert(value, field: Field):
    """Returns a value of the field's type, from such a value or from text."""
    with contextlib.suppress(ValueError):
        return _as_type(value, field.type)
    raise UsageError(
        f"Expected {_type_name(field.type)} for {field.name}. "
        f"Received: {field.name}={as_text(value, repr)}"
    )


def _as_type(value, kind):
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return None
        return _as_first_type(value, [a for a in arguments if a is not type(None)])
    if origin is tuple:
        return _as_tuple(value, arguments)
    if kind is bool and isinstance(value, str):
        value = BOOLEANS.get(value.lower())
    elif kind in (int, float) and isinstance(value, str):
        value = kind(value)
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
        # Stays an integer: 10 degrees are written as 10.
        return value
    if type(value) is not kind:
        raise ValueError
    return value


def _as_first_type(value, kinds):
    *others, last = kinds
    for kind in others:
        with contextlib.suppress(ValueError):
            return _as_type(value, kind)
    return _as_type(value, last)


def _as_tuple(value, arguments):
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if value.strip() else []
    if not isinstance(value, list | tuple):
        raise ValueError
    if arguments[-1] is ...:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise ValueError
    return tuple(map(_as_type, value, arguments))


def _type_name(kind) -> str:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        names = (_type_name(a) for a in arguments if a is not type(None))
        return f"{' or '.join(names)}, or none"
    if typing.get_origin(kind) is tuple:
        if arguments[-1] is ...:
            return f"a list of {NAMES[arguments[0]][1]}"
        return f"{len(arguments)} {NAMES[arguments[0]][1]}"
    return NAMES[kind][0]


def placeholder(kind) -> str:
    """Returns what stands for a value of a type in the usage of a flag."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return "|".join(placeholder(a) for a in arguments if a is not type(None))
    if typing.get_origin(kind) is tuple:
        several = arguments[-1] is ...
        names = [NAMES[each][2] for each in arguments if each is not ...]
        return ",".join([*names, "..."] if several else names)
    return NAMES[kind][2]


# Singular, plural, and what stands for a value.
NAMES = {
    str: ("a string", "strings", "TEXT"),
    int: ("an integer", "integers", "N"),
    float: ("a number", "numbers", "X"),
    bool: ("true or false", "booleans", "true|false"),
}

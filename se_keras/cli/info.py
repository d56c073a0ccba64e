"""`se-keras info`: what is known of a network, or of published weights."""

import dataclasses
import functools
import inspect

from se_keras.cli.command import Command
from se_keras.errors import as_usage_errors


def run(source):
    """Prints what is known of a network or of published weights."""
    from se_keras import list_models, weights
    from se_keras.models.registry import lookup

    with as_usage_errors(ValueError):
        if source in list_models() or not ("/" in source or "." in source):
            print("\n".join(_network_lines(lookup(source))))
        else:
            print("\n".join(_record_lines(weights.info(source))))


def _network_lines(entry) -> list[str]:
    lines = [f"name: {entry.name}", f"constructor: se_keras.models.{entry.constructor}"]
    lines += _record_lines({"spec": entry.spec, "preprocessing": entry.preprocessing})
    lines.append(f"squeeze_excite: {_call(entry.squeeze_excite)}")
    lines += _record_lines({"weights": _published(entry)})
    return lines + _references(inspect.getmodule(entry.features))


def _published(entry) -> tuple[str, ...]:
    """Returns what `weights=` takes for a network, beside files."""
    from se_keras.weights import PUBLISHED

    hub = (info.source for info in PUBLISHED.values() if entry.name in info.networks)
    return (*entry.pretrained, *hub)


def _record_lines(record, indent="") -> list[str]:
    """Returns the fields of a dataclass or dictionary, one a line; nested indented."""
    lines = []
    for name, value in _fields(record).items():
        if _is_record(value):
            lines += [f"{indent}{name}:", *_record_lines(value, f"{indent}  ")]
        elif value not in (None, ()):
            lines.append(f"{indent}{name}: {TEXTS.get(name, _text)(value)}")
    return lines


def _is_record(value) -> bool:
    return isinstance(value, dict) or dataclasses.is_dataclass(value)


def _fields(record) -> dict:
    if isinstance(record, dict):
        return record
    return {
        field.name: getattr(record, field.name) for field in dataclasses.fields(record)
    }


def _text(value) -> str:
    if isinstance(value, tuple | list):
        parts = map(_text, value)
        nested = any(isinstance(part, tuple | list) for part in value)
        return ", ".join(f"({part})" if nested else part for part in parts)
    return getattr(value, "__name__", str(value))


def _accuracies(pairs) -> str:
    return ", ".join(f"{percent}% at {size} pixels" for size, percent in pairs)


def _first_names(names) -> str:
    return f"{', '.join(names[:3])}, ... ({len(names)})"


# How fields are written that do not speak for themselves, or speak too long.
TEXTS = {"class_names": _first_names, "top1": _accuracies, "remarks": "; ".join}


def _call(layer) -> str:
    """Returns how a layer is made, as it is written."""
    if layer is None:
        return "none"
    if not isinstance(layer, functools.partial):
        return f"{layer.__name__}()"
    arguments = (f"{name}={value!r}" for name, value in layer.keywords.items())
    return f"{layer.func.__name__}({', '.join(arguments)})"


def _references(module) -> list[str]:
    """Returns the part of a builder's docstring that names its sources."""
    sections = inspect.getdoc(module).split("\n\n")
    found = [section for section in sections if section.startswith("Reference")]
    return "".join(found[:1]).splitlines()


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    return {
        "source": {
            "help": "name of a network, or weights: timm/seresnet50.a1_in1k, or a path",
        }
    }


COMMAND = Command(
    run, "what is known about a network, or about published weights", arguments
)

"""`se-keras info`: what is known about a network, or about published weights."""

import dataclasses
import functools
import inspect

from se_keras.cli.command import Command
from se_keras.errors import as_usage_errors

# Fields of a spec that are printed after it.
APART = ("preprocessing", "attention")


def check(source):
    """Raises a `UsageError` if there is no network of this name."""
    from se_keras.models.names import require_name

    if not _is_weights(source):
        with as_usage_errors(ValueError):
            require_name(source)


def run(source):
    """Prints what is known about a network or about published weights."""
    from se_keras import weights
    from se_keras.models.registry import lookup

    with as_usage_errors(ValueError):
        if _is_weights(source):
            print("\n".join(_field_lines(weights.info(source))))
        else:
            print("\n".join(_network_lines(lookup(source))))


def _is_weights(source):
    from se_keras.models.names import list_names

    return ("/" in source or "." in source) and source not in list_names()


def _network_lines(network) -> list[str]:
    spec = _fields(network.spec)
    apart = {name: spec.pop(name) for name in APART}
    facts = {
        "name": network.name,
        "constructor": f"se_keras.models.{network.constructor}",
        "twin": network.twin,
        "family": network.family.name,
        f"spec {type(network.spec).__name__}": spec,
        "preprocessing": apart["preprocessing"],
        "attention": _attention(apart["attention"]),
        "weights": _published(network),
    }
    references = [f"  - {text}" for text in network.family.references]
    return [*_field_lines(facts), "references:", *references]


def _published(network) -> tuple[str, ...]:
    """Returns what `weights=` takes for a network, in addition to files."""
    from se_keras.weights import PUBLISHED

    hub = (info.source for info in PUBLISHED.values() if network.name in info.networks)
    return (*network.family.pretrained, *hub)


def _field_lines(value, indent="") -> list[str]:
    """Returns the fields of a dataclass or dictionary, one per line.

    Those of a nested one are indented, those of several are in one line each.
    """
    lines = []
    for name, field in _fields(value).items():
        if _has_fields(field):
            lines += [f"{indent}{name}:", *_field_lines(field, f"{indent}  ")]
        elif isinstance(field, tuple) and any(map(_has_fields, field)):
            rows = (", ".join(_field_lines(item)) for item in field)
            lines += [f"{indent}{name}:", *(f"{indent}  - {row}" for row in rows)]
        elif field not in (None, (), ""):
            lines.append(f"{indent}{name}: {TEXTS.get(name, _text)(field)}")
    return lines


def _has_fields(value) -> bool:
    return isinstance(value, dict) or dataclasses.is_dataclass(value)


def _fields(value) -> dict:
    if isinstance(value, dict):
        return value
    return {
        field.name: getattr(value, field.name) for field in dataclasses.fields(value)
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


# How to print fields that need a unit, or that are long.
TEXTS = {"class_names": _first_names, "top1": _accuracies, "remarks": "; ".join}


def _attention(attention) -> str:
    """Returns the `attention` of a spec as it is written in Python."""
    if attention is None or isinstance(attention, str):
        return repr(attention)
    if isinstance(attention, functools.partial):
        return _call(attention.func.__name__, attention.keywords)
    if not hasattr(attention, "get_config"):
        return getattr(attention, "__name__", type(attention).__name__)
    if isinstance(attention, type):
        return _call(attention.__name__, {})
    return _call(type(attention).__name__, _changed_arguments(attention))


def _call(name, arguments) -> str:
    texts = (f"{argument}={value!r}" for argument, value in arguments.items())
    return f"{name}({', '.join(texts)})"


def _changed_arguments(layer) -> dict:
    """Returns the arguments of a layer that differ from their defaults.

    Only those that are text or numbers: the others have no short form.
    """
    config = layer.get_config()
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    return {
        parameter.name: config[parameter.name]
        for parameter in parameters
        if isinstance(config.get(parameter.name), str | int | float)
        and parameter.name != "data_format"  # that of the network
        and config[parameter.name] != parameter.default
    }


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    return {
        "source": {
            "help": "name of a network, or weights: timm/seresnet50.a1_in1k, or a path",
        }
    }


COMMAND = Command(
    run,
    "what is known about a network, or about published weights",
    arguments,
    check=check,
)

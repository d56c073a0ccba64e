"""Copies of layers from their config, and which copy is that of which layer."""

import functools
import types
from typing import NamedTuple

import keras

from se_keras.graph.functional import layers_of

REASON_LENGTH = 200


class Copy(NamedTuple):
    """A layer or operation and its copy.

    Attributes:
        path: Names of the submodels that it is in, the outermost first, and its own.
        source: What was copied.
        copy: What was created from its config.
        is_container: Whether it is a model whose layers have copies of their own.
    """

    path: tuple[str, ...]
    source: keras.Operation
    copy: keras.Operation
    is_container: bool


def name_copiers(
    entries: list[dict],
    operations: list[keras.Operation | None],
    copies: list[Copy],
    copiers: dict[str, type] | None = None,
    path: tuple[str, ...] = (),
) -> dict[str, type]:
    """Makes the config of a graph create copies of given layers, and records them.

    Keras finds a class by its name. Here each entry of the config names a class of its
    own instead, so that it is known which copy is that of which layer, whatever name
    the copy gives itself; and neither the classes of the layers, of which two may have
    the same name, nor the functions that they call have to be registered.

    Args:
        entries: The configs of layers, which are changed.
        operations: For each the layer or operation, or `None` for one without a copy.
        copies: Gets a `Copy` for each, when Keras creates it.
        copiers: Gets the classes.
        path: Names of the submodels that the layers are in.

    Returns:
        Classes by the name that the config has for them now.
    """
    copiers = {} if copiers is None else copiers
    for entry, operation in zip(entries, operations, strict=True):
        if operation is None:
            continue
        place = (*path, operation.name)
        inside = layers_of(operation)
        entries_inside = entry["config"].get("layers")
        # A model with a constructor of its own creates its layers without a config.
        is_container = isinstance(entries_inside, list) and len(entries_inside) == len(
            inside
        )
        if is_container:
            name_copiers(entries_inside, inside, copies, copiers, place)
        key = "copy of " + "/".join(place)
        entry["class_name"] = entry["registered_name"] = key
        record = functools.partial(_record, copies, place, operation, is_container)
        functions = _functions(operation, entry)
        classes = {} if is_container else _classes_inside(operation)
        copiers[key] = _copier(operation, functions, classes, copiers, record)
    return copiers


def _functions(operation, entry) -> dict:
    """Returns the functions of a layer that Keras might not find by name."""
    return {
        key: value
        for key, value in vars(operation).items()
        if key in entry["config"]
        and isinstance(value, types.FunctionType)
        and not value.__module__.startswith("keras.")
    }


def _record(copies, path, operation, is_container, copy) -> None:
    # Some layers append to the name that they are given.
    copy.name = operation.name
    copies.append(Copy(path, operation, copy, is_container))


def _copier(operation, functions, classes, copiers, record) -> type:
    """Returns a class whose `from_config` makes a copy of an operation."""

    class Copier:
        @classmethod
        def from_config(cls, config):
            config = {**config, **functions}
            # A scope replaces the one around it.
            with keras.saving.custom_object_scope({**copiers, **classes}):
                copy = _from_config(operation, config)
            record(copy)
            return copy

    # For the errors of Keras.
    Copier.__name__ = Copier.__qualname__ = type(operation).__name__
    return Copier


def _from_config(operation, config):
    if isinstance(operation, keras.layers.Lambda):
        # Its own `from_config` takes functions for code from a file.
        return keras.layers.Lambda(
            operation.function,
            vars(operation)["_output_shape"],
            arguments=operation.arguments,
            name=config["name"],
            dtype=operation.dtype_policy,
        )
    return type(operation).from_config(config)


def reason(error: Exception) -> str:
    """Returns what went wrong, without the config that Keras puts around it."""
    text = str(error)
    for start in (
        "Exception encountered: ",
        "Error encountered during deserialization: ",
    ):
        text = text.rpartition(start)[2]
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0][:REASON_LENGTH] if lines else type(error).__name__


def _classes_inside(operation) -> dict[str, type]:
    """Returns the classes of layers in a layer that are not Keras's own, by name.

    Raises:
        ValueError: If two of them have one name.
    """
    found: dict[str, type] = {}
    if not isinstance(operation, keras.Layer):
        return found
    for layer in operation._flatten_layers(include_self=False):
        kind = type(layer)
        if kind.__module__.startswith("keras."):
            continue
        name = keras.saving.get_registered_name(kind)
        if found.setdefault(name, kind) is not kind:
            raise ValueError(
                f"Two classes of layers in {operation.name!r} are called {name!r}; "
                "register them with `keras.saving.register_keras_serializable("
                "package=...)`. Received: a layer of class "
                f"{type(operation).__name__}"
            )
    return found

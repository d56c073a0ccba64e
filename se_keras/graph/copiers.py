"""Classes and functions that Keras would not find by name, from who has them."""

import types

import keras


def name_copiers(entries: list[dict], operations: dict) -> dict:
    """Makes the config of a graph copy what it would not find by name.

    Neither the classes of the layers, of which two may have the same name, nor the
    functions that they call have to be registered: they are taken from the layers.

    Returns:
        Classes by the name that the config has for them now.
    """
    copiers = {}
    for entry in entries:
        operation = operations.get(entry["name"])
        if operation is None or isinstance(operation, keras.Model):
            continue
        functions = {
            key: value
            for key, value in vars(operation).items()
            if key in entry["config"]
            and isinstance(value, types.FunctionType)
            and not value.__module__.startswith("keras.")
        }
        if functions or not type(operation).__module__.startswith("keras."):
            key = f"copy of {entry['name']}"
            entry["class_name"] = entry["registered_name"] = key
            copiers[key] = _copier(operation, functions)
    return copiers


def _copier(operation: keras.Operation, functions: dict) -> type:
    """Returns a class whose `from_config` makes a copy of an operation."""

    class Copier:
        @classmethod
        def from_config(cls, config):
            config = {**config, **functions}
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

    return Copier


def custom_objects(model: keras.Model) -> dict:
    """Returns the classes in submodels that are not Keras's own, by name.

    Raises:
        ValueError: If two of them have one name.
    """
    found = {}
    for submodel in model.layers:
        if not isinstance(submodel, keras.Model):
            continue
        inside = [type(layer) for layer in submodel.layers]
        for kind in inside:
            if not kind.__module__.startswith("keras."):
                _add_class(found, keras.saving.get_registered_name(kind), kind, model)
        for name, kind in custom_objects(submodel).items():
            _add_class(found, name, kind, model)
        if not type(submodel).__module__.startswith("keras."):
            kind = type(submodel)
            _add_class(found, keras.saving.get_registered_name(kind), kind, model)
    return found


def _add_class(found: dict, name: str, kind: type, model: keras.Model) -> None:
    if found.setdefault(name, kind) is not kind:
        raise ValueError(
            f"Two classes in submodels are called {name!r}; register them with "
            "`keras.saving.register_keras_serializable(package=...)`. "
            f"Received: a model named {model.name!r}"
        )

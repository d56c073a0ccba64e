"""Which models know their graph."""

import keras


def as_functional(model: keras.Model) -> keras.Model:
    """Returns a functional model as it is, and a Sequential one as functional.

    Raises:
        ValueError: If the model is neither, or not built.
    """
    if isinstance(model, keras.Sequential):
        # A Sequential model has inputs once it is built.
        if not hasattr(model, "inputs"):
            raise ValueError(
                "A Sequential model must be built: begin it with `keras.Input(shape)`. "
                f"Received: a model named {model.name!r}, which is not built"
            )
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not is_functional(model):
        raise ValueError(
            "Argument `model` must be a functional or a Sequential `keras.Model`: only "
            f"these know their graph. Received: {model!r} of type "
            f"{type(model).__name__}"
        )
    return model


def is_functional(operation) -> bool:
    """Whether an operation is a functional model: only these list `operations`."""
    return isinstance(operation, keras.Model) and hasattr(operation, "operations")


def layers_of(operation) -> list[keras.Operation]:
    """Returns what a functional or Sequential model consists of, in its order.

    The order is that of the config, and the same in every copy. Of anything else the
    list is empty.
    """
    if isinstance(operation, keras.Sequential):
        # Its own `layers` leave the input out.
        return super(keras.Sequential, operation).layers
    return list(operation.operations) if is_functional(operation) else []

"""The network that is exported of a model: its inference form in float32."""

import dataclasses
import operator
from collections.abc import Iterable, Sequence

import keras

from se_keras.errors import UsageError, as_usage_errors, keras_reason
from se_keras.export.metadata import Metadata
from se_keras.graph import fold
from se_keras.graph.rewrite import Graph
from se_keras.graph.state import copy_state
from se_keras.models.image_model import check_class_names, declared_preprocessing
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.recognition import declared_structure
from se_keras.models.signature import images_of


@dataclasses.dataclass(frozen=True)
class Exported:
    """What is exported.

    Attributes:
        network: A model of one image, in float32, in its inference form.
        reference: The same before it was folded.
        metadata: What is stored with it.
    """

    network: keras.Model
    reference: keras.Model
    metadata: Metadata


def exported(
    model: keras.Model,
    *,
    include_preprocessing: bool = False,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_size: int | tuple[int, int] | None = None,
    needs_size: bool = False,
) -> Exported:
    """Returns what is exported of a model.

    Args:
        model: A model of one batch of images and one output, in any precision.
        include_preprocessing: Whether the network takes pixels in 0..255.
        class_names: Names in the order of the outputs, if not the model's.
        preprocessing: What the model expects, if not the model's.
        input_size: Height and width of the images in pixels, if not the model's.
        needs_size: Whether height and width have to be known.

    Raises:
        UsageError: If the model or an argument is not of the expected form.
    """
    _check(model)
    network = _of_one_tensor(as_float32(model))
    _check_layout(model)
    with as_usage_errors(ValueError):
        images = images_of(model, preprocessing)
    preprocessing = images.preprocessing
    if input_size is not None:
        network = _with_input_size(network, _height_and_width(input_size))
    height, width, channels = network.inputs[0].shape[1:]
    if needs_size and None in (height, width):
        raise UsageError(
            "Expected a model whose input has a known height and width, or input_size. "
            f"Received: input_shape={network.inputs[0].shape}"
        )
    if preprocessing is not None:
        if preprocessing.channels != channels:
            raise UsageError(
                f"Expected a preprocessing of images with {channels} channels, the "
                f"last axis of the model's input. Received: {preprocessing}"
            )
        preprocessing = preprocessing.with_input(height, width, channels)
    metadata = Metadata(
        class_names=_names(model, class_names),
        preprocessing=preprocessing,
        normalizes=include_preprocessing or images.normalizes,
    )
    folded = inference_form(network)
    if include_preprocessing:
        if preprocessing is None:
            raise UsageError(_missing(images))
        if not images.normalizes:
            network = with_preprocessing(network, preprocessing)
            folded = with_preprocessing(folded, preprocessing)
    return Exported(folded, network, metadata)


def _check(model):
    if not getattr(model, "inputs", None):
        raise UsageError(
            "Expected a functional or a built Sequential model. "
            f"Received: a {type(model).__name__} without inputs"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            "Expected a model of one input and one output. "
            f"Received: {len(model.inputs)} inputs, {len(model.outputs)} outputs"
        )
    (tensor,) = model.inputs
    if "float" not in tensor.dtype or len(tensor.shape) != 4:
        raise UsageError(
            "Expected a model of floating-point images (height, width, channels). "
            f"Received: an input of shape {tensor.shape[1:]} and dtype {tensor.dtype}"
        )


def _check_layout(model):
    """Raises an error for a network of images whose channels are first."""
    preprocessing = declared_preprocessing(model)
    shape = model.inputs[0].shape
    if (
        preprocessing is not None
        and preprocessing.channels == shape[1]
        and preprocessing.channels != shape[-1]
    ):
        raise UsageError(
            "Expected a model of data_format='channels_last'. Received: a model of "
            f"images of shape {shape[1:]}"
        )


def _missing(images):
    """Returns the error for a model that does not state what images it expects."""
    if images.normalizes:
        return (
            "Expected preprocessing=Preprocessing.of_pixels(size, crop=...), which "
            "states how images are resized and cropped for a model that normalizes "
            "them itself. Received: preprocessing=None"
        )
    return (
        "Expected preprocessing=Preprocessing(...) with include_preprocessing=True, "
        "for a model that has none itself; for a new head on a network of "
        "create_model, that of the network: preprocessing=base.preprocessing. "
        "Received: preprocessing=None"
    )


def _of_one_tensor(network):
    """Returns a model whose input and output are not in a dictionary or list."""
    if isinstance(network, keras.Sequential) or not all(
        isinstance(tensors, keras.KerasTensor)
        for tensors in (network.input, network.output)
    ):
        return keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    return network


def _names(model, class_names):
    names = getattr(model, "class_names", None) if class_names is None else class_names
    if names is None:
        return None
    with as_usage_errors(ValueError):
        names = check_class_names(names, model)
    if any("\n" in name for name in names):
        raise UsageError(
            "Expected class_names to be strings of one line each. "
            f"Received: class_names={names!r}"
        )
    return names


def as_float32(model: keras.Model) -> keras.Model:
    """Returns the same network with the same weights, computing in float32.

    A model that computes in float32 is returned as it is. One that was trained in mixed
    precision casts between its layers, which exporters refuse or freeze; its weights
    are float32 anyway.

    Args:
        model: A model that Keras can serialize.

    Raises:
        UsageError: If it has another precision and Keras cannot rebuild it.
    """
    config = keras.saving.serialize_keras_object(model)
    if set(_dtypes(config)) <= {"float32"}:
        return model
    try:
        copy = keras.saving.deserialize_keras_object(_with_float32(config))
        copy_state(model, copy)
    except (TypeError, ValueError) as error:  # a class that is not registered, a lambda
        raise UsageError(
            "Expected a model that computes in float32, or one that Keras can rebuild "
            f"from its config. Received: {model.name!r} ({keras_reason(error)})"
        ) from error
    return copy


def _dtypes(config):
    """Yields the dtypes of the inputs and layers in a serialized object."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            yield config["config"]["name"]
        if config.get("class_name") == "InputLayer":
            yield config["config"]["dtype"]
        config = config.values()
    if isinstance(config, Iterable) and not isinstance(config, str):
        for value in config:
            yield from _dtypes(value)


def _with_float32(config):
    """Replaces the dtypes of the inputs and layers in a serialized object."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        if config.get("class_name") == "InputLayer":
            return {**config, "config": {**config["config"], "dtype": "float32"}}
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_float32(value) for value in config)
    return config


def _height_and_width(input_size) -> tuple[int, int]:
    pair = input_size if isinstance(input_size, Iterable) else (input_size,) * 2
    try:
        height, width = map(operator.index, pair)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise UsageError(
            "Expected input_size to be a positive integer, or two. "
            f"Received: input_size={input_size!r}"
        )
    return height, width


def _with_input_size(network: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Returns the same network for images of another height and width."""
    (tensor,) = network.inputs
    least = _least_size(network)
    if min(size) < least:
        raise UsageError(
            f"Expected an input_size of at least {least} for {network.name!r}. "
            f"Received: input_size={size}"
        )
    graph = Graph(network)
    (name,) = (
        name
        for name, operation in graph.operations.items()
        if isinstance(operation, keras.layers.InputLayer)
    )
    graph.configure(name, batch_shape=(tensor.shape[0], *size, tensor.shape[-1]))
    try:
        return graph.build()
    except ValueError as error:
        raise UsageError(
            f"Expected an input_size that {network.name!r} accepts. "
            f"Received: input_size={size} ({keras_reason(error)})"
        ) from error


def _least_size(network) -> int:
    """Returns the least height and width that a network of this package takes."""
    structure = declared_structure(network)
    return structure.min_size if structure else 1


def inference_form(model: keras.Model) -> keras.Model:
    """Returns the folded form of a model, or the model itself if its graph is hidden.

    Args:
        model: A functional model.
    """
    try:
        return fold(model)
    except ValueError:
        # A subclass whose config does not contain its graph, layers that share a
        # weight, or an inner model that Keras cannot rebuild: exported as it is.
        return model


def with_preprocessing(model: keras.Model, preprocessing: Preprocessing) -> keras.Model:
    """Returns a model of pixels in 0..255, which normalizes them before `model`.

    Args:
        model: A model of normalized images.
        preprocessing: What it expects.
    """
    (shape,) = [tensor.shape for tensor in model.inputs]
    pixels = keras.Input(shape[1:], dtype="float32", name="pixels")
    normalize = keras.layers.Rescaling(
        preprocessing.scale.tolist(),
        preprocessing.offset.tolist(),
        dtype="float32",  # whatever the default precision of Keras is
        name="normalize",
    )
    return keras.Model(pixels, model(normalize(pixels)), name=f"{model.name}_of_pixels")

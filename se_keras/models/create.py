"""From a name to a model."""

import inspect
import numbers

import keras

from se_keras.layers.arguments import positive_integer, standardize_data_format
from se_keras.models.attention import apply_layer, attention_seam
from se_keras.models.blocks import Blocks
from se_keras.models.image_model import ImageModel
from se_keras.models.registry import lookup

OWN_ATTENTION = "default"
POOLINGS = (None, "avg", "max")


def create_model(
    model: str,
    /,
    include_top: bool = True,
    weights: str | None = None,
    input_tensor=None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation="softmax",
    name: str | None = None,
    attention=OWN_ATTENTION,
    data_format: str | None = None,
    dtype=None,
) -> ImageModel:
    """Creates a network by name.

    The arguments are those of `keras.applications`, and three more.

    Args:
        model: A name in `list_models()`: `"se_resnet50"`, or its twin without SE,
            `"resnet50"`.
        include_top: Whether to end with global average pooling and a classifier.
        weights: `None` for random weights, or the path of a `.keras` or
            `.weights.h5` file of the same network.
        input_tensor: A Keras tensor to build on. Defaults to a new input.
        input_shape: Shape of an image, without the batch: `(height, width,
            channels)`, or `(channels, height, width)` with
            `data_format="channels_first"`. Height and width may be `None`: any size.
            Defaults to the size that the network was designed for, in colour.
        pooling: Without the top: `None` returns the last feature map, `"avg"` and
            `"max"` pool it over all positions. Ignored with the top.
        classes: Number of classes.
        classifier_activation: Activation of the classifier; `None` gives logits.
        name: Name of the Keras model. Defaults to `model`.
        attention: `"default"` for what the network has by itself; `None`, one of
            `"se"`, `"spatial_se"`, `"scse"`, `"ese"`, `"eca"`, a layer that is copied
            to each place (`SqueezeExcite(ratio=8)`), or a callable of a tensor and a
            name that returns a tensor.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        dtype: Precision of the layers: `"float32"`, `"mixed_bfloat16"`, ... Defaults
            to `keras.config.dtype_policy()`. In mixed precision the classifier
            computes in float32.

    Returns:
        An `ImageModel`: a functional `keras.Model` with `preprocessing`, the images
        that it expects, and `class_names`.

    Raises:
        ValueError: On an unknown name (with the nearest ones) or a bad argument.

    Example:

    ```python
    model = create_model("se_resnet50", classes=10, input_shape=(224, 224, 3))
    backbone = create_model("se_resnet50", include_top=False, pooling="avg")
    ablation = create_model("resnet50", attention=SqueezeExcite(ratio=8))
    ```
    """
    entry = lookup(model)
    if pooling not in POOLINGS:
        raise ValueError(
            f"Argument `pooling` must be one of {POOLINGS}. Received: {pooling!r}"
        )
    data_format = standardize_data_format(data_format)
    inputs, image = _inputs(entry, input_tensor, input_shape, data_format)
    if attention != OWN_ATTENTION:
        seam = attention_seam(attention, data_format, dtype)
    elif entry.squeeze_excite:
        seam = apply_layer(entry.squeeze_excite, data_format, dtype)
    else:
        seam = None
    blocks = Blocks(data_format, dtype, entry.spec.bn_momentum, entry.spec.bn_epsilon)
    x = entry.features(entry.spec, blocks, image, seam)
    if include_top:
        x = _pool("avg", x, blocks)
        x = _classifier(x, classes, classifier_activation, dtype)
    elif pooling:
        x = _pool(pooling, x, blocks)

    network = ImageModel(inputs, x, name=name or entry.name)
    height, width, channels = _image_size(image.shape[1:], data_format)
    network.preprocessing = entry.preprocessing.with_input(height, width, channels)
    if weights is not None:
        # Upwards, against the direction of imports: reading weights needs the models.
        from se_keras.weights import load

        load(network, weights)
    return network


def constructor(name: str):
    """Returns the function that creates one network, as in `keras.applications`."""
    entry = lookup(name)

    def create(*args, **kwargs):
        return create_model(name, *args, **kwargs)

    create.__name__ = create.__qualname__ = entry.constructor
    create.__module__ = "se_keras.models"
    create.__doc__ = f"""Creates `{name}`.

    Takes the arguments of `se_keras.create_model` without the first one.
    """
    signature = inspect.signature(create_model)
    create.__signature__ = signature.replace(
        parameters=list(signature.parameters.values())[1:]
    )
    return create


def _inputs(entry, input_tensor, input_shape, data_format):
    """Returns the inputs of the model, and the image tensor to build on."""
    if input_tensor is not None:
        if not isinstance(input_tensor, keras.KerasTensor):
            raise ValueError(
                "Argument `input_tensor` must be a Keras tensor, the output of "
                f"`keras.Input` or of a layer. Received: {type(input_tensor).__name__}"
            )
        if not _is_image_shape(input_tensor.shape[1:], data_format):
            raise ValueError(
                "Argument `input_tensor` must be images of rank 4 with known "
                f"channels. Received: shape={input_tensor.shape}"
            )
        sources = keras.utils.get_source_inputs(input_tensor)
        return sources[0] if len(sources) == 1 else sources, input_tensor
    if input_shape is None:
        size, channels = entry.preprocessing.size, entry.preprocessing.channels
        input_shape = (
            (channels, *size) if data_format == "channels_first" else (*size, channels)
        )
    layout = (
        "(channels, height, width)"
        if data_format == "channels_first"
        else "(height, width, channels)"
    )
    if not _is_image_shape(input_shape, data_format):
        raise ValueError(
            f"Argument `input_shape` must be {layout} in pixels, where height and "
            f"width may be None. Received: input_shape={input_shape!r}"
        )
    image = keras.Input(input_shape, name="image")
    return image, image


def _is_image_shape(shape, data_format) -> bool:
    if not isinstance(shape, list | tuple) or len(shape) != 3:
        return False
    *size, channels = _image_size(shape, data_format)
    sides = [channels, *(side for side in size if side is not None)]
    return all(
        isinstance(side, numbers.Integral) and not isinstance(side, bool) and side > 0
        for side in sides
    )


def _image_size(shape, data_format):
    """Returns height, width and channels of an image shape."""
    shape = tuple(shape)
    return (*shape[1:], shape[0]) if data_format == "channels_first" else shape


def _pool(kind: str, x, blocks: Blocks):
    pool = {
        "avg": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }[kind]
    return pool(
        data_format=blocks.data_format, dtype=blocks.dtype, name=f"{kind}_pool"
    )(x)


def _classifier(x, classes, activation, dtype):
    policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    return keras.layers.Dense(
        positive_integer("classes", classes),
        activation=activation,
        dtype=policy.variable_dtype,
        name="predictions",
    )(x)

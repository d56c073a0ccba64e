"""From a name to a model."""

import dataclasses
import functools
import inspect
import math
import numbers

import keras

from se_keras.layers.arguments import positive_integer, standardize_data_format
from se_keras.models.attention import Attention, apply_layer, attention_seam
from se_keras.models.blocks import Blocks
from se_keras.models.image_model import ImageModel, image_shape
from se_keras.models.registry import CLASSIFIER, list_models, lookup

OWN_ATTENTION = "default"
POOLINGS = (None, "avg", "max")
OUTPUT_STRIDES = (8, 16, 32)


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
    ratio: float | None = None,
    squeeze: str | None = None,
    gate: str | None = None,
    placement: str = "standard",
    stages: tuple[int, ...] | None = None,
    pyramid: bool = False,
    output_stride: int | None = None,
    drop_path: float = 0.0,
    data_format: str | None = None,
    dtype=None,
) -> ImageModel:
    """Creates a network by name.

    The arguments are those of `keras.applications`, and some more.

    Args:
        model: A name in `list_models()`: `"se_resnet50"`, or its twin without SE,
            `"resnet50"`.
        include_top: Whether to end with a classifier, in most networks behind global
            average pooling.
        weights: `None` for random weights, or what `se_keras.weights.load` takes:
            `"timm/NAME.TAG"` on the Hugging Face hub, the path of a `.safetensors`,
            `.pth`, `.keras` or `.weights.h5` file, or a state dict. For the networks
            of `keras.applications` also `"imagenet"`: its weights for all but the
            gates.
        input_tensor: A Keras tensor to build on. Defaults to a new input. The images
            that the model expects are those of the input it comes from.
        input_shape: Shape of an image, without the batch: `(height, width,
            channels)`, or `(channels, height, width)` with
            `data_format="channels_first"`. Height and width may be `None`: any size.
            Defaults to the size that the network was designed for, in color.
        pooling: Without the top: `None` returns the last feature map, `"avg"` and
            `"max"` pool it over all positions. Ignored with the top.
        classes: Number of classes.
        classifier_activation: Activation of the classifier; `None` gives logits.
        name: Name of the Keras model. Defaults to `model`.
        attention: `"default"` for what the network has by itself; `None`, one of
            `"se"`, `"spatial_se"`, `"scse"`, `"ese"`, `"eca"`, a layer that is copied
            to each place in the layout and precision of the network
            (`SqueezeExcite(ratio=8)`), a `functools.partial` of a class of layers, or
            a callable of a tensor and a name that returns a tensor.
        ratio: Reduction ratio of the network's own SE (the paper, table 10). Defaults
            to what it has by itself, as `squeeze` and `gate`.
        squeeze: `"mean"` or `"max"` (table 11).
        gate: Activation of its gate, `"sigmoid"`, `"tanh"` or `"relu"` (table 12).
        placement: Where the gate sits in a residual block (the paper, figure 5):
            `"standard"`, on the residual branch before the addition; `"pre"`, before
            the residual branch; `"post"`, after the addition and its activation;
            `"identity"`, on the shortcut; `"inside"`, after the 3x3 convolution and
            its activation.
        stages: Which stages have the gate, counted from 1. Defaults to all.
        pyramid: Without the top, whether to return the feature maps of all stages, a
            dictionary: `"P2"` has stride 4, ..., `"P5"` stride 32.
        output_stride: Stride of the last feature map: 8, 16 or 32 for the networks
            for ImageNet. Below 32 the last stages have dilated convolutions in place
            of strides; the weights are the same. Defaults to the network's own.
        drop_path: Rate of stochastic depth in the last residual block; it rises from 0
            in the first. Only training is random.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        dtype: Precision of the layers: `"float32"`, `"mixed_bfloat16"`, ... Defaults
            to `keras.config.dtype_policy()`. In mixed precision the classifier
            computes in float32.

    Returns:
        An `ImageModel`: a functional `keras.Model` with `preprocessing`, the images
        that it expects, and `class_names`. Make models of parts of the deepest networks
        (more than about 200 layers) with `se_keras.models.ImageModel(inputs, outputs)`:
        `keras.Model` stops at Python's limit of recursion there.

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
    if weights == "imagenet" and weights not in entry.pretrained:
        names = [name for name in list_models() if lookup(name).pretrained]
        raise ValueError(
            f"The weights 'imagenet' are for {', '.join(names)}. For other networks of "
            "keras.applications put SE into the model: "
            "add_squeeze_excite(keras.applications.ResNet50(weights='imagenet')). "
            f"Received: weights='imagenet' for {entry.name!r}"
        )
    if pyramid and (include_top or pooling):
        raise ValueError(
            "Argument `pyramid` needs include_top=False and pooling=None. "
            f"Received: include_top={include_top}, pooling={pooling!r}"
        )
    data_format = standardize_data_format(data_format)
    inputs, image = _inputs(entry, input_tensor, input_shape, data_format)
    size = _image_size(image.shape[1:], data_format)
    height, width, _ = size
    if min(height or math.inf, width or math.inf) < entry.spec.min_size:
        raise ValueError(
            f"Model {entry.name!r} needs images of at least {entry.spec.min_size} x "
            f"{entry.spec.min_size} pixels. Received: height={height}, width={width}"
        )
    se_arguments = {"ratio": ratio, "squeeze": squeeze, "gate_activation": gate}
    apply = _apply(entry, attention, se_arguments, data_format, dtype)
    if not 0 <= drop_path < 1:
        raise ValueError(
            "Argument `drop_path` must be in the range [0, 1). "
            f"Received: drop_path={drop_path}"
        )
    spec = entry.spec
    blocks = Blocks(data_format, dtype, spec.bn_momentum, spec.bn_epsilon, drop_path)
    attention = Attention(apply, placement, _stages(stages))
    options = _options(entry, output_stride)
    maps = _features(entry, blocks, image, attention, options)
    x = maps if pyramid else list(maps.values())[-1]
    if include_top:
        x = entry.head(entry.spec, blocks, x) if entry.head else _pool("avg", x, blocks)
        x = _classifier(x, entry.spec, classes, classifier_activation, dtype)
    elif pooling:
        x = _pool(pooling, x, blocks)

    network = ImageModel(inputs, x, name=name or entry.name)
    _check_drop_path(drop_path, network)
    network.preprocessing = entry.preprocessing.with_input(
        *(image_shape(network) or size)
    )
    if isinstance(weights, str) and weights in entry.pretrained:
        entry.pretrained[weights](network)
    elif weights is not None:
        # Upwards, against the direction of imports: reading weights needs the models.
        from se_keras.weights import load

        load(network, weights)
    return network


def constructors() -> dict:
    """Returns the functions that create one network each, as in `keras.applications`.

    They take the arguments of `create_model` but the first.
    """
    return {
        entry.constructor: _constructor(entry) for entry in map(lookup, list_models())
    }


def _constructor(entry):
    def create(*args, **kwargs):
        return create_model(entry.name, *args, **kwargs)

    create.__name__ = create.__qualname__ = entry.constructor
    create.__module__ = "se_keras.models"
    create.__doc__ = f"""Creates `{entry.name}`.

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
        shape = tuple(input_tensor.shape[1:])
        if input_shape is not None and tuple(input_shape) != shape:
            raise ValueError(
                "Arguments `input_tensor` and `input_shape` must agree. Received: a "
                f"tensor of images {shape}, and input_shape={input_shape}"
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


def _features(entry, blocks, image, attention, options) -> dict:
    """Returns the feature maps of the network; every gate must find a place."""
    names, stages = [], set()

    def apply(x, name):
        names.append(name)
        return attention.apply(x, name)

    counting = dataclasses.replace(attention, apply=attention.apply and apply)

    def offer(placement, x, *, stage, name):
        stages.add(stage)
        return counting(placement, x, stage=stage, name=name)

    maps = entry.features(entry.spec, blocks, image, offer, **options)
    unknown = set(attention.stages or ()) - stages
    if unknown:
        raise ValueError(
            f"Argument `stages` must be stages of {entry.name!r}, which has "
            f"{sorted(stages)}. Received: stages={attention.stages}"
        )
    if attention.apply and not names:
        raise ValueError(
            f"Model {entry.name!r} has no place for a gate with these arguments. "
            f"Received: placement={attention.placement!r}, stages={attention.stages}"
        )
    return maps


def _pool(kind: str, x, blocks: Blocks):
    pool = {
        "avg": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }[kind]
    return pool(
        data_format=blocks.data_format, dtype=blocks.dtype, name=f"{kind}_pool"
    )(x)


def _classifier(x, spec, classes, activation, dtype):
    policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    if spec.dropout:
        x = keras.layers.Dropout(spec.dropout, dtype=dtype, name="dropout")(x)
    return keras.layers.Dense(
        positive_integer("classes", classes),
        activation=activation,
        dtype=policy.variable_dtype,
        name=CLASSIFIER,
    )(x)


def _apply(entry, attention, se_arguments, data_format, dtype):
    """Returns what a builder applies at each place of a gate."""
    se_arguments = {k: v for k, v in se_arguments.items() if v is not None}
    own = attention == OWN_ATTENTION
    if se_arguments and not (own and entry.squeeze_excite):
        raise ValueError(
            "Arguments `ratio`, `squeeze` and `gate` change the SE that a network has "
            f"by itself. Received: model={entry.name!r}, attention={attention!r}, "
            f"{se_arguments}"
        )
    if not own:
        return attention_seam(attention, data_format, dtype)
    if not entry.squeeze_excite:
        return None
    make = functools.partial(entry.squeeze_excite, **se_arguments)
    return apply_layer(make, data_format, dtype)


def _check_drop_path(drop_path, network):
    if drop_path and not any(x.name.endswith("_drop_path") for x in network.layers):
        raise ValueError(
            f"Model {network.name!r} has no residual blocks whose branch could be left "
            f"out. Received: drop_path={drop_path}"
        )


def _stages(stages):
    """Returns the numbers of the stages as a tuple, or `None` for all."""
    if stages is None:
        return None
    numbers_of = tuple(stages) if isinstance(stages, list | tuple | set | range) else ()
    if not numbers_of or not all(
        isinstance(n, numbers.Integral) and not isinstance(n, bool) for n in numbers_of
    ):
        raise ValueError(
            "Argument `stages` must be None or numbers of stages, such as (1, 2). "
            f"Received: stages={stages!r}"
        )
    return numbers_of


def _options(entry, output_stride):
    """Returns the options of the family's builder that were asked for."""
    if output_stride is None:
        return {}
    if getattr(entry.spec, "output_stride", 0) < max(OUTPUT_STRIDES):
        raise ValueError(
            f"Model {entry.name!r} has one output stride. "
            f"Received: output_stride={output_stride!r}"
        )
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(
            f"Argument `output_stride` must be one of {OUTPUT_STRIDES}. "
            f"Received: output_stride={output_stride!r}"
        )
    return {"output_stride": output_stride}

"""From a name or a spec to a model."""

import math
import numbers
import pathlib
from collections.abc import Callable, Mapping

import keras
import numpy as np

from se_keras.layers.arguments import standardize_data_format
from se_keras.lazy import resolve
from se_keras.models.attention import Attention, attention_function
from se_keras.models.builder import NetworkBuilder
from se_keras.models.families import FAMILIES, family_of
from se_keras.models.head import POOLS, classify, pool
from se_keras.models.image_model import ImageModel, image_shape
from se_keras.models.registry import lookup
from se_keras.models.spec import NetworkSpec

# What reads files and state dicts into a model. `se_keras.weights` needs the models, so
# that it is imported where weights are asked for.
WEIGHTS_LOADER = "se_keras.weights:load"

OWN_ATTENTION = "default"
POOLINGS = (None, *POOLS)


def create_model(
    model: str | NetworkSpec,
    /,
    include_top: bool = True,
    weights: str | pathlib.Path | Mapping | None = None,
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: str | Callable | None = "softmax",
    name: str | None = None,
    attention: str | keras.Layer | Callable | None = OWN_ATTENTION,
    ratio: float | None = None,
    squeeze: str | None = None,
    gate_activation: str | Callable | None = None,
    placement: str = "standard",
    stages: tuple[int, ...] | None = None,
    pyramid: bool = False,
    output_stride: int | None = None,
    drop_path: float = 0.0,
    data_format: str | None = None,
    dtype: str | keras.DTypePolicy | None = None,
) -> ImageModel:
    """Creates a network by its name or its spec.

    The arguments are those of `keras.applications`, and some more.

    Args:
        model: A name in `list_models()`: `"se_resnet50"`, or its twin without SE,
            `"resnet50"`; or a spec, `ResNetSpec(depths=(2, 2, 2, 2))`.
        include_top: Whether to end with a classifier, in most networks after global
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
            Defaults to the size that the network was designed for, with 3 channels.
        pooling: Without the top: `None` returns the last feature map, `"avg"` and
            `"max"` pool it over all positions. Ignored with the top.
        classes: Number of classes.
        classifier_activation: Activation of the classifier; `None` gives logits.
        name: Name of the Keras model. Defaults to the name of the network, or for a
            spec of your own to that of its family.
        attention: The layer that enters the network: `"default"` for the network's own;
            `None`; one of `"se"`, `"spatial_se"`, `"scse"`, `"ese"`, `"eca"`; a layer,
            `SqueezeExcite(ratio=8)` or one of your own, of which each place gets a copy
            in the layout and precision of the network; a class of layers or a
            `functools.partial` of one; or a callable of a tensor and a name that
            returns a tensor of the same shape.
        ratio: Reduction ratio of SE (the paper, table 10), for an `attention` that is
            `"default"`, a name or a class. Defaults to that of the layer, as `squeeze`
            and `gate_activation`.
        squeeze: `"avg"` or `"max"` (table 11).
        gate_activation: Activation whose output is the gate: `"sigmoid"`, `"tanh"` or
            `"relu"` (table 12).
        placement: Where attention goes in a residual block (the paper, figure 5):
            `"standard"`, on the residual branch before the addition; `"pre"`, before
            the residual branch; `"post"`, after the addition and its activation;
            `"identity"`, on the shortcut; `"inside"`, after the 3x3 convolution and
            its activation.
        stages: Which stages have attention, counted from 1. Defaults to all.
        pyramid: Without the top, whether to return the feature maps of all stages, a
            dictionary: `"P2"` has stride 4, ..., `"P5"` stride 32.
        output_stride: Stride of the last feature map: 8, 16 or 32 for the networks
            for ImageNet. Below 32 the last stages have dilated convolutions instead of
            strides; the weights are the same. Defaults to the network's own.
        drop_path: Rate of stochastic depth in the last residual block; it rises from 0
            in the first. Only training is random.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        dtype: Precision of the layers: `"float32"`, `"mixed_bfloat16"`, ... Defaults
            to `keras.config.dtype_policy()`. In mixed precision the classifier
            computes in float32.

    Returns:
        An `ImageModel`: a functional `keras.Model` with `preprocessing`, the images
        that it expects, `class_names` and `structure`. Create models of parts of the
        deepest networks (more than about 200 layers) with
        `se_keras.models.ImageModel(inputs, outputs)`: `keras.Model` reaches Python's
        limit of recursion there.

    Raises:
        ValueError: If the name is unknown (with the nearest ones), or an argument is
            not valid.

    Example:

    ```python
    model = create_model("se_resnet50", classes=10, input_shape=(224, 224, 3))
    backbone = create_model("se_resnet50", include_top=False, pooling="avg")
    ablation = create_model("resnet50", attention=SqueezeExcite(ratio=8))
    own = create_model(ResNetSpec(block="basic", depths=(1, 1, 1, 1)))
    ```
    """
    network, spec = _named(lookup(model)) if isinstance(model, str) else ("", model)
    family = family_of(spec)
    network = network or family.name.lower().replace(" ", "_").replace("-", "_")
    if not isinstance(include_top, bool | np.bool_):
        raise ValueError(
            "Argument `include_top` must be True or False; other arguments are given "
            f"by name. Received: include_top={include_top!r}"
        )
    if pooling not in POOLINGS:
        raise ValueError(
            f"Argument `pooling` must be one of {POOLINGS}. Received: {pooling!r}"
        )
    _check_weights(weights, family, network)
    if not isinstance(pyramid, bool | np.bool_):
        raise ValueError(
            f"Argument `pyramid` must be True or False. Received: pyramid={pyramid!r}"
        )
    if pyramid and (include_top or pooling):
        raise ValueError(
            "Argument `pyramid` needs include_top=False and pooling=None. "
            f"Received: include_top={include_top}, pooling={pooling!r}"
        )
    data_format = standardize_data_format(data_format)
    inputs, image = _inputs(spec, input_tensor, input_shape, data_format)
    height, width, channels = _image_size(image.shape[1:], data_format)
    if min(height or math.inf, width or math.inf) < spec.min_size:
        raise ValueError(
            f"Model {network!r} needs images of at least {spec.min_size} x "
            f"{spec.min_size} pixels. Received: height={height}, width={width}"
        )
    if not 0 <= drop_path < 1:
        raise ValueError(
            "Argument `drop_path` must be in the range [0, 1). "
            f"Received: drop_path={drop_path}"
        )
    _check_output_stride(output_stride, spec, network)
    arguments = {
        "ratio": ratio,
        "squeeze": squeeze,
        "gate_activation": gate_activation,
    }
    _check_attention(attention, arguments, spec, network)
    seam = Attention(
        attention_function(
            spec.attention if _is_own(attention) else attention,
            data_format,
            dtype,
            overrides=_is_own(attention),
            **arguments,
        ),
        placement,
        _stages(stages),
    )
    net = NetworkBuilder(
        data_format,
        dtype,
        spec.bn_momentum,
        spec.bn_epsilon,
        drop_path,
        seam,
        output_stride,
    )
    levels = family.features(spec, net, image)
    seam.check(network)
    if drop_path and not net.dropped_branches:
        raise ValueError(
            f"Model {network!r} has no residual blocks whose branch could be dropped. "
            f"Received: drop_path={drop_path}"
        )
    x = levels if pyramid else list(levels.values())[-1]
    with net.part("head", stage=None):
        if include_top:
            x = classify(family, spec, net, x, classes, classifier_activation)
        elif pooling:
            x = pool(pooling, x, net)

    result = ImageModel(inputs, x, name=name or network)
    result.structure = net.structure(family, spec, levels)
    result.preprocessing = spec.preprocessing.with_input(
        *(image_shape(result) or (height, width, channels))
    )
    if isinstance(weights, str) and weights in family.pretrained:
        family.pretrained[weights](spec, result)
    elif weights is not None:
        resolve(WEIGHTS_LOADER)(result, weights)
    return result


def _named(network) -> tuple[str, NetworkSpec]:
    return network.name, network.spec


def _is_own(attention) -> bool:
    return isinstance(attention, str) and attention == OWN_ATTENTION


def _inputs(spec, input_tensor, input_shape, data_format):
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
        size, channels = spec.preprocessing.size, spec.preprocessing.channels
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
    numbers_of = [channels, *(n for n in size if n is not None)]
    return all(
        isinstance(n, numbers.Integral) and not isinstance(n, bool) and int(n) > 0
        for n in numbers_of
    )


def _image_size(shape, data_format):
    """Returns height, width and channels of an image shape."""
    shape = tuple(shape)
    return (*shape[1:], shape[0]) if data_format == "channels_first" else shape


def _check_weights(weights, family, network) -> None:
    """Raises a `ValueError` if a name of weights is one of another family."""
    for other in FAMILIES:
        if not isinstance(weights, str) or weights not in other.pretrained:
            continue
        if weights not in family.pretrained:
            raise ValueError(
                f"The weights {weights!r} are for {', '.join(other.names)}. For other "
                "networks of keras.applications put SE into the model: "
                "add_squeeze_excite(keras.applications.ResNet50(weights='imagenet')). "
                f"Received: weights={weights!r} for {network!r}"
            )


def _check_attention(attention, arguments, spec, network) -> None:
    """Raises a `ValueError` if the arguments of SE are for a network without it."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if given and (attention is None or (_is_own(attention) and spec.attention is None)):
        raise ValueError(
            f"Arguments {', '.join(f'`{name}`' for name in arguments)} are for a "
            f"network with attention. Received: model={network!r}, "
            f"attention={attention!r}, {given}"
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


def _check_output_stride(output_stride, spec, network) -> None:
    if output_stride is None:
        return
    if not spec.output_strides:
        raise ValueError(
            f"Model {network!r} has one output stride. "
            f"Received: output_stride={output_stride!r}"
        )
    if output_stride not in spec.output_strides:
        raise ValueError(
            f"Argument `output_stride` must be one of {spec.output_strides}. "
            f"Received: output_stride={output_stride!r}"
        )

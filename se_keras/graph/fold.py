"""The inference form of a model: the same outputs, less work."""

import contextlib

import keras
import numpy as np

from se_keras.graph.functional import is_functional
from se_keras.graph.rewrite import Graph, Ref
from se_keras.layers.batch_normalization import BatchNormalization
from se_keras.layers.pad_channels import PadChannels
from se_keras.layers.squeeze_excite import SqueezeExcite

# Layers that are linear in their input, with the axis of the kernel that their outputs
# have, by the attribute that holds the kernel.
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_LINEAR = (*_CONVOLUTIONS, *_DEPTHWISE, keras.layers.Dense)

# Pools by rank of the tensor and kind of squeeze.
_POOLS = {
    (3, "avg"): keras.layers.GlobalAveragePooling1D,
    (4, "avg"): keras.layers.GlobalAveragePooling2D,
    (5, "avg"): keras.layers.GlobalAveragePooling3D,
    (3, "max"): keras.layers.GlobalMaxPooling1D,
    (4, "max"): keras.layers.GlobalMaxPooling2D,
    (5, "max"): keras.layers.GlobalMaxPooling3D,
}


def fold(model: keras.Model, name: str | None = None) -> keras.Model:
    """Returns the inference form of a functional model: the same outputs, less work.

    - Batch norms that follow a convolution or a dense layer become part of it. The
      arithmetic is in float64.
    - A shortcut that takes each n-th position and appends zero channels becomes one 1x1
      convolution: runtimes of phones have no fast kernel for a pool of one position.
    - Dropout is removed.
    - Functional and Sequential models inside are folded, each for itself.
    - `SqueezeExcite` becomes pool, two 1x1 convolutions of an image of one position,
      and multiply: layers of Keras that every converter knows. After a pointwise
      convolution the pool moves before it where that has fewer channels: with
      `y = W x + b` the mean over all positions is `mean(y) = W mean(x) + b`, and the
      first layer of the gate, merged with it, computes
      `W1 mean(y) + b1 = (W1 W) mean(x) + (W1 b + b1)`. The gate is then ready before
      `y` is. A `PReLU` as activation becomes a layer.

    Only where that is exact: one call of each layer, no other consumer of what is
    between them, no mask, no quantization. Everything else stays as it is, gates of
    other kinds too.

    Args:
        model: A functional model, or a built `keras.Sequential` model. It stays as it
            is.
        name: Name of the result. Defaults to the name of the model.

    Returns:
        A model of the class of `model`, not compiled; a plain functional model for a
        Sequential one, and for a network of `create_model`, so that its file loads
        without this package. It is for inference: the statistics that training would
        change are not there any more.

    Raises:
        ValueError: If the model is not functional.

    Example:

    ```python
    model = create_model("se_resnet50", weights="timm/seresnet50.a1_in1k")
    small = fold(model)
    small.save("inference.keras")
    ```
    """
    graph = Graph(model)
    weights = _Weights(graph)
    for layer in list(graph.operations):
        _fold_submodel(graph, layer)
    for layer in list(graph.operations):
        _fold_dropout(graph, layer)
    for layer in list(graph.operations):
        _fold_subsampling(graph, weights, layer)
    for layer in list(graph.operations):
        _fold_batch_norm(graph, weights, layer)
    for layer in list(graph.operations):
        _fold_squeeze_excite(graph, weights, layer)
    folded = graph.build(name, weights=weights.changed)
    # An `ImageModel` is for files that are loaded with this package.
    to_keras_model = getattr(folded, "to_keras_model", None)
    return to_keras_model() if to_keras_model else folded


class _Weights:
    """Kernels and biases in float64: those of the model, or what became of them."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self.changed = {}

    def kernel_and_bias(self, name: str):
        """Returns the kernel of a linear layer, and its bias or zeros."""
        layer = self._graph.operations[name]
        arrays = self.changed.get(name) or [
            np.asarray(array, "float64") for array in layer.get_weights()
        ]
        kernel = arrays[0]
        outputs = kernel.shape[-1]
        if isinstance(layer, _DEPTHWISE):
            outputs *= kernel.shape[-2]
        return kernel, arrays[1] if len(arrays) > 1 else np.zeros(outputs)

    def set(self, name: str, kernel, bias):
        """Gives a layer of the model another kernel, and a bias."""
        self._graph.configure(name, use_bias=True)
        self.changed[name] = [kernel, bias]


def _fold_submodel(graph, name):
    submodel = graph.operations[name]
    # Its gates would leave out the positions of a mask, pools of images would not.
    if graph.has_argument(name, "training") or graph.has_mask(name):
        return
    if type(submodel) is keras.Sequential or is_functional(submodel):
        # A submodel that cannot be folded stays.
        with contextlib.suppress(ValueError):
            graph.exchange(name, fold(submodel))


def _fold_dropout(graph, name):
    layer = graph.operations[name]
    if (
        isinstance(layer, keras.layers.Dropout)
        and _is_of_keras(layer)
        and not graph.has_argument(name, "training")
    ):
        graph.bypass(name)


def _fold_subsampling(graph, weights, name):
    """Replaces a pool of one position, and the channels that are appended to it."""
    pool = graph.operations[name]
    if (
        not isinstance(pool, keras.layers.MaxPooling2D)
        or set(pool.pool_size) != {1}
        or graph.calls(name) != 1
    ):
        return
    consumers = graph.consumers(Ref(name))
    if len(consumers) != 1 or Ref(name) in graph.outputs:
        return
    ((padding, _),) = consumers
    pad = graph.operations[padding]
    if (
        not isinstance(pad, PadChannels)
        or graph.calls(padding) != 1
        or pad.data_format != pool.data_format
    ):
        return
    ((source,),) = graph.inputs(name)
    channels = graph.spec(source).shape[_channel_axis(pool)]
    convolution = keras.layers.Conv2D(
        pad.channels,
        1,
        pool.strides,
        data_format=pool.data_format,
        use_bias=False,
        dtype=pool.dtype_policy,
        trainable=pool.trainable,
        name=graph.unused_name(f"{name}_and_pad"),
    )
    weights.changed[convolution.name] = [np.eye(channels, pad.channels)[None, None]]
    graph.replace(Ref(padding), graph.call(convolution, source))
    graph.remove(padding)
    graph.remove(name)


def _fold_batch_norm(graph, weights, name):
    norm = graph.operations[name]
    if (
        not isinstance(norm, keras.layers.BatchNormalization)
        or not (_is_of_keras(norm) or type(norm) is BatchNormalization)
        or graph.has_argument(name, "training")
    ):
        return
    before = _linear_before(graph, name)
    if before is None:
        return
    layer = graph.operations[before]
    if _axis(norm.axis, graph, before) != _axis(_channel_axis(layer), graph, before):
        return
    if len(graph.consumers(Ref(before))) > 1 or Ref(before) in graph.outputs:
        return
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(value), "float64")
        for value in (norm.moving_mean, norm.moving_variance)
    )
    scale = 1 / np.sqrt(variance + norm.epsilon)
    shift = np.zeros_like(mean)
    if norm.scale:
        scale = scale * keras.ops.convert_to_numpy(norm.gamma)
    if norm.center:
        shift = shift + keras.ops.convert_to_numpy(norm.beta)
    kernel, bias = weights.kernel_and_bias(before)
    by_channel = scale
    if isinstance(layer, _DEPTHWISE):
        by_channel = scale.reshape(kernel.shape[-2:])
    weights.set(before, kernel * by_channel, (bias - mean) * scale + shift)
    graph.bypass(name)


def _fold_squeeze_excite(graph, weights, name):
    gate = graph.operations[name]
    if (
        type(gate) is not SqueezeExcite
        or graph.calls(name) != 1
        or graph.has_argument(name, "gates_only")
        or graph.has_mask(name)
        # Its kernels would be integers.
        or gate.fc1.quantization_mode is not None
        or gate.fc2.quantization_mode is not None
    ):
        return
    ((source,),) = graph.inputs(name)
    rank = len(graph.spec(source).shape)
    activations = gate.activation, gate.gate_activation
    if not all(_folds(each, rank, gate.channel_axis) for each in activations):
        return
    squeezed = source
    kernel1, bias1 = _dense_weights(gate.fc1)
    before = _linear_before(graph, name)
    if (
        before is not None
        and gate.squeeze == "avg"
        and not graph.has_mask(before)
        and _is_pointwise(graph.operations[before])
        and graph.operations[before].data_format == gate.data_format
    ):
        kernel, bias = weights.kernel_and_bias(before)
        kernel = kernel.reshape(kernel.shape[-2:])
        if kernel.shape[0] < kernel.shape[1]:
            ((squeezed,),) = graph.inputs(before)
            kernel1, bias1 = kernel @ kernel1, bias @ kernel1 + bias1

    layout = {"data_format": gate.data_format, "dtype": gate.dtype_policy}
    pool = _POOLS[rank, gate.squeeze](
        name=graph.unused_name(f"{name}_squeeze"), keepdims=True, **layout
    )
    x = graph.call(pool, squeezed)
    for layer, kernel, bias, activation in (
        (gate.fc1, kernel1, bias1, gate.activation),
        (gate.fc2, *_dense_weights(gate.fc2), gate.gate_activation),
    ):
        part = graph.unused_name(f"{name}_{layer.name}")
        weighted = isinstance(activation, keras.layers.PReLU)
        # Not dense layers: converters that change the layout move it past convolutions
        # alone, and a vector has to be brought into shape again.
        convolution = _CONVOLUTIONS[rank - 3](
            kernel.shape[1],
            1,
            activation=None if weighted else activation,
            trainable=layer.trainable,
            name=part,
            **layout,
        )
        x = graph.call(convolution, x)
        weights.changed[part] = [kernel.reshape((1,) * (rank - 2) + kernel.shape), bias]
        if weighted:
            prelu, alpha = _prelu(activation, rank, gate.channel_axis)
            prelu.name = graph.unused_name(f"{part}_prelu")
            x = graph.call(prelu, x)
            weights.changed[prelu.name] = [alpha]
    multiply = keras.layers.Multiply(
        name=graph.unused_name(f"{name}_scale"), dtype=gate.dtype_policy
    )
    graph.replace(Ref(name), Ref(multiply.name))
    graph.call(multiply, [source, x])
    graph.remove(name)


def _folds(activation, rank: int, channel_axis: int) -> bool:
    """Whether an activation of vectors is one of images of one position, too."""
    if type(activation) is keras.layers.PReLU:
        return True
    if getattr(activation, "variables", None):
        return False
    vectors = np.linspace(-4, 4, 10, dtype="float32").reshape(2, 5)
    ones = tuple(range(2, rank) if channel_axis == 1 else range(1, rank - 1))
    expected = np.expand_dims(_apply(activation, vectors), ones)
    return np.array_equal(_apply(activation, np.expand_dims(vectors, ones)), expected)


def _apply(activation, array):
    return keras.ops.convert_to_numpy(activation(keras.ops.convert_to_tensor(array)))


def _prelu(activation, rank: int, channel_axis: int):
    """Returns the `PReLU` of vectors for images of one position, and its weight."""
    alpha = np.asarray(keras.ops.convert_to_numpy(activation.alpha), "float64")
    shared = activation.shared_axes and [channel_axis % rank]
    layer = keras.layers.PReLU.from_config(
        {**activation.get_config(), "shared_axes": shared or None}
    )
    ones = range(1, rank - 1) if channel_axis == 1 else range(rank - 2)
    return layer, np.expand_dims(alpha, tuple(ones))


def _dense_weights(layer):
    kernel = np.asarray(keras.ops.convert_to_numpy(layer.kernel), "float64")
    if layer.bias is None:
        return kernel, np.zeros(kernel.shape[-1])
    return kernel, np.asarray(keras.ops.convert_to_numpy(layer.bias), "float64")


def _linear_before(graph, name) -> str | None:
    """Returns the linear layer before one, if each of the two is called once."""
    if graph.calls(name) != 1:
        return None
    ((source, *others),) = graph.inputs(name)
    layer = graph.operations.get(source.operation)
    if others or not isinstance(layer, _LINEAR) or graph.calls(source.operation) != 1:
        return None
    if (
        not _is_of_keras(layer)
        or layer.quantization_mode is not None
        or getattr(layer, "lora_enabled", False)
        or layer.activation is not keras.activations.linear
    ):
        return None
    return source.operation


def _is_of_keras(layer) -> bool:
    """Whether a layer is Keras's own; a subclass may compute something else."""
    return type(layer).__module__.startswith("keras.")


def _is_pointwise(layer) -> bool:
    return (
        isinstance(layer, _CONVOLUTIONS)
        and set(layer.kernel_size) == {1}
        and set(layer.strides) == {1}
        and layer.groups == 1
    )


def _channel_axis(layer) -> int:
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def _axis(axis, graph, name) -> int:
    """Returns an axis counted from the front."""
    return axis % len(graph.spec(Ref(name)).shape)

"""Multiply-adds of one call of a layer, in closed form, by layer class."""

import math

import keras

from se_keras import layers


def multiply_adds(operation, inputs: tuple, outputs: tuple) -> int | None:
    """Returns the multiply-adds of one call.

    Args:
        operation: A layer, or another operation of a functional graph.
        inputs: Shape of its first input, with the batch.
        outputs: Shape of its first output, with the batch.

    Returns:
        A number; 0 for what neither convolves nor multiplies by a matrix; `None` if
        there is no formula for this class.

    Raises:
        ValueError: If a size that the formula needs is `None`.
    """
    formula = _formula(operation)
    if formula is None:
        products = type(operation).__name__ in PRODUCTS
        return None if products or getattr(operation, "weights", None) else 0
    if formula is _nothing:
        return 0
    if None in (*inputs, *outputs):
        raise ValueError(
            "Expected known sizes; pass them with `input_shape`. Received: layer "
            f"{operation.name!r} with input {inputs[1:]} and output {outputs[1:]}"
        )
    return formula(operation, inputs, outputs)


def _formula(operation):
    # A subclass counts as its base: it has the same weights.
    bases = [base for base in type(operation).__mro__ if base in FORMULAS]
    return FORMULAS[bases[0]] if bases else None


def _channels(layer, shape) -> int:
    return shape[1 if layer.data_format == "channels_first" else -1]


def _positions(layer, shape) -> int:
    return math.prod(shape) // _channels(layer, shape)


def _convolution(layer, inputs, outputs):
    window = math.prod(layer.kernel_size) * _channels(layer, inputs) // layer.groups
    return math.prod(outputs) * window


def _depthwise(layer, inputs, outputs):
    planes = _channels(layer, inputs) * layer.depth_multiplier
    return _positions(layer, outputs) * planes * math.prod(layer.kernel_size)


def _separable(layer, inputs, outputs):
    planes = _channels(layer, inputs) * layer.depth_multiplier
    return _depthwise(layer, inputs, outputs) + math.prod(outputs) * planes


def _transposed(layer, inputs, outputs):
    return math.prod(inputs) * layer.filters * math.prod(layer.kernel_size)


def _dense(layer, inputs, outputs):
    return math.prod(outputs) * inputs[-1]


def _squeeze_excite(layer, inputs, outputs):
    return inputs[0] * (_size(layer.fc1.kernel) + _size(layer.fc2.kernel))


def _effective(layer, inputs, outputs):
    return inputs[0] * _size(layer.fc.kernel)


def _channel_convolution(layer, inputs, outputs):
    return inputs[0] * _channels(layer, inputs) * _size(layer.conv.kernel)


def _spatial(layer, inputs, outputs):
    return math.prod(inputs)


def _concurrent(layer, inputs, outputs):
    channel = _squeeze_excite(layer.channel, inputs, outputs)
    return channel + _spatial(layer.spatial, inputs, outputs)


def _nothing(layer, inputs, outputs):
    return 0


def _size(weight) -> int:
    return math.prod(weight.shape)


FORMULAS = {
    keras.layers.Conv1D: _convolution,
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv3D: _convolution,
    keras.layers.DepthwiseConv1D: _depthwise,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv1D: _separable,
    keras.layers.SeparableConv2D: _separable,
    keras.layers.Conv1DTranspose: _transposed,
    keras.layers.Conv2DTranspose: _transposed,
    keras.layers.Conv3DTranspose: _transposed,
    keras.layers.Dense: _dense,
    layers.SqueezeExcite: _squeeze_excite,
    layers.EffectiveSqueezeExcite: _effective,
    layers.EfficientChannelAttention: _channel_convolution,
    layers.SpatialSqueezeExcite: _spatial,
    layers.ConcurrentSqueezeExcite: _concurrent,
    # Weights that scale and shift each value, or are looked up.
    keras.layers.BatchNormalization: _nothing,
    keras.layers.Embedding: _nothing,
    keras.layers.GroupNormalization: _nothing,
    keras.layers.LayerNormalization: _nothing,
    keras.layers.Normalization: _nothing,
    keras.layers.PReLU: _nothing,
    keras.layers.RMSNormalization: _nothing,
}

# Classes without weights that convolve or multiply matrices all the same: those of
# `keras.layers`, and of the operations of `keras.ops`, which have no public class.
PRODUCTS = frozenset(
    {
        "AdditiveAttention",
        "Attention",
        "Conv",
        "ConvTranspose",
        "DepthwiseConv",
        "Dot",
        "DotProductAttention",
        "Einsum",
        "Inner",
        "Matmul",
        "Outer",
        "SeparableConv",
        "Tensordot",
        "Vdot",
    }
)

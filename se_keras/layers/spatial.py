"""Spatial squeeze-excitation, alone and together with the channel gate."""

from typing import Any

import keras
from keras import ops

from se_keras.layers.gate import DenseGate, Gate
from se_keras.layers.squeeze_excite import SqueezeExcite

MERGES = ("add", "max", "multiply")


@keras.saving.register_keras_serializable(package="se_keras")
class SpatialSqueezeExcite(DenseGate):
    """Spatial SE (sSE): one gate per position, from a 1x1 convolution.

    `outputs = inputs * sigmoid(conv(inputs))`, where `conv` has one output channel.

    Args:
        gate_activation: Activation whose output is the gate.
        use_bias: Whether the convolution has a bias.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        As `SqueezeExcite`. The gates have the input's shape with one channel.

    Output shape:
        That of the input, in the compute dtype.

    Reference:
        [Roy et al. 2018, Concurrent Spatial and Channel Squeeze & Excitation in Fully
        Convolutional Networks](https://arxiv.org/abs/1803.02579), section 2.2.

    Example:

    >>> SpatialSqueezeExcite()(np.ones((2, 7, 7, 64), "float32")).shape
    (2, 7, 7, 64)
    """

    last_layers = ("fc",)

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the 1x1 convolution: a fully connected layer at each position."""
        self.fc = self.dense("fc", 1, self.gate_activation, channels, rank)

    def compute_gate(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the gates: the input's shape with one channel.

        That of a position comes from this position alone, whatever the mask.
        """
        if self.channel_axis == -1:
            return self.fc(inputs)
        return ops.moveaxis(self.fc(ops.moveaxis(inputs, 1, -1)), -1, 1)


@keras.saving.register_keras_serializable(package="se_keras")
class ConcurrentSqueezeExcite(Gate):
    """Concurrent spatial and channel SE (scSE): both gates on the same input.

    `outputs = merge(inputs * channel_gate, inputs * spatial_gate)`

    Args:
        ratio: Reduction ratio of the channel gate.
        merge: `"add"` as in the paper, or `"max"` or `"multiply"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        As `SqueezeExcite`. The gates have the input's shape: `merge` of both gates.

    Output shape:
        That of the input, in the compute dtype.

    Raises:
        ValueError: If `merge` is unknown; else as `SqueezeExcite`.

    Reference:
        [Roy et al. 2018, Concurrent Spatial and Channel Squeeze & Excitation in Fully
        Convolutional Networks](https://arxiv.org/abs/1803.02579), section 2.3; `"max"`
        and `"multiply"` from its journal version,
        [Recalibrating FCNs](https://arxiv.org/abs/1808.08127), section II-D. There
        `"multiply"` is the product of both scaled inputs; here both gates scale the
        input once.

    Example:

    >>> ConcurrentSqueezeExcite(ratio=2)(np.ones((2, 7, 7, 64), "float32")).shape
    (2, 7, 7, 64)
    """

    last_layers = ("channel.fc2", "spatial.fc")

    def __init__(
        self,
        ratio: float = 2,
        merge: str = "add",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        if merge not in MERGES:
            raise ValueError(
                f"Argument `merge` must be one of {MERGES}. Received: merge={merge!r}"
            )
        self.ratio = ratio
        self.merge = merge
        shared = {
            "data_format": self.data_format,
            "dtype": self.dtype_policy,
            "trainable": self.trainable,
        }
        self.channel = SqueezeExcite(ratio, name="channel", **shared)
        self.spatial = SpatialSqueezeExcite(name="spatial", **shared)

    def build_gate(self, channels: int, rank: int) -> None:
        """Builds both gates."""
        shape: list[int | None] = [None] * rank
        shape[self.channel_axis] = channels
        self.channel.build(tuple(shape))
        self.spatial.build(tuple(shape))

    def compute_gate(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the merged gates, of the input's shape."""
        channel = self.channel.compute_gate(inputs, mask)
        channel = self.channel.broadcast(channel, inputs)
        spatial = self.spatial.compute_gate(inputs)
        if self.merge == "add":
            return channel + spatial
        if self.merge == "multiply":
            return channel * spatial
        # The larger scaled input: of a negative input, that of the smaller gate.
        return ops.where(
            inputs < 0, ops.minimum(channel, spatial), ops.maximum(channel, spatial)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {**super().get_config(), "ratio": self.ratio, "merge": self.merge}

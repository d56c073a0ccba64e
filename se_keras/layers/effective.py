"""Channel gates without a bottleneck: effective SE and ECA."""

import math
from typing import Any

import keras
from keras import ops

from se_keras.layers.activation import (
    build_activation,
    own_activation,
    serialize_activation,
)
from se_keras.layers.arguments import (
    Activation,
    Initializer,
    Regularizer,
    clone_initializer,
    positive_integer,
)
from se_keras.layers.gate import DenseGate, Gate


@keras.saving.register_keras_serializable(package="se_keras")
class EffectiveSqueezeExcite(DenseGate):
    """Effective SE (eSE): one fully connected layer from C to C channels.

    `outputs = inputs * hard_sigmoid(fc(mean(inputs)))`. Without a bottleneck no
    channel information is lost; the layer has C * C weights.

    Args:
        gate_activation: Activation whose output is the gate. Keras 3's
            `"hard_sigmoid"` is `relu6(x + 3) / 6`, the one of the source.
        use_bias: Whether the fully connected layer has a bias.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        As `SqueezeExcite`. The gates have shape `(batch, channels)`.

    Output shape:
        That of the input, in the compute dtype.

    Reference:
        [Lee and Park 2020, CenterMask](https://arxiv.org/abs/1911.06667), section 3.3;
        matches timm's `EffectiveSEModule`.

    Example:

    >>> EffectiveSqueezeExcite()(np.ones((2, 7, 7, 64), "float32")).shape
    (2, 7, 7, 64)
    """

    last_layers = ("fc",)

    def __init__(
        self,
        gate_activation: Activation = "hard_sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            gate_activation=gate_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            data_format=data_format,
            **kwargs,
        )

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the fully connected layer."""
        self.fc = self.dense("fc", channels, self.gate_activation, channels)

    def excite(self, squeezed: Any) -> Any:
        """Returns the gates: `(batch, channels)`."""
        return self.fc(squeezed)

    @property
    def excites_means(self) -> bool:
        """The gates come from the means alone."""
        return True


@keras.saving.register_keras_serializable(package="se_keras")
class EfficientChannelAttention(Gate):
    """ECA: the gate of a channel comes from the means of its k nearest channels.

    `outputs = inputs * sigmoid(conv1d(mean(inputs)))`, where the convolution runs
    along the channels with one kernel of k weights and no bias.

    Args:
        kernel_size: k, a positive odd integer. Defaults to `None`: the smallest
            odd number that is not below 3 or the integer part of
            `(log2(C) + beta) / gamma`.
        gamma: See `kernel_size`.
        beta: See `kernel_size`.
        gate_activation: Activation whose output is the gate.
        kernel_initializer: Initializer of the kernel.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        As `SqueezeExcite`. The gates have shape `(batch, channels)`.

    Output shape:
        That of the input, in the compute dtype.

    Raises:
        ValueError: If `kernel_size` is even, or it or `gamma` is not positive.

    Reference:
        [Wang et al. 2020, ECA-Net](https://arxiv.org/abs/1910.03151), section 3.2 and
        equation 12; matches timm's `EcaModule`.

    Example:

    >>> EfficientChannelAttention()(np.ones((2, 7, 7, 64), "float32")).shape
    (2, 7, 7, 64)
    """

    last_layers = ("conv",)

    def __init__(
        self,
        kernel_size: int | None = None,
        gamma: float = 2,
        beta: float = 1,
        gate_activation: Activation = "sigmoid",
        kernel_initializer: Initializer = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        if kernel_size is not None:
            kernel_size = positive_integer("kernel_size", kernel_size)
        if kernel_size is not None and kernel_size % 2 == 0:
            raise ValueError(
                "Argument `kernel_size` must be odd, so that a channel is in the "
                f"middle of its neighbors. Received: kernel_size={kernel_size!r}"
            )
        if not gamma > 0:
            raise ValueError(
                f"Argument `gamma` must be positive. Received: gamma={gamma!r}"
            )
        self.kernel_size = kernel_size
        self.gamma = gamma
        self.beta = beta
        self.gate_activation = own_activation(self, "gate_activation", gate_activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def num_neighbors(self, channels: int) -> int:
        """Returns k for an input of `channels` channels."""
        if self.kernel_size is not None:
            return self.kernel_size
        size = int(abs(math.log2(channels) + self.beta) / self.gamma)
        return max(size if size % 2 else size + 1, 3)

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the convolution along the channels."""
        self.conv = keras.layers.Conv1D(
            1,
            self.num_neighbors(channels),
            padding="same",
            activation=self.gate_activation,
            use_bias=False,
            kernel_initializer=clone_initializer(self.kernel_initializer),
            data_format="channels_last",
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="conv",
        )
        self.conv.build((None, channels, 1))
        build_activation(self.gate_activation, (None, channels, 1))

    def excite(self, squeezed: Any) -> Any:
        """Returns the gates: `(batch, channels)`."""
        return ops.squeeze(self.conv(ops.expand_dims(squeezed, -1)), -1)

    @property
    def excites_means(self) -> bool:
        """The gates come from the means alone."""
        return True

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "gamma": self.gamma,
            "beta": self.beta,
            "gate_activation": serialize_activation(self.gate_activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

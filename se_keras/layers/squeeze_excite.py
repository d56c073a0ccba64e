"""The Squeeze-and-Excitation layer."""

from typing import Any

import keras

from se_keras.layers.activation import own_activation, serialize_activation
from se_keras.layers.arguments import (
    Activation,
    Initializer,
    Regularizer,
    fraction,
    positive_integer,
    positive_number,
    rounded_width,
)
from se_keras.layers.gate import DenseGate
from se_keras.layers.means import maximum

SQUEEZES = ("avg", "max")


@keras.saving.register_keras_serializable(package="se_keras")
class SqueezeExcite(DenseGate):
    """Squeeze-and-Excitation: scales each channel by a gate computed from all channels.

    The squeeze reduces every channel to one number over all spatial axes; the
    excitation, two fully connected layers, turns these into one gate per channel;
    the input is multiplied by its gates:

    `outputs = inputs * gate(fc2(activation(fc1(mean(inputs)))))`

    The width between the two layers is `hidden_channels` if that is given, else
    `C / ratio` rounded to the nearest multiple of `divisor` and not below
    `min_channels`. The conventions of well-known networks:

    | network | hidden channels | activations |
    | --- | --- | --- |
    | the paper, Caffe release | `ratio=16` | relu, sigmoid |
    | timm's SE-ResNets | `ratio=16, divisor=8` | relu, sigmoid |
    | MobileNetV3 | `ratio=4, divisor=8, round_limit=0.9` | relu, hard_sigmoid |
    | EfficientNet | `hidden_channels=block_input_channels // 4` | swish, sigmoid |

    Args:
        ratio: Reduction ratio r of the hidden layer, a positive number. Ignored if
            `hidden_channels` is given.
        hidden_channels: Width between the two fully connected layers. Defaults to
            `None`: computed from `ratio`.
        divisor: The hidden width is a multiple of this, above `min_channels`.
        min_channels: The hidden width is not below this.
        activation: Activation after the first fully connected layer. Of a layer, such
            as `keras.layers.PReLU()`, each gate has a copy with weights of its own.
        gate_activation: Activation after the second; its output is the gate. A layer
            is copied as well.
        squeeze: `"avg"`, or `"max"` as in table 11 of the paper. The average
            accumulates in float32 whatever the precision. Positions that a mask
            excludes do not count; without any other position it is 0.
        use_bias: Whether the fully connected layers have a bias.
        kernel_initializer: Initializer of both kernels.
        bias_initializer: Initializer of both biases.
        kernel_regularizer: Regularizer of both kernels.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        round_limit: A rounded hidden width below `round_limit * C / ratio` goes up by
            one `divisor`: 0.9 in MobileNetV3 and EfficientNet, 0 elsewhere.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Input shape:
        Floating-point tensor of rank 3, 4 or 5 with a known number of channels:
        `(batch, ..., channels)`, or `(batch, channels, ...)` with
        `data_format="channels_first"`. Spatial sizes may be unknown.

    Output shape:
        That of the input, in the compute dtype.

    Raises:
        ValueError: On a bad argument at construction, on an input of rank 2 or
            with an unknown number of channels at build, on integer input.

    Reference:
        [Hu et al., Squeeze-and-Excitation Networks](https://arxiv.org/abs/1709.01507),
        section 3: equation 2 is the squeeze, 3 the excitation, 4 the scale.

    Example:

    ```python
    model = keras.Sequential([
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(64, 3, activation="relu"),
        SqueezeExcite(ratio=16),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10),
    ])
    ```
    """

    last_layers = ("fc2",)

    def __init__(
        self,
        ratio: float = 16,
        hidden_channels: int | None = None,
        divisor: int = 1,
        min_channels: int = 1,
        activation: Activation = "relu",
        gate_activation: Activation = "sigmoid",
        squeeze: str = "avg",
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        data_format: str | None = None,
        round_limit: float = 0.0,
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
        if squeeze not in SQUEEZES:
            raise ValueError(
                f"Argument `squeeze` must be one of {SQUEEZES}. "
                f"Received: squeeze={squeeze!r}"
            )
        self.ratio = positive_number("ratio", ratio)
        self.hidden_channels = (
            None
            if hidden_channels is None
            else positive_integer("hidden_channels", hidden_channels)
        )
        self.divisor = positive_integer("divisor", divisor)
        self.min_channels = positive_integer("min_channels", min_channels)
        self.activation = own_activation(self, "activation", activation)
        self.squeeze = squeeze
        self.round_limit = fraction("round_limit", round_limit)

    def compute_hidden_channels(self, channels: int) -> int:
        """Returns the hidden width for an input of `channels` channels."""
        if self.hidden_channels is not None:
            return self.hidden_channels
        width = rounded_width(channels / self.ratio, self.divisor, self.round_limit)
        return max(width, self.min_channels)

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the two fully connected layers."""
        hidden = self.compute_hidden_channels(channels)
        self.fc1 = self.dense("fc1", hidden, self.activation, channels)
        self.fc2 = self.dense("fc2", channels, self.gate_activation, hidden)

    def compute_gate(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the gates of `inputs`: `(batch, channels)`."""
        if self.squeeze == "max":
            return self.excite(maximum(inputs, self.spatial_axes(inputs), mask))
        return super().compute_gate(inputs, mask)

    def excite(self, squeezed: Any) -> Any:
        """Returns the gates for what the squeeze returned: `(batch, channels)`."""
        return self.fc2(self.fc1(squeezed))

    @property
    def excites_means(self) -> bool:
        """Whether the squeeze is the average."""
        return self.squeeze == "avg"

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "hidden_channels": self.hidden_channels,
            "divisor": self.divisor,
            "min_channels": self.min_channels,
            "activation": serialize_activation(self.activation),
            "squeeze": self.squeeze,
            "round_limit": self.round_limit,
        }

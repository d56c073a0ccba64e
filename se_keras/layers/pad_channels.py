"""Zero channels for shortcuts without parameters."""

from typing import Any

import keras
from keras import ops

from se_keras.layers.arguments import positive_integer, standardize_data_format


@keras.saving.register_keras_serializable(package="se_keras")
class PadChannels(keras.layers.Layer):
    """Appends zero channels to an image until it has `channels` of them.

    With a stride of 2 before it, this is the shortcut "option A" of He et al.: it
    has no parameters.

    Args:
        channels: Number of channels of the output.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, c)` with `c <= channels`, or `(batch, c, height,
        width)` with `data_format="channels_first"`.

    Output shape:
        The same with `channels` instead of `c`.

    Raises:
        ValueError: If the input has more than `channels` channels.

    Reference:
        [He et al. 2015, Deep Residual Learning](https://arxiv.org/abs/1512.03385),
        section 3.3, option A; used in section 4.2.

    Example:

    >>> PadChannels(32)(np.ones((2, 8, 8, 16), "float32")).shape
    (2, 8, 8, 32)
    """

    def __init__(self, channels: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        # The mask is one of positions, and all of them stay.
        self.supports_masking = True
        self.channels = positive_integer("channels", channels)
        self.data_format = standardize_data_format(data_format)
        self._axis = 1 if self.data_format == "channels_first" else 3

    def build(self, input_shape: Any) -> None:
        """Checks the number of input channels."""
        if len(input_shape) != 4 or not input_shape[self._axis]:
            raise ValueError(
                "PadChannels expects images of rank 4 with a known number of channels. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        if input_shape[self._axis] > self.channels:
            raise ValueError(
                f"PadChannels expects at most channels={self.channels} channels. "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def call(self, inputs: Any) -> Any:
        """Returns `inputs` with channels of zeros after its own."""
        padding = [(0, 0)] * 4
        padding[self._axis] = (0, self.channels - inputs.shape[self._axis])
        return ops.pad(inputs, padding)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape with `channels` channels."""
        shape = list(input_shape)
        shape[self._axis] = self.channels
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "channels": self.channels,
            "data_format": self.data_format,
        }

"""Channels exchanged between the groups of a grouped convolution."""

from typing import Any

import keras
from keras import ops

from se_keras.layers.arguments import positive_integer, standardize_data_format


@keras.saving.register_keras_serializable(package="se_keras")
class ChannelShuffle(keras.layers.Layer):
    """Permutes the channels, so that each group gets channels of every other group.

    The channels are written row by row into a table of `groups` rows and read column
    by column: of 6 channels in 3 groups, `0 1 | 2 3 | 4 5` becomes `0 2 | 4 1 | 3 5`.

    Args:
        groups: Number of groups, which divides the number of channels.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
        `data_format="channels_first"`.

    Output shape:
        That of the input.

    Raises:
        ValueError: If the channels do not divide into the groups.

    Reference:
        [Zhang et al. 2017, ShuffleNet](https://arxiv.org/abs/1707.01083), section 3.1;
        matches `torch.nn.ChannelShuffle`.

    Example:

    >>> ChannelShuffle(3)(np.ones((2, 8, 8, 6), "float32")).shape
    (2, 8, 8, 6)
    """

    def __init__(self, groups: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        # The mask is one of positions, and all of them stay.
        self.supports_masking = True
        self.groups = positive_integer("groups", groups)
        self.data_format = standardize_data_format(data_format)
        self._axis = 1 if self.data_format == "channels_first" else 3

    def build(self, input_shape: Any) -> None:
        """Checks the number of channels."""
        if len(input_shape) != 4 or not input_shape[self._axis]:
            raise ValueError(
                "ChannelShuffle expects images of rank 4 with a known number of "
                f"channels. Received: input_shape={tuple(input_shape)}"
            )
        if input_shape[self._axis] % self.groups:
            raise ValueError(
                f"ChannelShuffle expects a multiple of groups={self.groups} channels. "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def call(self, inputs: Any) -> Any:
        """Returns `inputs` with its channels in another order."""
        shape = ops.shape(inputs)
        before, after = shape[: self._axis], shape[self._axis + 1 :]
        table = (self.groups, inputs.shape[self._axis] // self.groups)
        x = ops.reshape(inputs, (*before, *table, *after))
        return ops.reshape(ops.swapaxes(x, self._axis, self._axis + 1), shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "groups": self.groups,
            "data_format": self.data_format,
        }

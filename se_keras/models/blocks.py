"""The few layers that every builder is made of, with one place for their settings."""

import dataclasses

import keras

from se_keras.layers import BatchNormalization, PadChannels


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """What every family's spec has.

    Attributes:
        bn_momentum: Batch-norm momentum in Keras's convention: 0.9 here is 0.1 in
            PyTorch.
        bn_epsilon: Batch-norm epsilon.
        dropout: Share of features that are dropped before the classifier.
        min_size: Least height and width of an image, in pixels.
    """

    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5
    dropout: float = 0.0
    min_size: int = 1


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Applies layers that share layout, precision and batch-norm settings.

    Attributes:
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: Precision of the layers: a name, a `keras.DTypePolicy` or `None`.
        bn_momentum: Momentum in Keras's convention: 0.9 here is 0.1 in PyTorch.
        bn_epsilon: Added to the variance.
        drop_path: Rate of stochastic depth in the last residual block.
    """

    data_format: str
    dtype: object = None
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5
    drop_path: float = 0.0

    @property
    def channel_axis(self) -> int:
        """Index of the channels axis of an image."""
        return 1 if self.data_format == "channels_first" else -1

    def channels(self, x) -> int:
        """Returns the number of channels of `x`."""
        return x.shape[self.channel_axis]

    def sides(self, x) -> tuple[int | None, int | None]:
        """Returns height and width of `x`, `None` where they are not known."""
        return x.shape[2:] if self.channel_axis == 1 else x.shape[1:3]

    def conv(
        self,
        x,
        filters: int,
        kernel_size: int,
        name: str,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        use_bias: bool = False,
    ):
        """Convolution, padded alike on all sides; without bias as a rule.

        Keras's "same" pads a strided convolution by less on the top left than
        on the bottom right; Caffe and PyTorch pad all sides alike.
        """
        padding = "same"
        if stride > 1 and kernel_size > 1:
            x = self.pad(x, dilation * (kernel_size - 1) // 2, f"{name}_pad")
            padding = "valid"
        return keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=stride,
            padding=padding,
            dilation_rate=dilation,
            groups=groups,
            use_bias=use_bias,
            # He et al. 2015 in the fan-out form, as torchvision and timm draw it.
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_out", "untruncated_normal"
            ),
            data_format=self.data_format,
            dtype=self.dtype,
            name=name,
        )(x)

    def depthwise_conv(self, x, kernel_size: int, name: str, *, stride: int = 1):
        """Convolution of each channel by itself, padded as `conv` is."""
        padding = "same"
        if stride > 1 and kernel_size > 1:
            x = self.pad(x, (kernel_size - 1) // 2, f"{name}_pad")
            padding = "valid"
        return keras.layers.DepthwiseConv2D(
            kernel_size,
            strides=stride,
            padding=padding,
            use_bias=False,
            # The fan-out of one channel is its kernel; Keras would count all channels.
            depthwise_initializer=keras.initializers.RandomNormal(
                stddev=(2 / kernel_size**2) ** 0.5
            ),
            data_format=self.data_format,
            dtype=self.dtype,
            name=name,
        )(x)

    def pad(self, x, margin, name: str):
        """Zeros around the image: a number, or `((top, bottom), (left, right))`."""
        return keras.layers.ZeroPadding2D(
            margin, data_format=self.data_format, dtype=self.dtype, name=name
        )(x)

    def pad_channels(self, x, channels: int, name: str):
        """Channels of zeros behind those of `x`, up to `channels`."""
        return PadChannels(
            channels, data_format=self.data_format, dtype=self.dtype, name=name
        )(x)

    def norm(self, x, name: str):
        """Batch normalization."""
        return BatchNormalization(
            axis=self.channel_axis,
            momentum=self.bn_momentum,
            epsilon=self.bn_epsilon,
            dtype=self.dtype,
            name=name,
        )(x)

    def relu(self, x, name: str):
        """Rectifier."""
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)

    def add(self, a, b, name: str):
        """Sum of two tensors."""
        return keras.layers.Add(dtype=self.dtype, name=name)([a, b])

    def drop_branch(self, x, depth: float, name: str):
        """Stochastic depth: in training, some images of a batch go without a branch.

        Args:
            x: Output of a residual branch.
            depth: Where its block is, from 0, the first, to 1, the last. The rate
                rises with it from 0 to `drop_path`.
            name: Name of the layer.

        Reference:
            [Huang et al. 2016](https://arxiv.org/abs/1603.09382), section 3. The
            branches that stay are scaled up, so that inference has nothing to scale.
        """
        if not self.drop_path * depth:
            return x
        return keras.layers.Dropout(
            self.drop_path * depth,
            noise_shape=(None, 1, 1, 1),
            dtype=self.dtype,
            name=name,
        )(x)

    def concat(self, tensors, name: str):
        """The channels of several tensors, one after the other."""
        return keras.layers.Concatenate(
            axis=self.channel_axis, dtype=self.dtype, name=name
        )(tensors)

    def max_pool(
        self, x, pool_size: int, stride: int, name: str, margin=0, padding="valid"
    ):
        """Maximum over windows of an image with a margin of zeros.

        Padding with zeros is exact behind a rectifier: no value is below them. With
        `padding="same"` it is left out of the maximum, as it has to be behind gates
        that can be negative.
        """
        if margin:
            x = self.pad(x, margin, f"{name}_pad")
        return keras.layers.MaxPooling2D(
            pool_size,
            stride,
            padding=padding,
            data_format=self.data_format,
            dtype=self.dtype,
            name=name,
        )(x)

    def avg_pool(self, x, pool_size: int, stride: int, name: str, padding="valid"):
        """Mean over windows; padding is not counted."""
        return keras.layers.AveragePooling2D(
            pool_size,
            stride,
            padding=padding,
            data_format=self.data_format,
            dtype=self.dtype,
            name=name,
        )(x)

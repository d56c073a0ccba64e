"""The layers that every network is made of, with one place for their settings."""

import contextlib

import keras

from se_keras.layers import BatchNormalization, PadChannels
from se_keras.models.attention import Attention
from se_keras.models.structure import STEM, Recorder, Structure

# He et al. 2015 in the fan-out form, as torchvision and timm draw it.
KERNEL_INITIALIZER = ("fan_out", "untruncated_normal")


class NetworkBuilder:
    """Applies layers that share layout, precision and batch-norm settings.

    A builder of a family, `features(spec, net, x)`, calls its methods, each with the
    role of the layer: in the part `"stage1_block1"` the role `"conv1"` is the layer
    `"stage1_block1_conv1"`. What it builds is recorded: `structure()`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: Precision of the layers: a name, a `keras.DTypePolicy` or `None`.
        bn_momentum: Momentum in Keras's convention: 0.9 here is 0.1 in PyTorch.
        bn_epsilon: Added to the variance.
        drop_path: Rate of stochastic depth in the last residual block.
        attention: What enters the network at the places of attention.
        output_stride: Stride of the last feature map; `None` for the network's own.
    """

    def __init__(
        self,
        data_format: str = "channels_last",
        dtype=None,
        bn_momentum: float = 0.9,
        bn_epsilon: float = 1e-5,
        drop_path: float = 0.0,
        attention: Attention | None = None,
        output_stride: int | None = None,
    ):
        self.data_format = data_format
        self.dtype = dtype
        self.bn_momentum = bn_momentum
        self.bn_epsilon = bn_epsilon
        self.drop_path = drop_path
        self.output_stride = output_stride
        self.dropped_branches = 0
        self._attention = attention or Attention()
        self._recorder = Recorder()
        self._part = self._recorder.begin("stem", STEM, None)
        # By identity, with the tensors, which keeps the identities valid.
        self._producers = {}

    @contextlib.contextmanager
    def part(self, name: str, stage: int | None = STEM, block: int | None = None):
        """Makes the layers that are applied in the context a part of the network.

        Args:
            name: Prefix of their names: `"stem"`, `"stage1_block1"`.
            stage: Number of the stage, from 1; 0 for the stem, `None` for the head.
            block: Number of the block in its stage, from 1.
        """
        before, self._part = self._part, self._recorder.begin(name, stage, block)
        try:
            yield
        finally:
            self._part = before

    def block(self, place):
        """Returns the context of the part at a `Place`."""
        return self.part(place.name, place.stage, place.block)

    def structure(self, family, spec, levels) -> Structure:
        """Returns the structure of what was built.

        Args:
            family: The `Family`.
            spec: The spec of the network.
            levels: The feature maps by level, as the family's builder returned them.
        """
        return self._recorder.structure(
            family=family.name,
            levels={level: self.producer(x) for level, x in levels.items()},
            traits=family.traits(spec),
            min_size=spec.min_size,
        )

    def producer(self, x) -> str:
        """Returns the name of the layer that returned a tensor."""
        return self._producers[id(x)][0]

    @property
    def channel_axis(self) -> int:
        """Index of the channels axis of an image."""
        return 1 if self.data_format == "channels_first" else -1

    def channels(self, x) -> int:
        """Returns the number of channels of `x`."""
        return x.shape[self.channel_axis]

    def size(self, x) -> tuple[int | None, int | None]:
        """Returns height and width of `x`, `None` where they are not known."""
        return tuple(x.shape[2:] if self.channel_axis == 1 else x.shape[1:3])

    def apply(self, kind: type, x, role: str, *, name: str | None = None, **config):
        """Applies a new layer.

        Args:
            kind: Class of the layer.
            x: The tensor or tensors that it takes.
            role: Its role in the part.
            name: Its name. Defaults to the name of the part, `_` and the role.
            **config: Its arguments, without `name` and `dtype`.
        """
        name = name or self._name(role)
        y = self._call(kind, x, {"dtype": self.dtype, **config, "name": name})
        return self.record(y, role, name)

    def record(self, y, role: str, name: str):
        """Records that a layer of the part returned `y`, and returns `y`."""
        self._recorder.add(self._part, role, name)
        self._producers[id(y)] = name, y
        return y

    def _call(self, kind, x, config):
        return kind(**config)(x)

    def _name(self, role):
        return role if self._part.stage is None else f"{self._part.name}_{role}"

    def attention(
        self,
        placement: str,
        x,
        role: str = "se",
        *,
        stage: int | None = None,
        name: str | None = None,
    ):
        """Returns `x` after the attention, if there is one at this place.

        Args:
            placement: One of `PLACEMENTS`.
            x: A feature map.
            role: Role of the attention layer.
            stage: Number of the stage. Defaults to that of the part.
            name: Name of the attention layer. Defaults to that of its role.
        """
        name = name or self._name(role)
        stage = (self._part.stage or STEM) if stage is None else stage
        if placement == "standard":
            self._recorder.place(name, self.producer(x))
        y = self._attention(placement, x, stage=stage, name=name)
        return x if y is x else self.record(y, role, name)

    def conv(
        self,
        x,
        filters: int,
        kernel_size: int,
        role: str,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        use_bias: bool = False,
    ):
        """Convolution, with the same padding on all sides, without bias by default.

        Keras's "same" pads a strided convolution by less on the top left than
        on the bottom right; Caffe and PyTorch pad all sides alike.
        """
        padding = "same"
        if stride > 1 and kernel_size > 1:
            x = self.pad(x, dilation * (kernel_size - 1) // 2, f"{role}_pad")
            padding = "valid"
        return self.apply(
            keras.layers.Conv2D,
            x,
            role,
            filters=filters,
            kernel_size=kernel_size,
            strides=stride,
            padding=padding,
            dilation_rate=dilation,
            groups=groups,
            use_bias=use_bias,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, *KERNEL_INITIALIZER
            ),
            data_format=self.data_format,
        )

    def depthwise_conv(self, x, kernel_size: int, role: str, *, stride: int = 1):
        """Convolution of each channel by itself, padded as `conv` is."""
        padding = "same"
        if stride > 1 and kernel_size > 1:
            x = self.pad(x, (kernel_size - 1) // 2, f"{role}_pad")
            padding = "valid"
        return self.apply(
            keras.layers.DepthwiseConv2D,
            x,
            role,
            kernel_size=kernel_size,
            strides=stride,
            padding=padding,
            use_bias=False,
            # The fan-out of one channel is its kernel; Keras would count all channels.
            depthwise_initializer=keras.initializers.RandomNormal(
                stddev=(2 / kernel_size**2) ** 0.5
            ),
            data_format=self.data_format,
        )

    def pad(self, x, padding, role: str):
        """Zeros around the image: a number, or `((top, bottom), (left, right))`."""
        return self.apply(
            keras.layers.ZeroPadding2D,
            x,
            role,
            padding=padding,
            data_format=self.data_format,
        )

    def pad_channels(self, x, channels: int, role: str):
        """Appends channels of zeros to those of `x`, up to `channels`."""
        return self.apply(
            PadChannels, x, role, channels=channels, data_format=self.data_format
        )

    def norm(self, x, role: str):
        """Batch normalization."""
        return self.apply(
            BatchNormalization,
            x,
            role,
            axis=self.channel_axis,
            momentum=self.bn_momentum,
            epsilon=self.bn_epsilon,
        )

    def relu(self, x, role: str):
        """ReLU."""
        return self.apply(keras.layers.ReLU, x, role)

    def add(self, a, b, role: str):
        """Sum of two tensors."""
        return self.apply(keras.layers.Add, [a, b], role)

    def drop_branch(self, x, depth: float, role: str = "drop_path"):
        """Stochastic depth: in training, some images of a batch skip a branch.

        Args:
            x: Output of a residual branch.
            depth: Position of its block, from 0, the first, to 1, the last. The rate
                rises with it from 0 to `drop_path`.
            role: Role of the layer.

        Reference:
            [Huang et al. 2016](https://arxiv.org/abs/1603.09382), section 3. The
            branches that stay are scaled up, so that inference has nothing to scale.
        """
        self.dropped_branches += 1
        if not self.drop_path * depth:
            return x
        return self.apply(
            keras.layers.Dropout,
            x,
            role,
            rate=self.drop_path * depth,
            noise_shape=(None, 1, 1, 1),
        )

    def concat(self, tensors, role: str):
        """The channels of several tensors, one after the other."""
        return self.apply(
            keras.layers.Concatenate, tensors, role, axis=self.channel_axis
        )

    def max_pool(
        self,
        x,
        pool_size: int,
        stride: int,
        role: str,
        zeros=0,
        padding: str = "valid",
    ):
        """Maximum over windows.

        Args:
            x: A feature map.
            pool_size: Height and width of a window, in pixels.
            stride: Stride of the windows, in pixels.
            role: Role of the layer.
            zeros: Padding with zeros, as in `pad`. It is exact after a ReLU: no value
                is below them.
            padding: `"same"` leaves its padding out of the maximum, which is needed
                after gates that can be negative.
        """
        if zeros:
            x = self.pad(x, zeros, f"{role}_pad")
        return self._pool(
            keras.layers.MaxPooling2D, x, pool_size, stride, role, padding
        )

    def avg_pool(
        self, x, pool_size: int, stride: int, role: str, padding: str = "valid"
    ):
        """Mean over windows; padding is not counted."""
        return self._pool(
            keras.layers.AveragePooling2D, x, pool_size, stride, role, padding
        )

    def _pool(self, kind, x, pool_size, stride, role, padding):
        return self.apply(
            kind,
            x,
            role,
            pool_size=pool_size,
            strides=stride,
            padding=padding,
            data_format=self.data_format,
        )

"""The base classes of attention layers that multiply their input by gates."""

from typing import Any

import keras
from keras import ops

from se_keras.layers.arguments import (
    Activation,
    Initializer,
    Regularizer,
    clone_initializer,
    standardize_data_format,
)
from se_keras.layers.means import mean, with_mean


class Gate(keras.layers.Layer):
    """Base class of attention layers: `outputs = inputs * gate(inputs)`.

    A subclass implements

    - `build_gate(channels, rank)`, which creates its weights, and
    - `compute_gate(inputs)`, which returns the gates of an input; or, if the gates
      depend on the mean of each channel only, `excite(squeezed)` instead, and the
      property `excites_means`, which then returns `True`: training is faster.

    The base class checks the input, computes in the layer's precision and layout, and
    multiplies. The input that a subclass gets is in floating point, of rank 3, 4 or 5,
    and has a known number of channels. A layer with arguments of its own returns them
    in `get_config`, like every Keras layer.

    A class with an argument `gate_activation` may declare `last_layers`: names of the
    attributes with the layers whose output that activation gets. Then
    `add_squeeze_excite` can start it at 1 (`identity_start`): it sets their weights to
    0 and doubles a sigmoid.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Input shape:
        Floating-point tensor of rank 3, 4 or 5 with a known number of channels:
        `(batch, ..., channels)`, or `(batch, channels, ...)` with
        `data_format="channels_first"`.

    Output shape:
        That of the input, in the compute dtype.

    Example:

    ```python
    @keras.saving.register_keras_serializable(package="my_package")
    class ScaledGate(Gate):
        '''One weight for each channel: `sigmoid(scale * mean)`.'''

        def __init__(self, initial_scale=1.0, **kwargs):
            super().__init__(**kwargs)
            self.initial_scale = initial_scale

        def build_gate(self, channels, rank):
            self.scale = self.add_weight(
                shape=(channels,),
                initializer=keras.initializers.Constant(self.initial_scale),
                name="scale",
            )

        def excite(self, squeezed):
            return keras.ops.sigmoid(self.scale * squeezed)

        @property
        def excites_means(self):
            return True

        def get_config(self):
            return {**super().get_config(), "initial_scale": self.initial_scale}

    model = create_model("resnet50", attention=ScaledGate(initial_scale=0.5))
    ```
    """

    last_layers: tuple[str, ...] = ()

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the weights for inputs of `rank` axes with `channels` channels."""
        raise NotImplementedError(f"{type(self).__name__} must implement `build_gate`")

    def compute_gate(self, inputs: Any) -> Any:
        """Returns the gates for `inputs`, which have the compute dtype."""
        return self.excite(self.squeeze_mean(inputs))

    def excite(self, squeezed: Any) -> Any:
        """Returns the gates for the means of the channels, `(batch, channels)`."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `compute_gate` or `excite`"
        )

    @property
    def excites_means(self) -> bool:
        """Whether the gates come from `excite` and the means alone."""
        return False

    def gate(self, inputs: Any) -> Any:
        """Returns the gates of an input, without multiplying it by them.

        Args:
            inputs: A tensor, an array or a Keras tensor of the shape that the layer
                takes. The layer is built on it if it was not built before.

        Returns:
            The gates, in the compute dtype: `(batch, channels)` for a channel gate;
            a spatial gate has the shape of the input with one channel.
        """
        if not isinstance(inputs, keras.KerasTensor):
            inputs = ops.convert_to_tensor(inputs)
        self._check_dtype(inputs)
        if not self.built:
            self.build(tuple(inputs.shape))
        elif self._shape_key(inputs.shape) != self._built_for:
            rank, channels = self._built_for
            raise ValueError(
                f"{type(self).__name__} was built for inputs of rank {rank} with "
                f"{channels} channels. Received: inputs of shape {tuple(inputs.shape)}"
            )
        return self.compute_gate(ops.cast(inputs, self.compute_dtype))

    def build(self, input_shape: Any) -> None:
        """Checks the input's shape and creates the weights."""
        rank = len(input_shape)
        if rank not in (3, 4, 5):
            raise ValueError(
                f"{type(self).__name__} expects inputs of rank 3 (sequences), 4 "
                "(images) or 5 (volumes): batch, channels and at least one spatial "
                f"axis. Received: input_shape={tuple(input_shape)}"
            )
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ValueError(
                f"{type(self).__name__} needs to know the number of channels, axis "
                f"{self.channel_axis} of its input with data_format="
                f"{self.data_format!r}. Received: input_shape={tuple(input_shape)}"
            )
        self.input_spec = keras.layers.InputSpec(
            ndim=rank, axes={self.channel_axis: channels}
        )
        self._built_for = self._shape_key(input_shape)
        self.build_gate(channels, rank)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Returns `inputs` scaled by their gates."""
        self._check_dtype(inputs)
        if training and self.excites_means:
            inputs, squeezed = with_mean(
                inputs, self.spatial_axes(inputs), self._wide_dtype
            )
            gates = self.excite(squeezed)
        else:
            gates = self.compute_gate(inputs)
        self._check_gates(gates, inputs)
        gates = ops.cast(gates, inputs.dtype)
        return inputs * self.broadcast(gates, inputs)

    def broadcast(self, gates: Any, inputs: Any) -> Any:
        """Gives gates of shape `(batch, channels)` the rank of `inputs`."""
        if len(gates.shape) == len(inputs.shape):
            return gates
        ones = (1,) * (len(inputs.shape) - 2)
        channels = inputs.shape[self.channel_axis]
        if self.channel_axis == 1:
            return ops.reshape(gates, (-1, channels, *ones))
        return ops.reshape(gates, (-1, *ones, channels))

    def squeeze_mean(self, inputs: Any) -> Any:
        """Returns the mean over all spatial axes, accumulated in float32 or wider."""
        return mean(inputs, self.spatial_axes(inputs), self._wide_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """A gate keeps the shape of its input."""
        return tuple(input_shape)

    def compute_output_spec(self, inputs: Any, training: bool | None = False) -> Any:
        """A gate keeps the shape of its input and returns the compute dtype."""
        self._check_dtype(inputs)
        if not type(self).__module__.startswith("se_keras."):
            # A user's subclass: what it computes is checked before the first batch.
            inputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
            gates = _Call(self._compute_tensor).compute_output_spec(inputs)
            self._check_gates(gates, inputs)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def _compute_tensor(self, inputs):
        gates = self.compute_gate(inputs)
        if not hasattr(gates, "shape"):
            self._check_gates(gates, inputs)
        return gates

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {**super().get_config(), "data_format": self.data_format}

    @property
    def channel_axis(self) -> int:
        """Index of the axis of the channels: 1, or -1 with channels last."""
        return 1 if self.data_format == "channels_first" else -1

    def spatial_axes(self, inputs: Any) -> tuple[int, ...]:
        """Returns the indices of the spatial axes of `inputs`: `(1, 2)` of an image."""
        first = 2 if self.channel_axis == 1 else 1
        return tuple(range(first, first + len(inputs.shape) - 2))

    @property
    def _wide_dtype(self) -> str:
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _shape_key(self, shape) -> tuple[int, int | None]:
        return len(shape), shape[self.channel_axis]

    def _check_gates(self, gates, inputs):
        """Raises a `ValueError` if gates have a shape that cannot scale `inputs`."""
        received = tuple(getattr(gates, "shape", ())) or type(gates).__name__
        shape = tuple(inputs.shape)
        channels = shape[self.channel_axis]
        if isinstance(received, tuple) and _agree(received[0], shape[0]):
            if len(received) == 2 and received[1] == channels:
                return
            if len(received) == len(shape) and received[self.channel_axis] in (
                1,
                channels,
            ):
                sizes = [
                    (received[axis], shape[axis]) for axis in self.spatial_axes(inputs)
                ]
                if all(ours == 1 for ours, _ in sizes) or all(
                    _agree(ours, theirs) for ours, theirs in sizes
                ):
                    return
        raise ValueError(
            f"{type(self).__name__} must compute gates of shape (batch, channels), "
            f"{(shape[0], channels)}, or of the shape of its input, {shape}, with all "
            f"channels or one (axis {self.channel_axis} with data_format="
            f"{self.data_format!r}). Received: {received}"
        )

    def _check_dtype(self, inputs):
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if "float" not in dtype:
            raise ValueError(
                f"{type(self).__name__} expects floating-point inputs; cast or rescale "
                f"them first. Received: dtype={dtype}"
            )


class _Call(keras.layers.Layer):
    """A function as a layer: Keras computes its output from the shape of its input."""

    def __init__(self, function):
        super().__init__(name="gates")
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def _agree(size: int | None, other: int | None) -> bool:
    return None in (size, other) or size == other


class DenseGate(Gate):
    """Base class of attention layers whose gates fully connected layers compute.

    A subclass creates its layers in `build_gate` by `dense(...)`, and implements
    `excite` or `compute_gate` as described in `Gate`.

    Args:
        gate_activation: Activation whose output is the gate.
        use_bias: Whether the fully connected layers have a bias.
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        kernel_regularizer: Regularizer of the kernels.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        gate_activation: Activation = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.gate_activation = keras.activations.get(gate_activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def dense(
        self, name: str, units: int, activation: Activation, channels: int
    ) -> keras.layers.Dense:
        """Returns a fully connected layer, built on inputs of `channels` channels."""
        layer = keras.layers.Dense(
            units,
            activation=activation,
            use_bias=self.use_bias,
            kernel_initializer=clone_initializer(self.kernel_initializer),
            bias_initializer=clone_initializer(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            # That of the layer, so that a frozen one is frozen after loading, too.
            trainable=self.trainable,
            name=name,
        )
        layer.build((None, channels))
        return layer

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "gate_activation": keras.activations.serialize(self.gate_activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

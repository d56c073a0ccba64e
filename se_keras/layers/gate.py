"""The base classes of attention layers that multiply their input by gates."""

import inspect
from typing import Any, Self

import keras
from keras import ops
from keras.src.backend import set_keras_mask

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
    standardize_data_format,
)
from se_keras.layers.inner import InnerChanges
from se_keras.layers.means import mean, with_mean

INNER_LAYERS = "inner_layers"


class Gate(keras.layers.Layer):
    """Base class of attention layers: `outputs = inputs * gate(inputs)`.

    A subclass implements

    - `build_gate(channels, rank)`, which creates its weights, and
    - `compute_gate(inputs, mask=None)`, which returns the gates of an input; or, if the
      gates depend on the mean of each channel only, `excite(squeezed)` instead, and the
      property `excites_means`, which then returns `True`: training is faster.

    The base class checks the input, computes in the layer's precision and layout, and
    multiplies. The input that a subclass gets is in floating point, of rank 3, 4 or 5,
    and has a known number of channels. A layer with arguments of its own returns them
    in `get_config`, like every Keras layer.

    A mask, such as that of `Embedding(mask_zero=True)`, states which positions
    count. The layer passes it on, and `squeeze_mean` leaves the other positions out. In
    `compute_gate` it is a boolean tensor that broadcasts against `inputs`. A class
    whose `compute_gate` has no argument `mask` refuses inputs with a mask.

    `quantize` and `enable_lora` of the layers inside of a gate are part of its config.

    A class with an argument `gate_activation` may declare `last_layers`: names of the
    attributes with the layers whose output that activation gets. Then
    `add_squeeze_excite` can start it at 1 (`identity_start`): it sets their weights to
    0 and doubles a sigmoid.

    Args:
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Tensor of the input shape.
        mask: Optional mask of shape `(batch, length)` for sequences; for images and
            volumes the batch and one or more of the leading spatial axes.
        gates_only: Whether the output is the gates and not the scaled input.

    Input shape:
        Floating-point tensor of rank 3, 4 or 5 with a known number of channels:
        `(batch, ..., channels)`, or `(batch, channels, ...)` with
        `data_format="channels_first"`.

    Output shape:
        That of the input, in the compute dtype.

    Raises:
        ValueError: On an input or a mask of another shape, and on integer input.

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
        if self.dtype_policy.quantization_mode is not None:
            raise ValueError(
                "Argument `dtype` must be a floating-point policy: quantize the model "
                f"when it is built. Received: dtype={self.dtype_policy.name!r}"
            )
        self.data_format = standardize_data_format(data_format)
        self.supports_masking = True
        self._inner_changes = InnerChanges()

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the weights for inputs of `rank` axes with `channels` channels."""
        raise NotImplementedError(f"{type(self).__name__} must implement `build_gate`")

    def compute_gate(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the gates for `inputs`, which have the compute dtype.

        Args:
            inputs: Tensor of the shape of the input.
            mask: Boolean tensor that broadcasts against `inputs`, or `None`.
        """
        return self.excite(self.squeeze_mean(inputs, mask))

    def excite(self, squeezed: Any) -> Any:
        """Returns the gates for the means of the channels, `(batch, channels)`."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement `compute_gate` or `excite`"
        )

    @property
    def excites_means(self) -> bool:
        """Whether the gates come from `excite` and the means alone."""
        return False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer, as every Keras layer."""
        outputs = super().__call__(*args, **kwargs)
        if kwargs.get("gates_only") and len(outputs.shape) == 2:
            # The mask is one of positions, which the gates of channels do not have.
            set_keras_mask(outputs, None)
        return outputs

    def gate(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the gates of an input, without multiplying it by them.

        In a functional model this is one more call of the layer, with the same weights.

        Args:
            inputs: A tensor, an array or a Keras tensor of the shape that the layer
                takes. The layer is built on it if it was not built before.
            mask: The mask of the inputs. Defaults to the one that Keras attached to
                them.

        Returns:
            The gates, in the compute dtype: `(batch, channels)` for a channel gate;
            a spatial gate has the shape of the input with one channel.
        """
        if not isinstance(inputs, keras.KerasTensor):
            inputs = ops.convert_to_tensor(inputs)
        self._check_dtype(inputs)
        if self.built and self._shape_key(inputs.shape) != self._built_for:
            rank, channels = self._built_for
            raise ValueError(
                f"{type(self).__name__} was built for inputs of rank {rank} with "
                f"{channels} channels. Received: inputs of shape {tuple(inputs.shape)}"
            )
        if not _takes(self.call, "gates_only"):
            raise ValueError(
                f"Expected `{type(self).__name__}.call` to have the argument "
                "`gates_only` of `Gate.call`. Received: a `call` without it"
            )
        return self(inputs, mask=mask, gates_only=True)

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
        self._inner_changes.apply(self)

    def call(
        self,
        inputs: Any,
        training: bool | None = False,
        mask: Any = None,
        gates_only: bool = False,
    ) -> Any:
        """Returns `inputs` scaled by their gates, or the gates with `gates_only`."""
        self._check_dtype(inputs)
        if training and self.excites_means and mask is None and not gates_only:
            inputs, squeezed = with_mean(
                inputs, self.spatial_axes(inputs), self._wide_dtype
            )
            gates = self.excite(squeezed)
        else:
            gates = self._compute(inputs, mask)
        self._check_gates(gates, inputs)
        gates = ops.cast(gates, inputs.dtype)
        return gates if gates_only else inputs * self.broadcast(gates, inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """A gate passes the mask of its input on."""
        return previous_mask

    def broadcast(self, gates: Any, inputs: Any) -> Any:
        """Gives gates of shape `(batch, channels)` the rank of `inputs`."""
        if len(gates.shape) == len(inputs.shape):
            return gates
        ones = (1,) * (len(inputs.shape) - 2)
        channels = inputs.shape[self.channel_axis]
        if self.channel_axis == 1:
            return ops.reshape(gates, (-1, channels, *ones))
        return ops.reshape(gates, (-1, *ones, channels))

    def squeeze_mean(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the mean over all spatial axes, accumulated in float32 or wider.

        Args:
            inputs: Tensor of the shape of the input.
            mask: See `compute_gate`. The mean of an input without any position that
                counts is 0.
        """
        return mean(inputs, self.spatial_axes(inputs), self._wide_dtype, mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """A gate keeps the shape of its input."""
        return tuple(input_shape)

    def compute_output_spec(
        self,
        inputs: Any,
        training: bool | None = False,
        mask: Any = None,
        gates_only: bool = False,
    ) -> Any:
        """A gate keeps the shape of its input and returns the compute dtype."""
        self._check_dtype(inputs)
        if mask is not None:
            self._check_mask(inputs, mask)
        inputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        # A user's subclass: what it computes is checked before the first batch.
        if gates_only or not type(self).__module__.startswith("se_keras."):
            tensors = (inputs,) if mask is None else (inputs, mask)
            gates = _Call(self._compute_tensor).compute_output_spec(*tensors)
            self._check_gates(gates, inputs)
            if gates_only:
                return keras.KerasTensor(gates.shape, dtype=self.compute_dtype)
        return inputs

    def _compute_tensor(self, inputs, mask=None):
        gates = self._compute(inputs, mask)
        if not hasattr(gates, "shape"):
            self._check_gates(gates, inputs)
        return gates

    def _compute(self, inputs, mask):
        """Returns the gates for inputs with a mask as Keras has it, or `None`."""
        if mask is None:
            return self.compute_gate(inputs)
        self._check_mask(inputs, mask)
        spatial = len(mask.shape) - 1
        ones = range(spatial + 1, len(inputs.shape))
        if self.channel_axis == 1:
            ones = (1, *range(spatial + 2, len(inputs.shape)))
        mask = ops.expand_dims(ops.cast(mask, "bool"), tuple(ones))
        return self.compute_gate(inputs, mask=mask)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer.

        What was changed in its layers after they were built, by `quantize` or
        `enable_lora`, is among them, for `from_config`.
        """
        config = {**super().get_config(), "data_format": self.data_format}
        changes = self._inner_changes.of(self)
        return {**config, INNER_LAYERS: changes} if changes else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns a layer from what `get_config` returned."""
        config = dict(config)
        changes = config.pop(INNER_LAYERS, None)
        layer = super().from_config(config)
        layer._inner_changes = InnerChanges(changes)
        return layer

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

    def _check_mask(self, inputs, mask):
        """Raises a `ValueError` if a mask does not fit or the gate takes none."""
        expected = (
            inputs.shape[0],
            *(inputs.shape[i] for i in self.spatial_axes(inputs)),
        )
        received = tuple(mask.shape)
        if not 2 <= len(received) <= len(expected) or not all(
            _agree(ours, theirs)
            for ours, theirs in zip(received, expected, strict=False)
        ):
            raise ValueError(
                f"{type(self).__name__} expects a mask of shape {expected}, or of the "
                "leading two or more of these axes. "
                f"Received: a mask of shape {received}"
            )
        if not _takes(self.compute_gate, "mask"):
            raise ValueError(
                f"Expected `{type(self).__name__}.compute_gate` to have an argument "
                "`mask=None`, since the input has a mask: a boolean tensor that "
                "broadcasts against `inputs`. Received: a `compute_gate` without it"
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

    def call(self, *tensors):
        return self.function(*tensors)


def _takes(function, argument: str) -> bool:
    """Whether a function has an argument of this name."""
    parameters = inspect.signature(function).parameters.values()
    return any(
        parameter.name == argument or parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters
    )


def _agree(size: int | None, other: int | None) -> bool:
    return None in (size, other) or size == other


class DenseGate(Gate):
    """Base class of attention layers whose gates fully connected layers compute.

    A subclass creates its layers in `build_gate` by `dense(...)`, and implements
    `excite` or `compute_gate` as described in `Gate`.

    Args:
        gate_activation: Activation whose output is the gate. Of a layer, each gate has
            a copy with weights of its own.
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
        self.gate_activation = own_activation(self, "gate_activation", gate_activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def dense(
        self,
        name: str,
        units: int,
        activation: Activation,
        channels: int,
        rank: int = 2,
    ) -> keras.layers.Dense:
        """Returns a fully connected layer, built on inputs of `channels` channels.

        Args:
            name: Name of the layer.
            units: Number of its outputs.
            activation: Activation of its outputs. A layer is built, too.
            channels: Number of its inputs.
            rank: Number of axes of its inputs, the last of which has the channels.
        """
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
        build_activation(layer.activation, (None,) * (rank - 1) + (units,))
        return layer

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "gate_activation": serialize_activation(self.gate_activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

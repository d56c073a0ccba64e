"""The random mix of two branches that regularizes Shake-Shake networks."""

from typing import Any

import keras
from keras import ops

FORWARDS = ("shake", "even")
BACKWARDS = ("shake", "even", "keep")


@keras.saving.register_keras_serializable(package="se_keras")
class ShakeShake(keras.layers.Layer):
    """Mixes two branches, in training with random weights, and others in the gradient.

    `outputs = weight * a + (1 - weight) * b`

    In training each image has a random weight, and the gradient is computed as if other
    weights had been used: noise on activations and on gradients. In inference the
    weight is 1/2.

    | Gastaldi's name | `forward` | `backward` |
    | --- | --- | --- |
    | Shake-Shake-Image | `"shake"` | `"shake"` |
    | Shake-Even-Image | `"shake"` | `"even"` |
    | Shake-Keep-Image | `"shake"` | `"keep"` |
    | Even-Shake-Image | `"even"` | `"shake"` |
    | Even-Even | `"even"` | `"even"` |

    Args:
        forward: Weights of the forward pass: `"shake"`, uniform in 0..1 for each image;
            `"even"`, 1/2.
        backward: Weights of the backward pass: `"shake"`, drawn anew; `"even"`, 1/2;
            `"keep"`, those of the forward pass.
        seed: Seed of the weights, an integer or `None` for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        A list of two tensors `a` and `b` of the same shape, the batch first.

    Output shape:
        That of one input.

    Raises:
        ValueError: On an unknown `forward` or `backward`, or on other inputs.

    Reference:
        [Gastaldi 2017, Shake-Shake regularization](https://arxiv.org/abs/1705.07485),
        sections 1.2 and 1.3, at the level of images.

    Example:

    >>> ShakeShake()([np.ones((2, 8, 8, 4)), np.zeros((2, 8, 8, 4))]).shape
    (2, 8, 8, 4)
    """

    def __init__(
        self,
        forward: str = "shake",
        backward: str = "shake",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        for name, value, known in (
            ("forward", forward, FORWARDS),
            ("backward", backward, BACKWARDS),
        ):
            if value not in known:
                raise ValueError(
                    f"Argument `{name}` must be one of {known}. "
                    f"Received: {name}={value!r}"
                )
        # Not `self.forward`: on the PyTorch backend that is a method of every layer.
        self.forward_kind = forward
        self.backward_kind = backward
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """Checks that there are two inputs of one shape."""
        is_list = isinstance(input_shape[0], tuple | list)
        if not is_list or len(input_shape) != 2 or input_shape[0] != input_shape[1]:
            raise ValueError(
                "ShakeShake expects a list of two tensors of the same shape. "
                f"Received: input_shape={input_shape}"
            )

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Returns the mix of both inputs."""
        if not training:
            return self._mix(inputs, 0.5)
        weight = self._weight(self.forward_kind, inputs[0])
        if self.backward_kind == "keep":
            return self._mix(inputs, weight)
        # Its value is exactly 0, its gradient that of the second mix.
        backward = self._mix(inputs, self._weight(self.backward_kind, inputs[0]))
        backward = backward - ops.stop_gradient(backward)
        return ops.stop_gradient(self._mix(inputs, weight)) + backward

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """As `keras.layers.Average`: what one of both masks includes is included."""
        return keras.layers.Average().compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of one input."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that re-create the layer."""
        return {
            **super().get_config(),
            "forward": self.forward_kind,
            "backward": self.backward_kind,
            "seed": self.seed,
        }

    def _weight(self, kind, x):
        if kind == "even":
            return 0.5
        shape = (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1)
        return keras.random.uniform(shape, dtype=x.dtype, seed=self.seed_generator)

    @staticmethod
    def _mix(inputs, weight):
        a, b = inputs
        return weight * a + (1 - weight) * b

"""Keras's optimizers, with a learning rate and a decay for each variable.

The trainer sums gradients over replicas before it clips them and before the loss scale
looks for infinities, where Keras's optimizers would sum them afterwards.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
from keras import ops

from se_keras.training import sgd
from se_keras.training.choices import OPTIMIZERS
from se_keras.training.schedule import make_schedule

if TYPE_CHECKING:
    from se_keras.training.recipe import Recipe


def decays(variable: keras.Variable) -> bool:
    """Returns whether weight decay applies to a variable: to kernels only.

    It does not apply to biases, those of the gates included, and to the scale and
    offset of normalization layers.
    """
    return variable.path.endswith("kernel")


class _PerVariable:
    """Mixin of an optimizer of Keras.

    Args:
        decoupled_decay: Fraction of a kernel that a step subtracts from it, times the
            learning rate (Loshchilov and Hutter 2017).
        rate_scale: Callable of a variable that returns the factor of its learning rate.
        **kwargs: Arguments of the optimizer.
    """

    def __init__(
        self,
        learning_rate,
        *,
        decoupled_decay: float = 0.0,
        rate_scale: Callable[[keras.Variable], float] | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)  # type: ignore[call-arg]
        self.decoupled_decay = decoupled_decay
        self._rate_scale = rate_scale or (lambda variable: 1.0)

    def build(self, variables):
        """Creates the slots, and stores the factor and decay of each variable."""
        self._rate_scales = tuple(self._rate_scale(v) for v in variables)
        self._decayed = tuple(decays(v) for v in variables)
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """Updates a variable at its own learning rate."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._rate_scales[index]
        if self._decayed[index] and self.decoupled_decay:
            self.assign_sub(variable, variable * (self.decoupled_decay * rate))
        super().update_step(gradient, variable, rate)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Does nothing: the trainer has summed the gradients."""
        return grads_and_vars


class SGD(_PerVariable, sgd.SGD):
    """`keras.optimizers.SGD` for the trainer."""


class AdamW(_PerVariable, keras.optimizers.Adam):
    """Adam with decoupled decay of the kernels, as `keras.optimizers.AdamW`."""


class Lamb(_PerVariable, keras.optimizers.Lamb):
    """LAMB as implemented by timm and NVIDIA.

    The decay is part of the update whose norm the learning rate is adapted to, and
    variables without decay keep the plain rate. `keras.optimizers.Lamb` applies the
    decay before, at the plain rate.

    Reference:
        [You et al. 2019](https://arxiv.org/abs/1904.00962), algorithm 2.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Updates a variable."""
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(mean, (gradient - mean) * (1 - self.beta_1))
        self.assign_add(square, (ops.square(gradient) - square) * (1 - self.beta_2))
        update = (mean / (1 - ops.power(self.beta_1, step))) / (
            ops.sqrt(square / (1 - ops.power(self.beta_2, step))) + self.epsilon
        )
        rate = ops.cast(learning_rate, variable.dtype) * self._rate_scales[index]
        if self._decayed[index]:
            update = update + self.decoupled_decay * variable
            norms = [ops.sqrt(ops.sum(ops.square(x))) for x in (variable, update)]
            rate = rate * ops.where(
                (norms[0] > 0) & (norms[1] > 0), norms[0] / norms[1], 1.0
            )
        self.assign_sub(variable, rate * update)


def sgd_arguments(recipe):
    """Returns the class of the optimizer `"sgd"` and its arguments."""
    # The decay of SGD is an L2 term of the loss.
    return SGD, {"momentum": recipe.momentum, "nesterov": recipe.nesterov}


def adamw_arguments(recipe):
    """Returns the class of the optimizer `"adamw"` and its arguments."""
    return AdamW, {"decoupled_decay": recipe.weight_decay}


def lamb_arguments(recipe):
    """Returns the class of the optimizer `"lamb"` and its arguments."""
    return Lamb, {"decoupled_decay": recipe.weight_decay, "epsilon": 1e-6}


def make_optimizer(
    recipe: "Recipe",
    steps_per_epoch: int,
    rate_scale: Callable[[keras.Variable], float] | None = None,
    schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a recipe; call it in the scope of the cluster.

    Args:
        recipe: A `Recipe`.
        steps_per_epoch: Steps of an epoch, for the schedule.
        rate_scale: Callable of a variable that returns the factor of its learning rate.
        schedule: The learning rate. Defaults to that of the recipe.
    """
    kind, settings = OPTIMIZERS[recipe.optimizer](recipe)
    schedule = schedule or make_schedule(recipe, steps_per_epoch)
    optimizer = kind(schedule, rate_scale=rate_scale, **settings)
    if recipe.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def l2_penalty(recipe) -> float:
    """Returns the weight decay that is a term of the loss: 0 unless it is SGD's."""
    return recipe.weight_decay if recipe.optimizer == "sgd" else 0.0

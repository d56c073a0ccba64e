"""Learning-rate schedules, counted in steps."""

import keras
from keras import ops

LearningRate = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable(package="se_keras")
class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up before another schedule.

    Args:
        schedule: Schedule that counts from step 0, the warm-up included.
        warmup_steps: Steps in which the learning rate rises from 0 to the schedule's.

    Reference:
        [Goyal et al. 2017](https://arxiv.org/abs/1706.02677), section 2.2.
    """

    def __init__(self, schedule, warmup_steps: int):
        super().__init__()
        self.schedule = schedule
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        """Returns the learning rate of a step."""
        done = (ops.cast(step, "float32") + 1) / max(self.warmup_steps, 1)
        return self.schedule(step) * ops.minimum(done, 1.0)

    def get_config(self):
        """Returns the arguments that re-create the schedule."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "warmup_steps": self.warmup_steps,
        }

    @classmethod
    def from_config(cls, config):
        """Re-creates the schedule from `get_config`."""
        return cls(
            keras.saving.deserialize_keras_object(config["schedule"]),
            config["warmup_steps"],
        )


def make_schedule(
    recipe, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning-rate schedule of a recipe.

    Args:
        recipe: A `Recipe`.
        steps_per_epoch: Steps of an epoch.
    """
    schedules = keras.optimizers.schedules
    if recipe.schedule == "cosine":
        schedule = schedules.CosineDecay(
            recipe.learning_rate, recipe.epochs * steps_per_epoch
        )
    else:
        # The end of the run is a boundary too, for recipes without others. In Keras the
        # step of a boundary has the rate before it.
        boundaries = (*recipe.boundaries, recipe.epochs)
        schedule = schedules.PiecewiseConstantDecay(
            [epoch * steps_per_epoch - 1 for epoch in boundaries],
            [recipe.learning_rate * 0.1**i for i in range(len(boundaries) + 1)],
        )
    return Warmup(schedule, round(recipe.warmup_epochs * steps_per_epoch))

"""Training runs: a recipe in, a directory with a trained and exported model out.

Needs the TensorFlow backend of Keras.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from se_keras.training.cluster import Cluster as Cluster
    from se_keras.training.loop import Progress as Progress
    from se_keras.training.loop import Trainer as Trainer
    from se_keras.training.optimizer import make_optimizer as make_optimizer
    from se_keras.training.plots import plot_curves as plot_curves
    from se_keras.training.rate_range import find_learning_rate as find_learning_rate
    from se_keras.training.recipe import Recipe as Recipe
    from se_keras.training.recipes import RECIPES as RECIPES
    from se_keras.training.recipes import make_recipe as make_recipe
    from se_keras.training.recipes import recipes_table as recipes_table
    from se_keras.training.run import train as train
    from se_keras.training.runtime import Runtime as Runtime
    from se_keras.training.settings import fields_of as fields_of
    from se_keras.training.settings import read_config as read_config
    from se_keras.training.settings import write_config as write_config
    from se_keras.training.tasks import TASKS as TASKS
    from se_keras.training.tasks.classification import Classification as Classification
    from se_keras.training.tasks.task import Task as Task
else:
    from se_keras import lazy as _lazy
    from se_keras.backend import require_tensorflow as _require_tensorflow

    __getattr__, __dir__, __all__ = _lazy.attributes(
        __name__,
        _lazy.public(
            __name__,
            {
                "cluster": ("Cluster",),
                "loop": (
                    "Progress",
                    "Trainer",
                ),
                "optimizer": ("make_optimizer",),
                "plots": ("plot_curves",),
                "rate_range": ("find_learning_rate",),
                "recipe": ("Recipe",),
                "recipes": (
                    "RECIPES",
                    "make_recipe",
                    "recipes_table",
                ),
                "run": ("train",),
                "runtime": ("Runtime",),
                "settings": (
                    "fields_of",
                    "read_config",
                    "write_config",
                ),
                "tasks": ("TASKS",),
                "tasks.classification": ("Classification",),
                "tasks.task": ("Task",),
            },
        ),
        lambda: _require_tensorflow("se_keras.training"),
    )

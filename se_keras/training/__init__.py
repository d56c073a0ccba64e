"""Training runs: a recipe in, a directory with a trained and exported model out."""

# ruff: noqa: E402
from se_keras.backend import require_tensorflow

require_tensorflow("se_keras.training")

from se_keras.training.cluster import Cluster
from se_keras.training.loop import Progress, Trainer
from se_keras.training.optimizer import make_optimizer
from se_keras.training.plots import plot_curves
from se_keras.training.recipe import Recipe
from se_keras.training.recipes import RECIPES, make_recipe, recipes_table
from se_keras.training.run import train
from se_keras.training.runtime import Runtime
from se_keras.training.settings import fields_of, read_config, write_config
from se_keras.training.tasks import TASKS, Task
from se_keras.training.tasks.classification import Classification

__all__ = [
    "RECIPES",
    "TASKS",
    "Classification",
    "Cluster",
    "Progress",
    "Recipe",
    "Runtime",
    "Task",
    "Trainer",
    "fields_of",
    "make_optimizer",
    "make_recipe",
    "plot_curves",
    "read_config",
    "recipes_table",
    "train",
    "write_config",
]


def __dir__():
    return __all__

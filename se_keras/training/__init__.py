"""Training runs: a recipe in, a folder with a trained and exported model out."""

from se_keras.training.loop import Trainer
from se_keras.training.recipe import RECIPES, Recipe, make_recipe
from se_keras.training.run import train

__all__ = ["RECIPES", "Recipe", "Trainer", "make_recipe", "train"]

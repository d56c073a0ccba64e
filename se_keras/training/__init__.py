"""Training runs: a recipe in, a folder with a trained and exported model out."""

from se_keras.training.loop import Trainer
from se_keras.training.recipe import Recipe
from se_keras.training.recipes import RECIPES, make_recipe, recipes_table
from se_keras.training.run import train
from se_keras.training.settings import fields_of, read_config, write_config

__all__ = [
    "RECIPES",
    "Recipe",
    "Trainer",
    "fields_of",
    "make_recipe",
    "read_config",
    "recipes_table",
    "train",
    "write_config",
]

"""The guide on training describes every recipe, and no flag that does not exist."""

import re

from se_keras.cli import train
from se_keras.training import RECIPES, recipes_table
from tests.docs.pages import DOCS

TEXT = (DOCS / "guides/training.md").read_text()


def test_table_has_the_fields_that_differ():
    for line in recipes_table().splitlines()[2:]:
        field, *values = (cell.strip() for cell in line.strip("|").split("|"))
        assert len(values) == len(RECIPES)
        assert len(set(values)) > 1, f"{field} is alike everywhere"


def test_every_recipe_is_described():
    for name in RECIPES:
        assert f"`{name}`" in TEXT


def test_every_flag_is_one():
    for page in (TEXT, (DOCS / "guides/scaling.md").read_text()):
        flags = set(re.findall(r"--(?:no)?([a-z_]+(?:\.[a-z_]+)?)\b", page))
        others = {"help", "logdir", "service", "runs"}
        assert {f"--{flag}" for flag in flags - others} <= set(train.arguments())
        assert len(flags) > 8

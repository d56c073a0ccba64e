"""What docs/training.md says of the recipes is what they are."""

import re

from se_keras import training
from se_keras.training import RECIPES, fields_of, recipes_table
from tests.helpers import ROOT

TEXT = (ROOT / "docs" / "training.md").read_text()


def test_table_is_that_of_the_recipes():
    assert recipes_table() in TEXT
    for line in recipes_table().splitlines()[2:]:
        field, *values = (cell.strip() for cell in line.strip("|").split("|"))
        assert len(values) == len(RECIPES)
        assert len(set(values)) > 1, f"{field} is alike everywhere"


def test_every_recipe_is_described():
    for name in RECIPES:
        assert f"`{name}`" in TEXT


def test_every_flag_is_one():
    flags = set(re.findall(r"--(?:no)?([a-z_]+(?:\.[a-z_]+)?)\b", TEXT))
    others = {"recipe", "config", "help", "logdir"}
    assert flags - others <= set(fields_of(training.Recipe))
    assert len(flags) > 10

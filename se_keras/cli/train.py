"""`se-keras train`: trains, evaluates and exports a network.

The flags are the fields of `Recipe`, as in `examples/train_imagenet.py`, and
`--find_learning_rate`.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from se_keras.cli.command import Command, CommandParser, as_flag
from se_keras.cli.user_modules import import_modules
from se_keras.errors import as_usage_errors

if TYPE_CHECKING:
    from se_keras.training.recipe import Recipe
    from se_keras.training.settings import Field

DESCRIPTION = (
    "Trains, evaluates and exports a network. Without flags it trains on the embedded "
    "sample, scikit-learn's digits, in minutes. A flag that is not given keeps the "
    "value of the recipe. The same command continues a run that was stopped."
)


def run(recipe, config, find_learning_rate=None, **settings):
    """Trains a network with a recipe, a file and flags."""
    from se_keras import training

    # Before TensorFlow is imported, which `training.train` needs.
    made = make_recipe(recipe, config, **settings)
    if find_learning_rate == "true":
        training.find_learning_rate(made)
    else:
        training.train(made)


def parse_recipe(
    arguments: list[str] | None = None, description: str | None = None
) -> "Recipe":
    """Returns the recipe that flags describe; imports neither Keras nor TensorFlow.

    Args:
        arguments: The flags. Defaults to those of the program.
        description: The text of `--help` before the flags, printed as it is.

    Raises:
        SystemExit: After `--help`, with exit code 0; on a flag that does not exist,
            with code 2 and the nearest names.
        UsageError: If a value is not valid.
    """
    parser = CommandParser(
        dataclasses.replace(COMMAND, arguments=recipe_arguments),
        description=description or DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options = vars(parser.parse_args(arguments))
    import_modules(options.pop("imports"))
    return make_recipe(**options)


def make_recipe(recipe: str | None, config: str | None, **settings: Any) -> "Recipe":
    """Returns a recipe, checked as far as that needs no data set.

    Args:
        recipe: Its name.
        config: A YAML file with fields.
        **settings: Fields by the names that their flags have.
    """
    from se_keras.models.names import require_name
    from se_keras.training.recipes import make_recipe
    from se_keras.training.settings import read_config

    content = read_config(config) if config else None
    made = make_recipe(recipe, content, **settings)
    with as_usage_errors(ValueError):
        require_name(made.model)
    return made


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    return {
        **recipe_arguments(),
        "--find_learning_rate": {
            "help": "instead of training, try rising learning rates and write "
            "lr_range.csv and lr_range.png to the work directory",
            "boolean": True,
        },
    }


def recipe_arguments():
    """Returns the arguments that describe a recipe."""
    from se_keras.training.recipe import Recipe
    from se_keras.training.recipes import RECIPES
    from se_keras.training.settings import fields_of
    from se_keras.training.subjects import Subject

    subjects = list(Subject)
    fields = fields_of(Recipe).values()
    return {
        "--recipe": {
            "metavar": "NAME",
            "help": f"{', '.join(RECIPES)}; by default that of the data set",
        },
        "--config": {
            "metavar": "FILE",
            "help": "YAML file with fields of the recipe; flags override it",
        },
        **{
            f"--{field.name}": _keywords(field)
            for field in sorted(fields, key=lambda each: subjects.index(each.subject))
        },
    }


def _keywords(field: "Field") -> dict[str, Any]:
    from se_keras.training.settings import placeholder

    keywords = {"help": as_flag(field.help), "group": field.subject.value}
    if field.type is bool:
        return {**keywords, "boolean": True}
    return {**keywords, "metavar": placeholder(field.type)}


COMMAND = Command(
    run,
    "trains, evaluates and exports a network",
    arguments,
    uses_keras=False,  # the run itself sets the defaults of Keras
    continues=True,
    usage="%(prog)s [--FLAG=VALUE ...]",
)

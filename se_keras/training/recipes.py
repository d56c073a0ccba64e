"""Recipes by name, and a recipe from a name, a file and flags.

References:
    - [Hu et al. 2017](https://arxiv.org/abs/1709.01507), section 6.1, and their release
      hujie-frank/SENet: `paper` and `caffe_release`.
    - [He et al. 2015](https://arxiv.org/abs/1512.03385), section 4.2: `paper_cifar`.
    - [Wightman et al. 2021, ResNet strikes back](https://arxiv.org/abs/2110.00476),
      table 2, and timm, with which they trained: `rsb_a1`, `rsb_a2`, `rsb_a3`.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Unpack

from se_keras.data.settings import Augmentation
from se_keras.errors import as_usage_errors
from se_keras.training.checks import require_choice
from se_keras.training.choices import RATE_SCALINGS
from se_keras.training.keywords import Overrides
from se_keras.training.recipe import Recipe
from se_keras.training.settings import (
    fields_of,
    flattened,
    replace_settings,
    with_keywords,
)

# The paper, section 6.1; Goyal et al. 2017 for the batch of 1024 on many devices.
_PAPER = Recipe(
    dataset="imagenet2012",
    model="se_resnet50",
    epochs=100,
    batch_size=1024,
    image_size=224,
    learning_rate=0.6,
    boundaries=(30, 60, 90),
)

# The networks that were released, trained with a quarter of the batch.
_CAFFE_RELEASE = dataclasses.replace(
    _PAPER,
    model="se_resnet50_caffe",
    batch_size=256,
    learning_rate=0.1,
    augmentation=Augmentation(rotation=10, jitter=20),
)

# He et al. 2015, section 4.2, which the paper's section 5.1 follows: 64,000 steps.
_PAPER_CIFAR = dataclasses.replace(
    _PAPER,
    dataset="cifar10",
    model="se_resnet110",
    epochs=164,
    batch_size=128,
    image_size=32,
    learning_rate=0.1,
    boundaries=(82, 123),
    warmup_epochs=1,
    augmentation=Augmentation(crop="padded", padding=4, flip=True),
)

# Wightman et al. 2021, table 2. timm's LAMB clips the gradient's norm to 1 by default,
# and scales the rate of LAMB with the square root of the batch, as its authors do.
_RSB_A2 = Recipe(
    dataset="imagenet2012",
    model="se_resnet50",
    epochs=300,
    batch_size=2048,
    image_size=224,
    evaluation_crop=0.95,
    interpolation="bicubic",
    optimizer="lamb",
    learning_rate=5e-3,
    rate_scaling="square_root",
    schedule="cosine",
    warmup_epochs=5,
    weight_decay=0.02,
    clip_norm=1.0,
    loss="binary_cross_entropy",
    target_threshold=0.2,
    drop_path=0.05,
    augmentation=Augmentation(
        operations=2,
        magnitude=7,
        magnitude_std=0.5,
        mixup=0.1,
        cutmix=1.0,
        repeats=3,
    ),
)
_RSB_A1 = dataclasses.replace(
    _RSB_A2,
    epochs=600,
    weight_decay=0.01,
    label_smoothing=0.1,
    target_threshold=None,
    augmentation=dataclasses.replace(_RSB_A2.augmentation, mixup=0.2),
)
_RSB_A3 = dataclasses.replace(
    _RSB_A2,
    epochs=100,
    image_size=160,
    evaluation_size=224,
    learning_rate=8e-3,
    drop_path=0.0,
    augmentation=dataclasses.replace(_RSB_A2.augmentation, magnitude=6, repeats=1),
)

# For some thousands of images: a small learning rate, smaller in the first stages, and
# the new classifier is trained alone first.
_FINETUNE = Recipe(
    dataset="oxford_flowers102",
    model="se_resnet50",
    weights="timm/seresnet50.a1_in1k",
    epochs=20,
    batch_size=64,
    image_size=224,
    learning_rate=0.01,
    schedule="cosine",
    warmup_epochs=1,
    freeze_epochs=2,
    layer_decay=0.7,
    label_smoothing=0.1,
    augmentation=Augmentation(area=(0.25, 1.0)),
)

# The embedded digits, in minutes on a CPU. No flip: a mirrored digit is not a digit.
_SAMPLE = dataclasses.replace(
    _PAPER_CIFAR,
    dataset="digits",
    model="se_resnet20",
    epochs=12,
    batch_size=64,
    image_size=24,
    learning_rate=0.1,
    schedule="cosine",
    boundaries=(),
    augmentation=Augmentation(crop="padded", padding=2, flip=False),
)

RECIPES = {
    "paper": _PAPER,
    "paper_cifar": _PAPER_CIFAR,
    "caffe_release": _CAFFE_RELEASE,
    "rsb_a1": _RSB_A1,
    "rsb_a2": _RSB_A2,
    "rsb_a3": _RSB_A3,
    "finetune": _FINETUNE,
    "sample": _SAMPLE,
}

# Data sets of small images; all others train with "paper".
_DATASET_RECIPES = {
    "digits": "sample",
    "cifar10": "paper_cifar",
    "cifar100": "paper_cifar",
    "fashion_mnist": "paper_cifar",
    "mnist": "paper_cifar",
}


@with_keywords(Overrides)
def make_recipe(
    name: str | None = None,
    config: Mapping[str, object] | None = None,
    **overrides: Unpack[Overrides],
) -> Recipe:
    """Returns a recipe of `RECIPES` with some fields replaced.

    If the batch is changed and the learning rate is not, the rate follows the batch as
    the recipe's `rate_scaling` states.

    Args:
        name: A name in `RECIPES`. Defaults to the value of `recipe` in `config`, or to
            the recipe for the data set: `"sample"` for the embedded digits,
            `"paper_cifar"` for small images, `"finetune"` with `weights`, else
            `"paper"`.
        config: Fields of the recipe, as `read_config` reads them from a YAML file.
        **overrides: Fields by the names that their flags have, which override those of
            `config`: `epochs=30`, `workdir="runs/a"`. Fields of `augmentation` are
            given as a mapping, `augmentation={"padding": 2}`, or by a name with a dot,
            `**{"augmentation.padding": 2}`. Values may be text. Those that are `None`
            keep the recipe's value.

    Raises:
        UsageError: On an unknown name or field, or a value that is not valid.

    Example:

    >>> make_recipe(dataset="imagenet2012", epochs=30).learning_rate
    0.6
    >>> make_recipe("paper", batch_size=512).learning_rate
    0.3
    """
    config = dict(config or {})
    changes = {k: v for k, v in overrides.items() if v is not None}
    given = config | changes
    name = str(name or config.get("recipe") or _recipe_of(given))
    config.pop("recipe", None)
    require_choice("recipe", name, RECIPES)
    recipe = RECIPES[name]
    for settings in (config, changes):
        recipe = _replace(recipe, settings)
    return recipe


def recipes_table() -> str:
    """Returns a Markdown table of the fields in which the recipes differ."""
    columns = {name: flattened(recipe) for name, recipe in RECIPES.items()}
    rows = [["", *columns]]
    for field in fields_of(Recipe).values():
        values = [column[field.path] for column in columns.values()]
        if any(value != values[0] for value in values):
            rows.append([field.name, *map(_cell, values)])
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_cell, value))
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _recipe_of(given) -> str:
    if str(given.get("weights")).lower() != "none":
        return "finetune"
    # TFDS names may carry a config and a version: NAME/CONFIG:VERSION.
    dataset = re.split("[/:]", str(given.get("dataset", "digits")))[0]
    return _DATASET_RECIPES.get(dataset, "paper")


def _replace(recipe: Recipe, settings: Mapping[str, object]) -> Recipe:
    """Replaces fields; the learning rate follows the batch unless it is given."""
    with as_usage_errors(ValueError):
        changed = replace_settings(recipe, settings)
    if "learning_rate" in settings or changed.batch_size == recipe.batch_size:
        return changed
    factor = changed.batch_size / recipe.batch_size
    power = RATE_SCALINGS[changed.rate_scaling]
    return dataclasses.replace(
        changed, learning_rate=recipe.learning_rate * factor**power
    )

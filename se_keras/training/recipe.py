"""Everything that decides a training run, in one frozen record.

References:
    - [Hu et al. 2017](https://arxiv.org/abs/1709.01507), section 6.1, and their release
      hujie-frank/SENet: `paper` and `caffe_release`.
    - [He et al. 2015](https://arxiv.org/abs/1512.03385), section 4.2: `paper_cifar`.
    - [Wightman et al. 2021, ResNet strikes back](https://arxiv.org/abs/2110.00476),
      table 2, and timm, with which they trained: `rsb_a1`, `rsb_a2`, `rsb_a3`.
"""

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping
from itertools import pairwise

from se_keras.data.augmentation import Augmentation
from se_keras.data.bad_images import POLICIES
from se_keras.errors import UsageError, as_usage_errors
from se_keras.models.preprocessing import INTERPOLATIONS
from se_keras.training.losses import LOSSES
from se_keras.training.optimizer import OPTIMIZERS
from se_keras.training.settings import fields_of, flattened, replace_settings

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
STRATEGIES = ("auto", "mirrored", "multi_worker", "none", "tpu")
EXPORTS = ("saved_model", "tflite")
SCHEDULES = ("step", "cosine")
# How the rate follows the batch: by this power of the factor.
RATE_SCALINGS = {"linear": 1.0, "square_root": 0.5, "none": 0.0}

CHOICES = {
    "precision": PRECISIONS,
    "strategy": STRATEGIES,
    "schedule": SCHEDULES,
    "optimizer": tuple(OPTIMIZERS),
    "loss": tuple(LOSSES),
    "rate_scaling": tuple(RATE_SCALINGS),
    "on_bad_image": POLICIES,
}


def _require(valid, expectation, name, value):
    if not valid:
        raise UsageError(f"Expected {expectation} {name}. Received: {name}={value}")


def _require_choice(name, value, choices):
    if value not in choices:
        nearest = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"Did you mean {nearest[0]}? " if nearest else ""
        raise UsageError(
            f"Expected {name} to be one of {', '.join(sorted(choices))}. {hint}"
            f"Received: {value!r}"
        )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        dataset: An image-classification data set of TFDS, or `"digits"`.
        data_dir: Where TFDS data sets are; `None` for TFDS's default.
        model: A name in `se_keras.list_models()`.
        weights: What `se_keras.weights.load` takes, to start from: `"timm/NAME.TAG"` or
            a file; `None` for random weights. A classifier for other classes is left
            out. Images are prepared as these weights want them.
        freeze_epochs: First epochs in which only the classifier is trained, and batch
            norm is in inference mode.
        layer_decay: Factor of the rate for each stage that a variable is away from
            the classifier; 1 for the same rate everywhere.
        epochs: Passes over the training split.
        batch_size: Images of a step, over all replicas.
        gradient_accumulation: Parts in which a replica takes its share of a batch, one
            after the other: less memory, the same batch.
        image_size: Height and width of the network's input, in pixels.
        evaluation_size: The same in evaluation and in what is saved; `None` for
            `image_size`.
        evaluation_crop: Share of the resized short side that evaluation keeps; `None`
            for what the network or its weights say.
        interpolation: `"bilinear"` or `"bicubic"`; `None` for what the network or its
            weights say.
        optimizer: `"sgd"`, `"adamw"` or `"lamb"`.
        learning_rate: Highest learning rate.
        rate_scaling: How the rate follows a `batch_size` that is changed without it:
            `"linear"`, `"square_root"` or `"none"`.
        schedule: `"step"` divides the rate by 10 at each epoch of `boundaries`;
            `"cosine"` lowers it to 0.
        boundaries: Epochs at which `"step"` lowers the rate.
        warmup_epochs: Epochs in which the rate rises linearly from 0, which the
            schedule's epochs include.
        momentum: Momentum of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: Decay of kernels; biases and batch norms have none. For SGD an L2
            penalty, `weight_decay / 2 * ||kernel||^2`; for AdamW and LAMB decoupled.
        clip_norm: Largest norm of the gradient over all variables; `None` for any.
        ema: Weight of the past, in 0..1, in a moving average of the weights, for one
            step: 0.9999 for long runs. The average is what is evaluated, saved and
            exported. `None` for no average.
        loss: `"cross_entropy"`, or `"binary_cross_entropy"` of each class by itself.
        label_smoothing: Share of each label that is spread over all classes.
        target_threshold: Share of an image above which a class counts as present, 1,
            and below as absent, 0; `None` to keep the shares.
        drop_path: Rate of stochastic depth in the last block, from 0 in the first.
        augmentation: What a training image goes through.
        precision: `"float32"`, `"mixed_float16"` or `"mixed_bfloat16"`.
        strategy: `"none"` uses one device without a strategy; `"mirrored"` all GPUs of
            this machine, or its CPU; `"multi_worker"` those of several machines;
            `"tpu"` a TPU; `"auto"` is `"multi_worker"` where a cluster is given and
            `"mirrored"` elsewhere.
        workers: Address `host:port` of each worker of a cluster; empty for the one in
            the environment variable `TF_CONFIG`, or none.
        worker_index: Number of this worker; 0 is the chief, which alone writes.
        sync_batch_norm: Whether batch norm takes its moments over all replicas.
        seed: Seed of weights, order and augmentation.
        exports: Which of `"saved_model"` and `"tflite"` to write at the end.
        profile_steps: First and last step of a profile for TensorBoard, counted over
            this part of the run; empty for none.
        workdir: Folder of the run; `None` for `runs/DATASET-MODEL`.
        on_bad_image: What a record does that is no image, or whose label is no class:
            `"fail"` ends the run; `"skip"` leaves it out and counts it in the report.
        data_service: Address of the dispatcher of a `tf.data` service that prepares
            the training images, `"grpc://host:port"`; `None` for this machine.
        checkpoint_every: Steps between two checkpoints within an epoch; 0 for one at
            the end of each epoch and no more.
        keep_checkpoints: How many of the last checkpoints to keep, beside the best.
        deterministic: Whether all operations give the same bits in each run, which
            takes time; it holds for the whole process.
    """

    dataset: str
    model: str
    epochs: int
    batch_size: int
    image_size: int
    learning_rate: float
    data_dir: str | None = None
    weights: str | None = None
    freeze_epochs: int = 0
    layer_decay: float = 1.0
    gradient_accumulation: int = 1
    evaluation_size: int | None = None
    evaluation_crop: float | None = None
    interpolation: str | None = None
    optimizer: str = "sgd"
    rate_scaling: str = "linear"
    schedule: str = "step"
    boundaries: tuple[int, ...] = ()
    warmup_epochs: float = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    clip_norm: float | None = None
    ema: float | None = None
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    target_threshold: float | None = None
    drop_path: float = 0.0
    augmentation: Augmentation = Augmentation()  # noqa: RUF009 (frozen)
    precision: str = "float32"
    strategy: str = "auto"
    workers: tuple[str, ...] = ()
    worker_index: int | None = None
    sync_batch_norm: bool = False
    seed: int = 0
    exports: tuple[str, ...] = EXPORTS
    profile_steps: tuple[int, ...] = ()
    workdir: str | None = None
    on_bad_image: str = "fail"
    data_service: str | None = None
    checkpoint_every: int = 0
    keep_checkpoints: int = 2
    deterministic: bool = False

    def __post_init__(self):
        for name, choices in CHOICES.items():
            _require_choice(name, getattr(self, name), choices)
        if self.interpolation is not None:
            _require_choice("interpolation", self.interpolation, INTERPOLATIONS)
        for export in self.exports:
            _require_choice("exports", export, EXPORTS)
        for name in POSITIVE:
            value = getattr(self, name)
            _require(value is None or 0 < value < math.inf, "a positive", name, value)
        for name in NOT_NEGATIVE:
            value = getattr(self, name)
            _require(0 <= value < math.inf, "0 or more for", name, value)
        for name, highest in SHARES.items():
            value = getattr(self, name)
            _require(
                value is None or 0 <= value <= highest,
                f"a number in 0..{highest} for",
                name,
                value,
            )
        _require(self.seed < 2**32, "less than 2**32 for", "seed", self.seed)
        _require(
            self.freeze_epochs == 0 or self.weights,
            "weights with",
            "freeze_epochs",
            self.freeze_epochs,
        )
        _require(
            all(low < high for low, high in pairwise((0, *self.boundaries))),
            "positive and increasing epochs for",
            "boundaries",
            self.boundaries,
        )
        steps = self.profile_steps
        _require(
            not steps or (len(steps) == 2 and 0 < steps[0] <= steps[1]),
            "FIRST,LAST, counted from 1, for",
            "profile_steps",
            steps,
        )


POSITIVE = (
    "epochs",
    "batch_size",
    "gradient_accumulation",
    "image_size",
    "evaluation_size",
    "learning_rate",
    "clip_norm",
    "evaluation_crop",
    "layer_decay",
    "keep_checkpoints",
)
NOT_NEGATIVE = (
    "weight_decay",
    "warmup_epochs",
    "seed",
    "freeze_epochs",
    "checkpoint_every",
)
SHARES = {
    "label_smoothing": 1,
    "momentum": 1,
    "drop_path": 1,
    "ema": 1,
    "target_threshold": 1,
    "evaluation_crop": 1,
    "layer_decay": 1,
}

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

# The networks that were released, trained on 4 times fewer images a step.
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

# Some thousands of images of one's own: a small rate, and smaller far from the new
# classifier, which is trained alone first.
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

# The embedded digits in minutes on a CPU. A mirrored digit is no digit: no flip.
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


def make_recipe(
    name: str | None = None, config: Mapping[str, object] | None = None, **overrides
) -> Recipe:
    """Returns a recipe of the table with some fields replaced.

    A batch that is changed without the rate changes the rate too, as the recipe's
    `rate_scaling` says.

    Args:
        name: A name in `RECIPES`. Defaults to what `config` says under `recipe`, or to
            the one for the data set: `"sample"` for the embedded digits,
            `"paper_cifar"` for small images, `"finetune"` with `weights`, else
            `"paper"`.
        config: Fields of the recipe, as `read_config` reads them from a YAML file.
        **overrides: Fields of `Recipe`, which win over those of `config`. Those of the
            augmentation may be given as `**{"augmentation.padding": 2}`. Values may be
            text. Those that are `None` keep the recipe's value.

    Raises:
        UsageError: On an unknown name, field or value.

    Example:

    >>> make_recipe(dataset="imagenet2012", epochs=30).learning_rate
    0.6
    >>> make_recipe("paper", batch_size=512).learning_rate
    0.3
    """
    config = dict(config or {})
    overrides = {k: v for k, v in overrides.items() if v is not None}
    given = config | overrides
    name = name or config.get("recipe") or _recipe_of(given)
    config.pop("recipe", None)
    _require_choice("recipe", name, RECIPES)
    recipe = RECIPES[name]
    for settings in (config, overrides):
        recipe = _replace(recipe, settings)
    return recipe


def recipes_table() -> str:
    """Returns a Markdown table of the recipes: the fields that are not all alike."""
    columns = {name: flattened(recipe) for name, recipe in RECIPES.items()}
    rows = [["", *columns]]
    for field in fields_of(Recipe):
        values = [column[field] for column in columns.values()]
        if any(value != values[0] for value in values):
            rows.append([field, *map(_cell, values)])
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
    if given.get("weights"):
        return "finetune"
    # TFDS names may carry a config and a version: NAME/CONFIG:VERSION.
    dataset = re.split("[/:]", str(given.get("dataset", "digits")))[0]
    return _DATASET_RECIPES.get(dataset, "paper")


def _replace(recipe: Recipe, settings: Mapping[str, object]) -> Recipe:
    """Replaces fields; the rate follows the batch, unless it is given."""
    with as_usage_errors(ValueError):
        changed = replace_settings(recipe, settings)
    if "learning_rate" in settings or changed.batch_size == recipe.batch_size:
        return changed
    factor = changed.batch_size / recipe.batch_size
    power = RATE_SCALINGS[changed.rate_scaling]
    return dataclasses.replace(
        changed, learning_rate=recipe.learning_rate * factor**power
    )

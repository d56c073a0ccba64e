"""Everything that decides a training run, in one frozen record."""

import dataclasses
import difflib
import math
import re

from se_keras.data.augmentation import Augmentation
from se_keras.errors import UsageError

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
STRATEGIES = ("auto", "mirrored", "multi_worker", "none", "tpu")
EXPORTS = ("saved_model", "tflite")
SCHEDULES = ("step", "cosine")


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
        epochs: Passes over the training split.
        batch_size: Images of a step, over all replicas.
        image_size: Height and width of the network's input, in pixels.
        learning_rate: Highest learning rate.
        schedule: `"step"` divides the rate by 10 at each epoch of `boundaries`;
            `"cosine"` lowers it to 0.
        boundaries: Epochs at which `"step"` lowers the rate.
        warmup_epochs: Epochs in which the rate rises linearly from 0, which the
            schedule's epochs include.
        momentum: Momentum of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: L2 penalty on kernels: `weight_decay / 2 * ||kernel||^2`. Biases
            and batch norms have none.
        label_smoothing: Share of each label that is spread over all classes.
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
        workdir: Folder of the run; `None` for `runs/DATASET-MODEL`.
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
    schedule: str = "step"
    boundaries: tuple[int, ...] = ()
    warmup_epochs: float = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    augmentation: Augmentation = Augmentation()  # noqa: RUF009 (frozen)
    precision: str = "float32"
    strategy: str = "auto"
    workers: tuple[str, ...] = ()
    worker_index: int | None = None
    sync_batch_norm: bool = False
    seed: int = 0
    exports: tuple[str, ...] = EXPORTS
    workdir: str | None = None
    checkpoint_every: int = 0
    keep_checkpoints: int = 2
    deterministic: bool = False

    def __post_init__(self):
        _require_choice("precision", self.precision, PRECISIONS)
        _require_choice("strategy", self.strategy, STRATEGIES)
        _require_choice("schedule", self.schedule, SCHEDULES)
        for export in self.exports:
            _require_choice("exports", export, EXPORTS)
        for name in (
            "epochs",
            "batch_size",
            "image_size",
            "learning_rate",
            "keep_checkpoints",
        ):
            value = getattr(self, name)
            _require(0 < value < math.inf, "a positive", name, value)
        _require(self.seed < 2**32, "less than 2**32 for", "seed", self.seed)
        for name in (
            "weight_decay",
            "momentum",
            "warmup_epochs",
            "seed",
            "checkpoint_every",
        ):
            _require(
                getattr(self, name) >= 0, "0 or more for", name, getattr(self, name)
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

RECIPES = {"paper": _PAPER, "paper_cifar": _PAPER_CIFAR, "sample": _SAMPLE}

# Data sets of small images; all others train with "paper".
_DATASET_RECIPES = {
    "digits": "sample",
    "cifar10": "paper_cifar",
    "cifar100": "paper_cifar",
    "fashion_mnist": "paper_cifar",
    "mnist": "paper_cifar",
}


def make_recipe(name: str | None = None, **overrides) -> Recipe:
    """Returns a recipe of the table with some fields replaced.

    Args:
        name: A name in `RECIPES`. Defaults to the one for the data set: `"sample"` for
            the embedded digits, `"paper_cifar"` for small images, else `"paper"`.
        **overrides: Fields of `Recipe`. Those that are `None` keep the recipe's value.

    Raises:
        UsageError: On an unknown name, field or value.

    Example:

    >>> make_recipe(dataset="imagenet2012", epochs=30).learning_rate
    0.6
    """
    overrides = {k: v for k, v in overrides.items() if v is not None}
    if name is None:
        # TFDS names may carry a config and a version: NAME/CONFIG:VERSION.
        dataset = re.split("[/:]", overrides.get("dataset", "digits"))[0]
        name = _DATASET_RECIPES.get(dataset, "paper")
    _require_choice("recipe", name, RECIPES)
    fields = {field.name for field in dataclasses.fields(Recipe)}
    for field in overrides:
        _require_choice("field", field, fields)
    return dataclasses.replace(RECIPES[name], **overrides)

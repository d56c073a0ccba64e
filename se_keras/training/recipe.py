"""Everything that decides a training run, in one frozen record."""

import dataclasses
import difflib
import math
from collections.abc import Collection
from itertools import pairwise

from se_keras.data.augmentation import Augmentation
from se_keras.data.bad_images import POLICIES
from se_keras.errors import UsageError
from se_keras.models.preprocessing import INTERPOLATIONS
from se_keras.training.losses import LOSSES
from se_keras.training.optimizer import OPTIMIZERS

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


def require_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuses what is not among some names, and tells the nearest.

    Raises:
        UsageError: If `value` is not one of `choices`.
    """
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
        dataset: An image-classification data set of TFDS, `"digits"`, or
            `"folder:PATH"`.
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
            require_choice(name, getattr(self, name), choices)
        if self.interpolation is not None:
            require_choice("interpolation", self.interpolation, INTERPOLATIONS)
        for export in self.exports:
            require_choice("exports", export, EXPORTS)
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

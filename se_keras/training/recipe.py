"""The settings of a training run, in one frozen dataclass."""

import dataclasses
from itertools import pairwise
from math import inf
from typing import Annotated, Unpack

from se_keras.data.settings import Augmentation
from se_keras.data.splits import Splits
from se_keras.models.preprocessing import INTERPOLATIONS
from se_keras.training.checks import (
    FRACTION,
    MOST_EPOCHS,
    MOST_IMAGES,
    MOST_PIXELS,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    OneOf,
    check_fields,
    require,
)
from se_keras.training.choices import (
    BALANCED,
    LOSSES,
    OPTIMIZERS,
    PRECISIONS,
    RATE_SCALINGS,
    SAMPLINGS,
    SCHEDULES,
)
from se_keras.training.keywords import Settings
from se_keras.training.runtime import Runtime
from se_keras.training.settings import FLAT, replace_settings, with_keywords
from se_keras.training.subjects import Subject
from se_keras.training.tasks import TASKS


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training run: everything that decides its result, and its `runtime`.

    Attributes:
        dataset: An image data set of TFDS, `"digits"`, or `"folder:PATH"`.
        model: A name in `se_keras.list_models()`.
        task: What the model learns: `"classification"`.
        limit: Images of each split at most, for a quick try, at least one for each
            class. A folder's are the first of each class, in proportion to the class;
            those of a TFDS data set are its first, which are stored in random order.
            `None` for all.
        sampling: `"uniform"` takes each training image once an epoch; `"balanced"`
            takes each class equally often, as many images as `"uniform"`: images of
            rare classes several times, and of frequent ones a part.
        class_weights: Factor of the loss of the training images of each class: one
            number per class, in the order of the class names; or `"balanced"` for
            `images / (classes * images of the class)`, as in scikit-learn. `None` for
            1. Evaluation is not weighted.
        weights: What to start from, as `se_keras.weights.load` takes it:
            `"timm/NAME.TAG"` or a file; `None` for random weights. A classifier for
            other classes is left out. Images are prepared as these weights expect them.
        freeze_epochs: Number of first epochs in which only the classifier is trained,
            with batch normalization in inference mode.
        layer_decay: Factor of the learning rate for each stage between a variable and
            the classifier; 1 for the same rate everywhere.
        epochs: Passes over the training split.
        validation_frequency: Epochs between two evaluations; the last epoch is
            evaluated in any case.
        early_stopping: Epochs without improvement of the task's metric, `val_accuracy`
            of a classifier, after which the run ends. The schedule is that of all
            `epochs`. `None` to train all of them.
        batch_size: Images of a step, over all replicas.
        gradient_accumulation: Number of parts in which a replica processes its share of
            a batch, one after the other: less memory, the same batch.
        image_size: Height and width of the network's input, in pixels.
        evaluation_size: Height and width in evaluation and in what is saved; `None` for
            `image_size`.
        evaluation_crop: Fraction of the resized short side that evaluation keeps;
            `None` for that of the network or its weights.
        interpolation: `"bilinear"` or `"bicubic"`; `None` for that of the network or
            its weights.
        optimizer: `"sgd"`, `"adamw"` or `"lamb"`.
        learning_rate: Highest learning rate.
        rate_scaling: How the learning rate follows a `batch_size` that is changed
            without it: `"linear"`, `"square_root"` or `"none"`.
        schedule: `"step"` divides the learning rate by 10 at each epoch of
            `boundaries`; `"cosine"` decays it to 0.
        boundaries: Epochs at which `"step"` lowers the learning rate.
        warmup_epochs: Epochs in which the learning rate rises linearly from 0; the
            schedule's epochs include them.
        momentum: Momentum of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: Decay of kernels; biases and batch normalization have none. For
            SGD an L2 penalty, `weight_decay / 2 * ||kernel||^2`; for AdamW and LAMB
            decoupled.
        clip_norm: Largest global norm of the gradient; `None` for no limit.
        ema: Momentum, in 0..1, of an exponential moving average of the weights: 0.9999
            for long runs. The average is what is evaluated, saved and exported. `None`
            for no average.
        loss: `"cross_entropy"`, or `"binary_cross_entropy"` of each class separately.
        label_smoothing: Fraction of each label that is spread over all classes.
        target_threshold: Fraction of an image above which a class counts as present, 1,
            and below as absent, 0; `None` to keep the fractions.
        drop_path: Rate of stochastic depth in the last block; it increases linearly
            from 0 in the first.
        augmentation: What a training image goes through.
        precision: `"float32"`, `"mixed_float16"` or `"mixed_bfloat16"`.
        sync_batch_norm: Whether batch normalization computes its moments over all
            replicas.
        seed: Seed of weights, order and augmentation.
        splits: Where the training, evaluation and test images come from.
        runtime: Where and how the run is executed.

    Raises:
        UsageError: If a value is not valid.
    """

    dataset: Annotated[str, Subject.DATA]
    model: Annotated[str, Subject.MODEL]
    epochs: Annotated[int, Subject.SCHEDULE, POSITIVE, MOST_EPOCHS]
    batch_size: Annotated[int, Subject.SCHEDULE, POSITIVE, MOST_IMAGES]
    image_size: Annotated[int, Subject.DATA, POSITIVE, MOST_PIXELS]
    learning_rate: Annotated[float, Subject.SCHEDULE, POSITIVE]
    task: Annotated[str, Subject.MODEL, OneOf(TASKS)] = "classification"
    weights: Annotated[str | None, Subject.MODEL] = None
    limit: Annotated[int | None, Subject.DATA, POSITIVE] = None
    sampling: Annotated[str, Subject.DATA, OneOf(SAMPLINGS)] = "uniform"
    class_weights: Annotated[tuple[float, ...] | str | None, Subject.LOSS] = None
    validation_frequency: Annotated[int, Subject.EVALUATION, POSITIVE] = 1
    early_stopping: Annotated[int | None, Subject.SCHEDULE, POSITIVE] = None
    freeze_epochs: Annotated[int, Subject.MODEL, NOT_NEGATIVE] = 0
    layer_decay: Annotated[float, Subject.MODEL, POSITIVE, FRACTION] = 1.0
    gradient_accumulation: Annotated[int, Subject.SCHEDULE, POSITIVE] = 1
    evaluation_size: Annotated[
        int | None, Subject.EVALUATION, POSITIVE, MOST_PIXELS
    ] = None
    evaluation_crop: Annotated[float | None, Subject.EVALUATION, POSITIVE, FRACTION] = (
        None
    )
    interpolation: Annotated[str | None, Subject.DATA, OneOf(INTERPOLATIONS)] = None
    optimizer: Annotated[str, Subject.OPTIMIZATION, OneOf(OPTIMIZERS)] = "sgd"
    rate_scaling: Annotated[str, Subject.SCHEDULE, OneOf(RATE_SCALINGS)] = "linear"
    schedule: Annotated[str, Subject.SCHEDULE, OneOf(SCHEDULES)] = "step"
    boundaries: Annotated[tuple[int, ...], Subject.SCHEDULE] = ()
    warmup_epochs: Annotated[float, Subject.SCHEDULE, NOT_NEGATIVE] = 0
    momentum: Annotated[float, Subject.OPTIMIZATION, FRACTION] = 0.9
    nesterov: Annotated[bool, Subject.OPTIMIZATION] = False
    weight_decay: Annotated[float, Subject.OPTIMIZATION, NOT_NEGATIVE] = 1e-4
    clip_norm: Annotated[float | None, Subject.OPTIMIZATION, POSITIVE] = None
    ema: Annotated[float | None, Subject.OPTIMIZATION, FRACTION] = None
    loss: Annotated[str, Subject.LOSS, OneOf(LOSSES)] = "cross_entropy"
    label_smoothing: Annotated[float, Subject.LOSS, FRACTION] = 0.0
    target_threshold: Annotated[float | None, Subject.LOSS, FRACTION] = None
    drop_path: Annotated[float, Subject.MODEL, FRACTION] = 0.0
    augmentation: Annotated[Augmentation, Subject.AUGMENTATION] = dataclasses.field(
        default=Augmentation()
    )
    precision: Annotated[str, Subject.RUNTIME, OneOf(PRECISIONS)] = "float32"
    sync_batch_norm: Annotated[bool, Subject.RUNTIME] = False
    seed: Annotated[int, Subject.RUNTIME, NOT_NEGATIVE, SEED] = 0
    splits: Annotated[Splits, Subject.DATA] = dataclasses.field(
        default=Splits(), metadata=FLAT
    )
    runtime: Annotated[Runtime, Subject.RUNTIME] = dataclasses.field(
        default=Runtime(), metadata=FLAT
    )

    def __post_init__(self):
        check_fields(self)
        require(
            self.freeze_epochs == 0 or self.weights,
            "weights with",
            "freeze_epochs",
            self.freeze_epochs,
        )
        require(
            all(low < high for low, high in pairwise((0, *self.boundaries))),
            "positive and increasing epochs for",
            "boundaries",
            self.boundaries,
        )

        weights = self.class_weights
        require(
            weights is None
            or weights == BALANCED
            or (isinstance(weights, tuple) and all(0 < w < inf for w in weights)),
            f"{BALANCED!r}, or a positive number for each class, for",
            "class_weights",
            weights,
        )
        # Each alone makes the classes equal; the images that a worker of a service gets
        # are not known.
        for name, value in (
            ("class_weights", weights == BALANCED and weights),
            ("data_service", self.runtime.data_service),
        ):
            require(
                self.sampling != BALANCED or not value,
                f"sampling='uniform', not {BALANCED!r}, with",
                name,
                value,
            )

    @with_keywords(Settings)
    def replace(self, **settings: Unpack[Settings]) -> "Recipe":
        """Returns the recipe with some fields replaced.

        Unlike `make_recipe`, this keeps the learning rate when the batch changes.

        Args:
            **settings: Fields by the names that their flags have, those of `runtime`
                too: `recipe.replace(epochs=5, workdir="runs/b")`.

        Raises:
            UsageError: On an unknown field or a value that is not valid.
        """
        return replace_settings(self, settings)

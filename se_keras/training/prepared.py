"""What a run needs: data, model and folder, all checked before it starts."""

import contextlib
import dataclasses
import pathlib
import time

import tensorflow as tf

from se_keras.data import BadImages, ImageSource, evaluation_batches, open_source
from se_keras.errors import UsageError, as_usage_errors
from se_keras.models import Preprocessing, create_model
from se_keras.models.registry import lookup
from se_keras.training.finetune import preprocessing_of
from se_keras.training.recipe import Recipe
from se_keras.training.strategy import (
    Worker,
    check_batch_size,
    share_record,
    worker_of,
)
from se_keras.training.workdir import WorkDir


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run needs, checked before anything long starts.

    Attributes:
        recipe: Everything that decides the run.
        strategy: Where it runs.
        worker: Which worker this process is.
        source: The data set.
        record: What the network expects in training.
        workdir: The folder of the run, which the chief alone has.
        skipped: Bad images that were left out.
        started: When the run began, on the clock of `time.monotonic`.
    """

    recipe: Recipe
    strategy: tf.distribute.Strategy
    worker: Worker
    source: ImageSource
    record: Preprocessing
    workdir: WorkDir | None
    skipped: BadImages = dataclasses.field(default_factory=BadImages)
    started: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def path(self) -> pathlib.Path | None:
        """The folder of the run."""
        return self.workdir and self.workdir.path

    def open_workdir(self):
        """Returns a context in which the folder is this run's alone."""
        return self.workdir.open() if self.workdir else contextlib.nullcontext()

    @property
    def shard(self) -> tuple[int, int]:
        """Number of this worker, and of all."""
        return self.worker.index, self.worker.count

    @property
    def evaluation_record(self) -> Preprocessing:
        """What evaluation and inference expect, which may be of another size."""
        size = self.recipe.evaluation_size
        if size is None:
            return self.record
        return self.record.with_input(size, size, self.record.channels)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the training split."""
        train_images = self.source.num_examples(self.source.train_split)
        return train_images // self.recipe.batch_size

    def create_model(self, size: tuple[int | None, int | None], **kwargs):
        """Returns the network for images of a height and width."""
        return create_model(
            self.recipe.model,
            input_shape=(*size, self.record.channels),
            classes=len(self.source.class_names),
            **kwargs,
        )

    def evaluation_batches(self):
        """Returns this worker's share of the evaluation images."""
        return evaluation_batches(
            self.source,
            self.evaluation_record,
            batch_size=self.recipe.batch_size,
            on_bad_image=self.recipe.on_bad_image,
            bad_images=self.skipped,
            shard=self.shard,
        )


def prepare(recipe: Recipe, strategy: tf.distribute.Strategy) -> Run:
    """Checks all input: model, strategy, batch, work directory, data set.

    Raises:
        UsageError: On bad input.
    """
    with as_usage_errors(ValueError):
        entry = lookup(recipe.model)
    worker = worker_of(strategy)
    check_batch_size(recipe.batch_size, strategy, recipe.gradient_accumulation)
    workdir = None
    if worker.is_chief:
        path = recipe.workdir or f"runs/{recipe.dataset}-{recipe.model}"
        workdir = WorkDir(path, recipe)
    # Last of the checks, since it may download and prepare.
    source = _open_source(recipe, strategy, worker)
    record = _record(recipe, entry, source)
    run = Run(recipe, strategy, worker, source, record, workdir)
    if run.steps_per_epoch == 0:
        images = source.num_examples(source.train_split)
        raise UsageError(
            f"Expected a batch_size of at most {images}, the training images. "
            f"Received: batch_size={recipe.batch_size}"
        )
    return run


def _open_source(recipe, strategy, worker):
    """Opens the data set; the chief first, which may have to prepare it."""
    if not worker.is_chief:
        share_record(strategy)
    source = open_source(recipe.dataset, recipe.data_dir)
    if worker.is_chief and worker.count > 1:
        share_record(strategy, {})
    return source


def _record(recipe, entry, source):
    """Returns what the network expects, as its weights and the recipe say."""
    record = preprocessing_of(
        entry, recipe.weights, recipe.image_size, source.image_shape[2]
    )
    changes = {"crop": recipe.evaluation_crop, "interpolation": recipe.interpolation}
    changes = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(record, **changes)

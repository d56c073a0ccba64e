"""The run itself: data, model, loop, checkpoints, evaluation, exports, report."""

import contextlib
import dataclasses
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

from se_keras import export
from se_keras.data import (
    BadImages,
    ImageSource,
    evaluation_batches,
    naming_bad_images,
    open_source,
    training_batches,
)
from se_keras.data.embedded import NAME as EMBEDDED
from se_keras.errors import (
    AbandonedError,
    InterruptionError,
    UsageError,
    as_usage_errors,
)
from se_keras.files import replacing, write_json
from se_keras.models import Preprocessing, create_model
from se_keras.models.registry import lookup
from se_keras.training.checkpoints import CheckpointRun, Checkpoints, storage_errors
from se_keras.training.finetune import FreezeBackbone, layer_rates, preprocessing_of
from se_keras.training.loop import Progress, Trainer
from se_keras.training.monitoring import AugmentedImages, GateHistograms, Speed
from se_keras.training.optimizer import l2_penalty, make_optimizer
from se_keras.training.plots import plot_curves
from se_keras.training.recipe import Recipe
from se_keras.training.signals import leave_at_once, on_signals
from se_keras.training.strategy import (
    Worker,
    check_batch_size,
    make_strategy,
    naming_lost_workers,
    share_record,
    share_state,
    total,
    worker_of,
)
from se_keras.training.workdir import MetricsFile, WorkDir, versions

VERIFICATION_IMAGES = 64


@dataclasses.dataclass(frozen=True)
class _Run:
    """What a run needs, checked before anything long starts."""

    recipe: Recipe
    strategy: tf.distribute.Strategy
    worker: Worker
    source: ImageSource
    record: Preprocessing
    workdir: WorkDir | None  # the chief's alone
    skipped: BadImages = dataclasses.field(default_factory=BadImages)
    started: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def path(self) -> pathlib.Path | None:
        return self.workdir and self.workdir.path

    def open_workdir(self):
        return self.workdir.open() if self.workdir else contextlib.nullcontext()

    @property
    def shard(self) -> tuple[int, int]:
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
        train_images = self.source.num_examples(self.source.train_split)
        return train_images // self.recipe.batch_size


def train(recipe: Recipe, strategy: tf.distribute.Strategy | None = None) -> dict:
    """Trains, evaluates and exports a network, or continues where a run stopped.

    Args:
        recipe: Everything that decides the run.
        strategy: Where to run. Defaults to what the recipe says.

    Returns:
        The report, as in `report.json` of the work directory: accuracy, loss,
        parameters, images per second, seconds of each part, and what each export
        report says.

    Raises:
        UsageError: On bad input, before anything long starts; or if the loss or a
            weight is not finite.
        InterruptionError: After SIGTERM or SIGINT; what was done is saved.
        StorageError: If the disk of the work directory is full or fails.
        WorkerLostError: If another worker is gone.
    """
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Before signals are caught: a worker that waits for others hears none of Python's.
    strategy = strategy or make_strategy(
        recipe.strategy, recipe.workers, recipe.worker_index
    )
    with on_signals(leave_at_once), naming_lost_workers(strategy):
        run = _prepare(recipe, strategy)
        # Before the work directory is opened: a recipe may ask what a network cannot
        # do, or for weights that are not its own.
        trainer = _trainer(run)
        with run.open_workdir(), storage_errors(f"A file of {run.path}"):
            return _train(run, trainer)


def _train(run, trainer):
    recipe = run.recipe
    if run.worker.is_chief:
        _introduce(run)
    with naming_bad_images(run.source):
        training_seconds = _fit(run, trainer)
        evaluation = trainer.evaluate(_evaluation_data(run))
    skipped = total(run.strategy, len(run.skipped))
    if not run.worker.is_chief:
        # The chief's exports take a while, in which this worker must not be missed.
        return share_record(run.strategy)
    network = _inference_network(run, trainer.evaluated)
    exports = _export(run, network)

    images = recipe.epochs * run.steps_per_epoch * recipe.batch_size
    report = {
        "model": recipe.model,
        "dataset": recipe.dataset,
        "epochs": recipe.epochs,
        "parameters": int(sum(np.prod(v.shape) for v in network.trainable_variables)),
        "evaluation_split": run.source.evaluation_split,
        **evaluation,
        "bad_images": skipped,
        "training_seconds": training_seconds,
        "images_per_second": images / training_seconds,
        "seconds": time.monotonic() - run.started,
        "exports": exports,
        "versions": versions(),
    }
    write_json(run.path / "report.json", report)
    _plot(run, report)
    _summarise(run, report)
    if run.worker.count > 1:
        share_record(run.strategy, report)
    return report


def _prepare(recipe, strategy):
    """Checks all input: model, strategy, batch, work directory, data set."""
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
    run = _Run(recipe, strategy, worker, source, record, workdir)
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


def _trainer(run):
    recipe = run.recipe
    shape = (*run.record.size, run.record.channels)
    rates = layer_rates(recipe.model, shape, recipe.layer_decay)
    keras.utils.set_random_seed(recipe.seed)
    with run.strategy.scope():
        model = _create_trained(run, recipe.weights)
        average = _create_trained(run) if recipe.ema else None
        optimizer = make_optimizer(recipe, run.steps_per_epoch, rates)
        # For the callbacks, which look for `model.optimizer`.
        model.compile(optimizer=optimizer)
    return Trainer(
        model,
        optimizer,
        run.strategy,
        classes=len(run.source.class_names),
        batch_size=recipe.batch_size,
        weight_decay=l2_penalty(recipe),
        label_smoothing=recipe.label_smoothing,
        loss=recipe.loss,
        target_threshold=recipe.target_threshold,
        clip_norm=recipe.clip_norm,
        accumulation=recipe.gradient_accumulation,
        average=average,
        average_momentum=recipe.ema or 0.0,
    )


def _create_trained(run, weights=None):
    """Returns the network in the form that is trained: it returns logits."""
    recipe = run.recipe
    same_size = run.record.size == run.evaluation_record.size
    with as_usage_errors(ValueError):
        model = _create(
            run,
            run.record.size if same_size else (None, None),
            weights=weights,
            drop_path=recipe.drop_path,
            dtype=recipe.precision,
            classifier_activation=None,
        )
    if recipe.sync_batch_norm:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    return model


def _create(run, size, **kwargs):
    return create_model(
        run.recipe.model,
        input_shape=(*size, run.record.channels),
        classes=len(run.source.class_names),
        **kwargs,
    )


def _evaluation_data(run):
    return evaluation_batches(
        run.source,
        run.evaluation_record,
        batch_size=run.recipe.batch_size,
        on_bad_image=run.recipe.on_bad_image,
        bad_images=run.skipped,
        shard=run.shard,
    )


def _fit(run, trainer):
    """Trains what is left; returns the seconds that training took in all."""
    recipe = run.recipe
    checkpoints = None
    if run.worker.is_chief:
        checkpoints = Checkpoints(
            run.workdir.checkpoints, trainer.state, recipe.keep_checkpoints
        )
    trainer.progress, seconds = _restore(run, trainer, checkpoints)
    saving = CheckpointRun(
        trainer,
        checkpoints,
        every=recipe.checkpoint_every,
        steps_per_epoch=run.steps_per_epoch,
        seconds=seconds,
    )

    def training_data(epoch, first_step):
        return training_batches(
            run.source,
            run.record,
            recipe.augmentation,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epoch=epoch,
            first_step=first_step,
            on_bad_image=recipe.on_bad_image,
            bad_images=run.skipped,
            shard=run.shard,
            service=recipe.data_service,
        )

    def stop(name):
        print(f"\nReceived {name}: ending after this step.", flush=True)
        trainer.request_stop()

    try:
        with on_signals(stop):
            trainer.fit(
                training_data,
                _evaluation_data(run),
                steps_per_epoch=run.steps_per_epoch,
                epochs=recipe.epochs,
                progress=trainer.progress,
                callbacks=_callbacks(run, trainer, saving, training_data),
                verbose=1 if run.worker.is_chief else 0,
            )
    except AbandonedError:
        # In the middle of a step, whose weights may be new and whose number old.
        raise
    except InterruptionError as interruption:
        saving.save()
        raise InterruptionError(
            f"{interruption}, which is saved. The same command goes on from there"
        ) from interruption
    return saving.seconds


def _callbacks(run, trainer, saving, training_data):
    freezing = FreezeBackbone(trainer, run.recipe.freeze_epochs)
    if not run.worker.is_chief:
        return [freezing, saving]
    return [
        # First: it adds to what the others see.
        Speed(run.recipe, run.steps_per_epoch),
        freezing,
        # Before the checkpoint: an epoch whose row is there and whose checkpoint is
        # not is trained again, and its row replaced.
        MetricsFile(run.workdir, trainer.progress.epoch),
        saving,
        *_views(run, trainer, training_data),
    ]


def _restore(run, trainer, checkpoints):
    """Restores the last checkpoint on all workers, of which the chief alone has it."""
    progress, seconds = checkpoints.restore() if checkpoints else (None, None)
    if run.worker.count > 1:
        record = {"progress": progress and dataclasses.asdict(progress)}
        shared = share_record(run.strategy, record | {"seconds": seconds})
        progress, seconds = Progress(**shared["progress"]), shared["seconds"]
    if progress == Progress():
        return progress, seconds
    if run.worker.count > 1:
        share_state(run.strategy, [v for vs in trainer.state.values() for v in vs])
    if run.worker.is_chief:
        step = f" and {progress.step} steps" if progress.step else ""
        print(
            f"Continuing after epoch {progress.epoch} of {run.recipe.epochs}{step}.",
            flush=True,
        )
    return progress, seconds


def _views(run, trainer, training_data):
    """Returns the callbacks that write for TensorBoard."""
    folder = run.path / "tensorboard"

    def training_images():
        return next(iter(training_data(0, 0)))[0]

    def evaluation_images():
        return next(iter(_evaluation_data(run)))[0]

    return [
        keras.callbacks.TensorBoard(
            folder, write_graph=False, profile_batch=run.recipe.profile_steps or 0
        ),
        AugmentedImages(folder, training_images, run.record),
        GateHistograms(folder, trainer.evaluated, evaluation_images),
    ]


def _plot(run, report):
    """Draws the curves; a run does not fail at its end for want of a plot."""
    try:
        plot_curves(
            run.path / MetricsFile.NAME,
            run.path / "curves.png",
            title=f"{report['model']} on {report['dataset']}",
        )
    except (ImportError, FileNotFoundError) as error:
        print(f"No curves.png: {error}.")


def _inference_network(run, trained):
    """Returns the trained network in float32 with softmax, and saves it."""
    network = _create(run, run.evaluation_record.size, dtype="float32")
    network.set_weights(trained.get_weights())
    network.preprocessing = run.evaluation_record
    network.class_names = run.source.class_names
    with replacing(run.path / "model.keras") as path:
        network.save(path)
    return network


def _export(run, network):
    """Writes and verifies the exports of the recipe; returns their reports."""
    # The exports take pixels, so that a phone cannot normalise differently.
    pixels = _verification_pixels(run)
    writers = {
        "saved_model": (export.saved_model, "saved_model"),
        "tflite": (export.tflite, "model.tflite"),
    }
    reports = {}
    for name in run.recipe.exports:
        write, file = writers[name]
        print(f"Exporting and verifying {file} ...", flush=True)
        reports[name] = write(
            network,
            run.path / file,
            include_preprocessing=True,
            images=pixels,
            overwrite=True,
        )
    return reports


def _verification_pixels(run):
    """Returns some evaluation images as pixels."""
    batches = evaluation_batches(
        run.source,
        run.evaluation_record,
        batch_size=1,
        on_bad_image=run.recipe.on_bad_image,
    )
    images = [image[0] for image, _, _ in batches.take(VERIFICATION_IMAGES)]
    return (np.stack(images) - run.record.offset) / run.record.scale


def _introduce(run):
    recipe, source = run.recipe, run.source
    train_images = source.num_examples(source.train_split)
    print(
        f"Training {recipe.model} on {recipe.dataset}: {train_images} images of "
        f"{len(source.class_names)} classes at {recipe.image_size} x "
        f"{recipe.image_size}, {recipe.epochs} epochs, "
        f"{run.strategy.num_replicas_in_sync} replica(s), {recipe.precision}. "
        f"Learning rate {recipe.learning_rate:.3g} for a batch of {recipe.batch_size}."
    )
    if recipe.dataset == EMBEDDED:
        print(
            "This is the embedded sample, scikit-learn's digits. For ImageNet:\n"
            "  python examples/train_imagenet.py --dataset=imagenet2012 "
            "--data_dir=TFDS_FOLDER"
        )
    print(f"Work directory: {run.path}", flush=True)


def _summarise(run, report):
    path = run.path
    print(
        f"\n{report['evaluation_split']} accuracy: {report['accuracy']:.2%} of "
        f"{report['examples']} images ({report['seconds']:.0f} s in all)"
    )
    if report["bad_images"]:
        names = ", ".join(run.skipped.names[:5])
        print(f"Skipped {report['bad_images']} bad images: {names} ...")
    files = {"model.keras": pathlib.Path(path / "model.keras")}
    print(f"  {files['model.keras']}")
    for name, exported in report["exports"].items():
        print(
            f"  {exported['path']}  {exported['bytes'] / 2**20:.2f} MiB, differs from "
            f"Keras by {exported['largest_difference']:.1e} of the largest output, "
            f"same top-1 on {exported['top1_agreement']:.0%} of "
            f"{exported['images']} images ({name})"
        )
    print(f"  {path / 'report.json'}, metrics.csv, curves.png, tensorboard/")
    model = path / ("model.tflite" if "tflite" in report["exports"] else "model.keras")
    print(f"Next: python examples/classify_image.py --model={model} IMAGE...")

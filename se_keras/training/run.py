"""The run itself: loop, checkpoints, evaluation, report."""

import dataclasses
import time

import keras
import numpy as np
import tensorflow as tf

from se_keras.data import naming_bad_images, training_batches
from se_keras.errors import AbandonedError, InterruptionError, as_usage_errors
from se_keras.files import write_json
from se_keras.training import results
from se_keras.training.checkpoints import CheckpointRun, Checkpoints, storage_errors
from se_keras.training.finetune import FreezeBackbone, layer_rates
from se_keras.training.loop import Progress, Trainer
from se_keras.training.monitoring import AugmentedImages, GateHistograms, Speed
from se_keras.training.optimizer import l2_penalty, make_optimizer
from se_keras.training.prepared import prepare
from se_keras.training.recipe import Recipe
from se_keras.training.signals import leave_at_once, on_signals
from se_keras.training.strategy import (
    make_strategy,
    naming_lost_workers,
    share_record,
    share_state,
    total,
)
from se_keras.training.workdir import MetricsFile, versions


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
        run = prepare(recipe, strategy)
        # Before the work directory is opened: a recipe may ask what a network cannot
        # do, or for weights that are not its own.
        trainer = _trainer(run)
        with run.open_workdir(), storage_errors(f"A file of {run.path}"):
            return _train(run, trainer)


def _train(run, trainer):
    recipe = run.recipe
    if run.worker.is_chief:
        results.introduce(run)
    with naming_bad_images(run.source):
        training_seconds = _fit(run, trainer)
        evaluation = trainer.evaluate(run.evaluation_batches())
    skipped = total(run.strategy, len(run.skipped))
    if not run.worker.is_chief:
        # The chief's exports take a while, in which this worker must not be missed.
        return share_record(run.strategy)
    network = results.save_network(run, trainer.evaluated)
    exports = results.export_network(run, network)

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
    results.plot(run, report)
    results.summarize(run, report)
    if run.worker.count > 1:
        share_record(run.strategy, report)
    return report


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
        model = run.create_model(
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
                run.evaluation_batches(),
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
        return next(iter(run.evaluation_batches()))[0]

    return [
        keras.callbacks.TensorBoard(
            folder, write_graph=False, profile_batch=run.recipe.profile_steps or 0
        ),
        AugmentedImages(folder, training_images, run.record),
        GateHistograms(folder, trainer.evaluated, evaluation_images),
    ]

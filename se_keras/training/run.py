"""A training run: a recipe in, a directory with a trained and exported model out.

The functions are in the order in which a run calls them. To change what a run does,
copy this file.
"""

import contextlib
import dataclasses
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from se_keras.errors import AbandonedError, InterruptionError, UsageError
from se_keras.files import replacing, write_json
from se_keras.training.checkpoints import CheckpointRun, Checkpoints, storage_errors
from se_keras.training.cluster import Cluster
from se_keras.training.finetune import FreezeBackbone
from se_keras.training.loop import Progress, Trainer
from se_keras.training.monitoring import EarlyStopping, Speed, TensorBoard
from se_keras.training.optimizer import make_optimizer
from se_keras.training.progress_bar import ProgressBar
from se_keras.training.recipe import Recipe
from se_keras.training.signals import leave_at_once, on_signals
from se_keras.training.strategy import make_strategy
from se_keras.training.tasks import task_class
from se_keras.training.tasks.task import Task
from se_keras.training.workdir import MetricsFile, WorkDir, versions


def train(
    recipe: Recipe, strategy: tf.distribute.Strategy | None = None
) -> dict[str, Any]:
    """Trains, evaluates and exports a model, or continues where a run stopped.

    Args:
        recipe: Settings of the run.
        strategy: Where to run. Defaults to the strategy of `recipe.runtime`.

    Returns:
        The report, as in `report.json` of the work directory: the metrics of the
        evaluation, number of parameters, images per second, seconds of training and of
        this process, and the report of each export.

    Raises:
        UsageError: On bad input, before anything long starts; or if the loss or a
            weight is not finite.
        InterruptionError: After SIGTERM or SIGINT; the progress is saved.
        StorageError: If the disk of the work directory is full or fails.
        WorkerLostError: If another worker has stopped.

    Example:

    ```python
    recipe = training.make_recipe("sample", epochs=2, workdir="runs/first")
    report = training.train(recipe)
    print(report["accuracy"])
    ```
    """
    runtime = recipe.runtime
    if runtime.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Before signals are handled: Python runs no handler while workers wait for others.
    cluster = Cluster(
        strategy
        or make_strategy(runtime.strategy, runtime.workers, runtime.worker_index)
    )
    with on_signals(leave_at_once), cluster.lost_worker_errors():
        return _train(recipe, cluster)


def _train(recipe, cluster):
    started = time.monotonic()

    # Check all input before anything long starts.
    task = task_class(recipe.task)(recipe)
    cluster.check_batch_size(recipe.batch_size, recipe.gradient_accumulation)
    workdir = WorkDir(_workdir_path(recipe), recipe) if cluster.is_chief else None
    with cluster.chief_first():  # which may have to prepare the data
        task.open(cluster.shard)
    if workdir:
        workdir.check_data(task.fingerprint())
    steps_per_epoch = _steps_per_epoch(task)
    # Before the work directory is opened: a recipe may ask for what a network does not
    # have, or for weights that do not fit.
    trainer = _make_trainer(task, cluster, steps_per_epoch)

    with _opened(workdir):
        # Train what is left to train, and evaluate.
        if workdir:
            _introduce(task, cluster, workdir)
        with task.data_errors():
            checkpoints = _checkpoints(trainer, workdir)
            training_seconds, earlier_seconds = _fit(
                trainer, workdir, checkpoints, steps_per_epoch
            )
            epochs = trainer.progress.epoch
            if recipe.runtime.export == "best":
                _restore_best(trainer, checkpoints)
            evaluation = _evaluate(trainer, task.evaluation_batches())
            test = task.test_split and _evaluate(trainer, task.test_batches())
        bad_images = cluster.sum(len(task.bad_images))
        if not workdir:
            # The chief's exports take a while; this worker has to wait for its report.
            return cluster.broadcast()

        # Save and export, and report what was reached.
        model = task.inference_model(trainer.evaluated)
        with replacing(workdir.path / "model.keras") as path:
            model.save(path)
        exports = task.export(model, workdir.path)
        report = {
            "model": recipe.model,
            "dataset": recipe.dataset,
            "epochs": epochs,
            "export": recipe.runtime.export,
            "epoch": trainer.progress.epoch,
            "parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
            "evaluation_split": task.evaluation_split,
            **evaluation,
            **({"test": {"split": task.test_split, **test}} if test else {}),
            "bad_images": bad_images,
            **workdir.speed(),
            "training_seconds": training_seconds,
            "seconds": time.monotonic() - started + earlier_seconds,
            "exports": exports,
            "versions": versions(),
        }
        write_json(workdir.path / "report.json", report)
        task.write_results(workdir.path, workdir.metrics, report)
        _summarize(task, report, workdir)
        return cluster.broadcast(report)


def _workdir_path(recipe):
    return recipe.runtime.workdir or f"runs/{recipe.dataset}-{recipe.model}"


def _steps_per_epoch(task):
    images, batch_size = task.num_train_examples, task.recipe.batch_size
    if images < batch_size:
        raise UsageError(
            f"Expected a batch_size of at most {images}, the training images. "
            f"Received: batch_size={batch_size}"
        )
    return images // batch_size


def _make_trainer(task: Task, cluster: Cluster, steps_per_epoch: int) -> Trainer:
    recipe = task.recipe
    keras.utils.set_random_seed(recipe.seed)
    with cluster.scope():
        model = task.create_model()
        average = task.create_model(load_weights=False) if recipe.ema else None
        if recipe.sync_batch_norm:
            _synchronize(model, average)
        optimizer = make_optimizer(recipe, steps_per_epoch, task.rate_scale(model))
        # For the callbacks, which read `model.optimizer`.
        model.compile(optimizer=optimizer)
    return Trainer(model, optimizer, task, cluster, average)


def _synchronize(*models):
    """Makes batch normalization compute its moments over all replicas."""
    for layer in (layer for model in filter(None, models) for layer in model.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


@contextlib.contextmanager
def _opened(workdir):
    """A context that locks the work directory, which only the chief has."""
    if not workdir:
        yield
        return
    with workdir.open(), storage_errors(f"A file of {workdir.path}"):
        yield


def _introduce(task, cluster, workdir):
    recipe = task.recipe
    print(*task.introduction(), sep="\n")
    print(
        f"{recipe.epochs} epochs, {cluster.replicas} replica(s), {recipe.precision}. "
        f"Learning rate {recipe.learning_rate:.3g} for a batch of {recipe.batch_size}."
    )
    if recipe.precision == "mixed_float16" and cluster.on_cpu:
        print(
            "precision=mixed_float16 is for GPUs: on a CPU it takes 5 to 7 times as "
            "long as float32."
        )
    if task.load_report:
        print(f"Weights: {task.load_report}.")
        write_json(workdir.path / "weights.json", dataclasses.asdict(task.load_report))
    print(f"Work directory: {workdir.path}", flush=True)


def _checkpoints(trainer, workdir):
    """Returns the checkpoints of the run, which only the chief has."""
    task = trainer.task
    return workdir and Checkpoints(
        workdir.checkpoints,
        trainer.state,
        task.recipe.runtime.keep_checkpoints,
        task.monitor,
        task.monitor_mode,
    )


def _fit(trainer, workdir, checkpoints, steps_per_epoch):
    """Trains what is left.

    Returns:
        The seconds of training, and those of earlier parts of the run.
    """
    task, cluster = trainer.task, trainer.cluster
    recipe = task.recipe
    trainer.progress, seconds = _restore(trainer, checkpoints)
    saving = CheckpointRun(
        trainer,
        checkpoints,
        every=recipe.runtime.checkpoint_every,
        steps_per_epoch=steps_per_epoch,
        seconds=seconds,
    )

    def stop(name):
        print(f"\nReceived {name}: ending after this step.", flush=True)
        trainer.request_stop()

    try:
        with on_signals(stop):
            trainer.fit(
                task.training_batches,
                task.evaluation_batches(),
                steps_per_epoch=steps_per_epoch,
                epochs=recipe.epochs,
                progress=trainer.progress,
                callbacks=_callbacks(trainer, workdir, saving, steps_per_epoch),
                verbose=1 if cluster.is_chief else 0,
            )
    except AbandonedError:
        # In the middle of a step: its weights may be new and its number old.
        raise
    except InterruptionError as interruption:
        saving.save()
        raise InterruptionError(
            f"{interruption}, which is saved. The same command continues from there"
        ) from interruption
    return saving.seconds, seconds


def _restore(trainer, checkpoints):
    """Restores the last checkpoint on all workers; only the chief has the files."""
    cluster = trainer.cluster
    progress, seconds = checkpoints.restore() if checkpoints else (Progress(), 0.0)
    progress, seconds = _shared(trainer, progress, seconds)
    if progress == Progress():
        return progress, seconds
    if cluster.is_chief:
        step = f" and {progress.step} steps" if progress.step else ""
        epochs = trainer.task.recipe.epochs
        print(f"Continuing after epoch {progress.epoch} of {epochs}{step}.", flush=True)
    return progress, seconds


def _restore_best(trainer, checkpoints):
    """Restores the best epoch on all workers."""
    progress = checkpoints.restore_best() if checkpoints else Progress()
    trainer.progress, _ = _shared(trainer, progress, 0.0)


def _shared(trainer, progress, seconds):
    """Gives all workers what the chief has restored."""
    cluster = trainer.cluster
    restored = cluster.broadcast([dataclasses.asdict(progress), seconds])
    progress, seconds = Progress(**restored[0]), restored[1]
    if progress != Progress():
        cluster.broadcast_variables([v for vs in trainer.state.values() for v in vs])
    return progress, seconds


def _evaluate(trainer, batches):
    bars = [ProgressBar()] if trainer.cluster.is_chief else []
    with contextlib.ExitStack() as stack:
        for bar in bars:
            stack.callback(bar.close)
        return trainer.evaluate(batches, bars)


def _callbacks(trainer, workdir, saving, steps_per_epoch):
    recipe = trainer.task.recipe
    # What decides the result, on all workers.
    deciding = [FreezeBackbone(trainer, recipe.freeze_epochs)]
    if recipe.early_stopping:
        deciding.append(EarlyStopping(trainer, recipe.early_stopping))
    if not workdir:
        return [*deciding, saving]
    return [
        # First: it adds to the logs that the others see.
        Speed(recipe, steps_per_epoch),
        *deciding,
        # Before the checkpoint: an epoch with a row and without a checkpoint is trained
        # again, and its row replaced.
        MetricsFile(workdir, trainer.progress.epoch),
        saving,
        *_tensorboard(trainer, workdir.path / "tensorboard"),
    ]


def _tensorboard(trainer, directory):
    """Returns the callbacks that write for TensorBoard."""
    task = trainer.task

    def training_inputs():
        return next(iter(task.training_batches(0)))[0]

    def evaluation_inputs():
        return next(iter(task.evaluation_batches()))[0]

    profile = task.recipe.runtime.profile_steps or 0
    return [
        TensorBoard(directory, write_graph=False, profile_batch=profile),
        *task.tensorboard(
            directory, trainer.evaluated, training_inputs, evaluation_inputs
        ),
    ]


def _summarize(task, report, workdir):
    print()
    if report["bad_images"]:
        names = ", ".join(task.bad_images.names[:5])
        print(f"Skipped {report['bad_images']} bad images: {names} ...")
    print(*task.summary(workdir.path, report), sep="\n", flush=True)

"""A training run: a recipe in, a directory with a trained and exported model out.

The functions are in the order in which a run calls them. To change what a run does,
copy this file.
"""

import contextlib
import dataclasses
import os
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from se_keras.backend import keras_defaults
from se_keras.data.folder import FOLDER
from se_keras.errors import InterruptionError, UsageError, one_line
from se_keras.files import replacing, safe_name, write_json
from se_keras.signals import on_signals
from se_keras.training.checkpoints import CheckpointRun, Checkpoints, storage_errors
from se_keras.training.cluster import Cluster
from se_keras.training.finetune import FreezeBackbone
from se_keras.training.loop import Progress, Trainer
from se_keras.training.monitoring import EarlyStopping, Speed, TensorBoard
from se_keras.training.optimizer import make_optimizer
from se_keras.training.progress_bar import ProgressBar
from se_keras.training.recipe import Recipe
from se_keras.training.schedule import make_schedule
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
        InterruptionError: After SIGTERM or SIGINT in training; the progress is saved.
            At other times there is nothing to save, and a signal has the effect that
            it has in the program.
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
    cluster = Cluster(
        strategy
        or make_strategy(runtime.strategy, runtime.workers, runtime.worker_index)
    )
    with keras_defaults(), cluster.lost_worker_errors():
        return _train(recipe, cluster)


def _train(recipe, cluster):
    started = time.monotonic()

    # Check all input before anything long starts.
    task = task_class(recipe.task)(recipe)
    cluster.check_batch_size(recipe.batch_size, recipe.gradient_accumulation)
    workdir = WorkDir(workdir_path(recipe), recipe) if cluster.is_chief else None
    # What the weights to start from decide is needed later, and they are not.
    task.findings = cluster.broadcast(
        workdir.findings if workdir and workdir.has_checkpoint else None
    )
    with cluster.chief_first():  # which may have to prepare the data
        task.open(cluster.shard)
    if workdir:
        workdir.check_data(task.fingerprint())
    steps_per_epoch = steps_per_epoch_of(task)
    # Before the work directory is opened: a recipe may ask for what a network does not
    # have, or for weights that do not fit.
    trainer = make_trainer(task, cluster, steps_per_epoch)

    with _opened(workdir, task):
        # Train what is left to train, and evaluate.
        if workdir:
            _introduce(task, cluster, workdir)
        with task.data_errors(), _memory_errors(recipe):
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


def workdir_path(recipe: Recipe) -> str:
    """Returns the work directory of a recipe, by default `runs/DATASET-MODEL`."""
    if recipe.runtime.workdir:
        return recipe.runtime.workdir
    dataset, model = recipe.dataset, safe_name(recipe.model)
    if not dataset.startswith(FOLDER):
        return f"runs/{safe_name(dataset)}-{model}"
    # Two folders of images may have the same name.
    path = os.path.abspath(os.path.expanduser(dataset.removeprefix(FOLDER)))
    return f"runs/{safe_name(os.path.basename(path), path)}-{model}"


def steps_per_epoch_of(task: Task) -> int:
    """Returns the steps of an epoch; a partial batch at its end is left out."""
    images, batch_size = task.num_train_examples, task.recipe.batch_size
    if images < batch_size:
        raise UsageError(
            f"Expected a batch_size of at most {images}, the training images. "
            f"Received: batch_size={batch_size}"
        )
    return images // batch_size


def make_trainer(
    task: Task,
    cluster: Cluster,
    steps_per_epoch: int,
    schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> Trainer:
    """Returns the trainer of a run.

    Args:
        task: The task, after `open`.
        cluster: Where to train.
        steps_per_epoch: Steps of an epoch.
        schedule: The learning rate. Defaults to that of the recipe.
    """
    recipe = task.recipe
    keras.utils.set_random_seed(recipe.seed)
    with cluster.scope():
        model = task.create_model(load_weights=task.findings is None)
        average = task.create_model(load_weights=False) if recipe.ema else None
        if recipe.sync_batch_norm:
            _synchronize(model, average)
        optimizer = make_optimizer(
            recipe, steps_per_epoch, task.rate_scale(model), schedule
        )
        # For the callbacks, which read `model.optimizer`.
        model.compile(optimizer=optimizer)
    return Trainer(model, optimizer, task, cluster, average)


def _synchronize(*models):
    """Makes batch normalization compute its moments over all replicas."""
    for layer in (layer for model in filter(None, models) for layer in model.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


@contextlib.contextmanager
def _opened(workdir, task):
    """A context that locks the work directory, which only the chief has."""
    if not workdir:
        yield
        return
    with workdir.open(task.to_find()), storage_errors(f"A file of {workdir.path}"):
        yield


@contextlib.contextmanager
def _memory_errors(recipe):
    """Turns errors of a device without enough memory into `UsageError`."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        if "OOM" not in str(error):
            raise  # a disk
        raise UsageError(
            "Expected a step that fits in the memory of the device: lower batch_size "
            "or image_size, or raise gradient_accumulation. Received: "
            f"batch_size={recipe.batch_size}, image_size={recipe.image_size} "
            f"({one_line(error, 200)})"
        ) from error


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
    if workdir.earlier_epochs:
        first = workdir.earlier_epochs + 1
        print(
            f"The run of {workdir.earlier_epochs} epochs gets longer. Schedule "
            f"{recipe.schedule}: epochs {first} to {recipe.epochs} have the learning "
            "rates of a run of that length, "
            f"{_rate_in(recipe, first):.3g} in epoch {first}."
        )
    print(f"Work directory: {workdir.path}", flush=True)


def _rate_in(recipe, epoch):
    """Returns the learning rate at the start of an epoch, counted from 1."""
    return float(make_schedule(recipe, 1)(epoch - 1))


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

    received = []

    def stop(name):
        received.append(name)
        trainer.request_stop()
        # The signal may have interrupted `print`, which cannot be called again then.
        with contextlib.suppress(RuntimeError, OSError):
            print(f"\nReceived {name}: ending after this step.", flush=True)

    # Until all is saved: the next signal ends the process.
    with on_signals(stop):
        try:
            trainer.fit(
                task.training_batches,
                task.evaluation_batches(),
                steps_per_epoch=steps_per_epoch,
                epochs=recipe.epochs,
                progress=trainer.progress,
                callbacks=_callbacks(trainer, workdir, saving, steps_per_epoch),
                verbose=1 if cluster.is_chief else 0,
            )
        except InterruptionError as interruption:
            saving.save()
            raise InterruptionError(_saved(str(interruption))) from interruption
        # After the last step, where no step looks at it.
        if cluster.sum(len(received)):
            raise InterruptionError(_saved(f"After epoch {trainer.progress.epoch}"))
    ended_early = recipe.early_stopping and trainer.progress.epoch < recipe.epochs
    if ended_early and cluster.is_chief:
        print(
            f"{task.monitor} has not improved in {recipe.early_stopping} epochs: ended "
            f"after epoch {trainer.progress.epoch} of {recipe.epochs}.",
            flush=True,
        )
    return saving.seconds, seconds


def _saved(where):
    return f"{where}, which is saved. The same command continues from there"


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

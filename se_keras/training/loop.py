"""One training loop for every task and every strategy of `tf.distribute`.

Keras's `fit` fails under MultiWorkerMirroredStrategy (keras issue 20585), so the loop
uses public parts: `strategy.run`, `strategy.reduce`, Keras's optimizers and callbacks.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from se_keras.errors import InterruptionError, UsageError
from se_keras.training.cluster import Cluster
from se_keras.training.optimizer import decays, l2_penalty
from se_keras.training.progress_bar import ProgressBar
from se_keras.training.tasks.task import Task

# Reading a result waits for the device; a progress bar needs no more than this.
PROGRESS_SECONDS = 0.2
# Names in addition to the task's: in sums, and in predictions.
STOPPING, WEIGHTS = "_stopping", "_weights"
REMEDY = "lower the learning_rate, or try another precision"


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: Number of finished epochs: trained and evaluated.
        step: Number of steps taken since.
        totals: Sums over the images of these steps, as `Trainer.train_step` returns
            them.
        logs: Logs of the last finished epoch; empty within an epoch.
        monitored: The task's `monitor` in each finished epoch; `None` in those that
            were not evaluated.
    """

    epoch: int = 0
    step: int = 0
    totals: Mapping[str, float | tf.Tensor] = dataclasses.field(default_factory=dict)
    logs: Mapping[str, float] = dataclasses.field(default_factory=dict)
    monitored: Sequence[float | None] = ()


class Trainer:
    """Trains and evaluates a model for a task.

    The trainer handles replicas, gradient accumulation, the moving average of the
    weights and callbacks. Loss, metrics and evaluation are the task's; batch size,
    gradient clipping and weight decay are those of the task's recipe.

    Args:
        model: Created in the scope of `cluster`.
        optimizer: From `make_optimizer`, created in the scope of `cluster`. It must not
            sum gradients over replicas itself, as Keras's own optimizers do.
        task: What the model learns.
        cluster: Where to train. Defaults to one device.
        average: A second model like `model`, created in the scope of `cluster`, that
            gets the moving average of its weights; it is the one evaluated.

    Attributes:
        frozen: Whether the next epochs train the variables that are trainable now, if
            they are fewer than at the start.
        progress: How far the last `fit` is.

    Example:

    ```python
    task = training.Classification(training.make_recipe("sample", batch_size=32))
    trainer = training.Trainer(model, optimizer, task)
    trainer.evaluate(data)  # batches of (images, labels, weights)
    ```
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        task: Task,
        cluster: Cluster | None = None,
        average: keras.Model | None = None,
    ):
        self.model = model
        self.optimizer = optimizer
        self.task = task
        self.cluster = cluster or Cluster()
        self.average = average
        self._recipe = task.recipe
        self._l2 = l2_penalty(task.recipe)
        self.frozen = False
        self._kernels = [v for v in model.trainable_variables if decays(v)]
        self._statistics = [
            variable
            for each in (model, average)
            if each
            for variable in each.non_trainable_variables
            if "float" in variable.dtype
        ]
        if average:
            average.set_weights(model.get_weights())
        with self.cluster.scope():
            optimizer.build(model.trainable_variables)
        self.progress = Progress()
        self._unchecked = None
        self._stop_wanted = False
        # Summed in the graph of a step, so that all workers stop at the same step.
        self._stop_here = tf.Variable(0.0)

    @property
    def state(self) -> dict[str, list[keras.Variable]]:
        """All variables that training changes, by owner: what a checkpoint saves."""
        average = {"average": list(self.average.variables)} if self.average else {}
        return {
            "model": list(self.model.variables),
            "optimizer": list(self.optimizer.variables),
            **average,
        }

    def request_stop(self) -> None:
        """Makes `fit` end after the current step; signal handlers may call it."""
        self._stop_wanted = True

    def prepare_to_save(self) -> None:
        """Brings `state` and `progress` into a form that can be saved.

        Raises:
            UsageError: If the last loss or a weight is not finite.
        """
        self._check_last()
        if self.cluster.replicas > 1:
            self._average_statistics()
        if not self._all_finite():
            raise UsageError(
                f"Weights are not finite after {self._position()}: {REMEDY}"
            )

    def fit(
        self,
        training_data: Callable[[int, int], tf.data.Dataset],
        evaluation_data: tf.data.Dataset,
        *,
        steps_per_epoch: int,
        epochs: int,
        progress: Progress | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 1,
    ) -> dict[str, list[float]]:
        """Trains for some epochs, and evaluates as the recipe states.

        Args:
            training_data: Callable of the number of an epoch and of the steps to skip
                at its start that returns its batches, such as `task.training_batches`:
                pairs of inputs and targets. With several workers, this worker's share
                of each batch.
            evaluation_data: Batches for `evaluate`.
            steps_per_epoch: Batches of an epoch.
            epochs: Number of epochs after which to stop, those before `progress`
                included.
            progress: Where to start. Defaults to the beginning.
            callbacks: Keras callbacks; they see the logs of Keras's `fit`.
            verbose: 1 for a progress bar, which is one line per epoch where the output
                is not a terminal; 2 for one line per epoch; 0 for no output.

        Returns:
            The logs of each epoch, as in `keras.callbacks.History.history`.

        Raises:
            UsageError: If a loss is not finite; no callback sees its epoch end.
            InterruptionError: After `request_stop`; `state` can be saved.
        """
        self.progress = progress or Progress()
        self._unchecked = None
        self.model.stop_training = False
        first, logs = self.progress.epoch, None
        caller = keras.callbacks.CallbackList(
            [*callbacks, *self._progress_bar(steps_per_epoch, epochs, verbose)],
            add_history=True,
            model=self.model,
            verbose=verbose,
            epochs=epochs,
            steps=steps_per_epoch,
        )
        caller.on_train_begin()
        try:
            for epoch in range(first, epochs):
                # A callback may stop a run that continues before its first epoch.
                if self.model.stop_training:
                    break
                caller.on_epoch_begin(epoch)
                data = training_data(epoch, self.progress.step)
                logs = self._train_epoch(self.cluster.distribute(data), caller)
                if self.cluster.replicas > 1:
                    self._average_statistics()
                if self._is_evaluated(epoch, epochs):
                    evaluation = self.evaluate(evaluation_data, [caller])
                    del evaluation["examples"]
                    logs |= {f"val_{name}": value for name, value in evaluation.items()}
                monitored = (*self.progress.monitored, logs.get(self.task.monitor))
                self.progress = Progress(
                    epoch + 1, logs=dict(logs), monitored=monitored
                )
                caller.on_epoch_end(epoch, logs)
        finally:
            # However it ended: TensorBoard has files to close.
            caller.on_train_end(logs)
            # Not at the start: a signal may come before it.
            self._stop_wanted = False
        return self.model.history.history

    def _progress_bar(self, steps_per_epoch, epochs, verbose):
        if not verbose:
            return []
        recipe = self._recipe
        return [
            ProgressBar(
                epochs,
                steps_per_epoch,
                recipe.batch_size,
                self.task.monitor,
                recipe.validation_frequency,
                rewrite=None if verbose == 1 else False,
            )
        ]

    def _is_evaluated(self, epoch, epochs):
        """Returns whether an epoch, counted from 0, ends with an evaluation."""
        done = epoch + 1
        return done % self._recipe.validation_frequency == 0 or done == epochs

    def evaluate(
        self,
        data: tf.data.Dataset,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> dict[str, float]:
        """Evaluates the model on all images of weight 1.

        Args:
            data: Batches of inputs, targets and weights `(batch,)`, 1 or 0. With
                several workers, this worker's share of each batch.
            callbacks: Keras callbacks, for their methods `on_test_...`.

        Returns:
            The metrics of the task, with `loss`; and `examples`, the number of images.

        Raises:
            InterruptionError: After `request_stop`.
        """
        totals: dict[str, tf.Tensor] = {}
        predictions: list[dict[str, np.ndarray]] = []
        batches = int(data.cardinality())
        for callback in callbacks:
            callback.on_test_begin({"batches": batches} if batches > 0 else {})
        for number, batch in enumerate(self.cluster.distribute(data)):
            sums, predicted = self._run(self._evaluation_step, batch)
            totals = _add(totals, sums)
            predictions.append(_of_images(predicted))
            if self._stops(sums):
                raise InterruptionError(f"In the evaluation after {self._position()}")
            for callback in callbacks:
                callback.on_test_batch_end(number)
        logs = self.task.evaluate(_without_stopping(totals), _concatenated(predictions))
        for callback in callbacks:
            callback.on_test_end(logs)
        return logs | {"examples": int(totals["examples"])}

    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Takes one training step.

        Args:
            batch: Inputs and targets, distributed by the cluster.

        Returns:
            Sums over the images of the batch: `loss`, `examples`, and the metrics of
            the task.
        """
        return self._train_step(batch)

    def _train_epoch(self, batches, callbacks):
        train_step = self._train_frozen_step if self.frozen else self._train_step
        logs, shown = {}, 0.0
        for step, batch in enumerate(batches, self.progress.step):
            callbacks.on_train_batch_begin(step)
            sums = self._run(train_step, batch)
            before, self._unchecked = self._unchecked, (self._position(step + 1), sums)
            totals = _add(self.progress.totals, sums)
            self.progress = dataclasses.replace(
                self.progress, step=step + 1, totals=totals
            )
            # One step later: the device works while the host waits for the result.
            stops = self._stop_wanted and self.cluster.workers == 1
            if before:
                self._check(*before)
                stops = stops or self._stops(before[1])
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown, logs = time.monotonic(), self._logs(totals)
            callbacks.on_train_batch_end(step, logs)
            if stops:
                raise InterruptionError(f"After {self._position()}")
        self._check_last()
        return self._logs(self.progress.totals)

    def _run(self, step, batch):
        if self._stop_wanted:
            self._stop_here.assign(1.0)
        return step(batch)

    def _stops(self, sums):
        """Returns whether the run ends here: the same step on all workers."""
        if self.cluster.workers == 1:
            return self._stop_wanted
        return float(sums[STOPPING]) > 0

    def _check_last(self):
        unchecked, self._unchecked = self._unchecked, None
        if unchecked:
            self._check(*unchecked)

    def _check(self, position, sums):
        loss = float(sums["loss"])
        if not math.isfinite(loss):
            raise UsageError(f"The loss is {loss} in {position}: {REMEDY}")

    def _position(self, step=None):
        step = self.progress.step if step is None else step
        return f"step {step} of epoch {self.progress.epoch + 1}"

    def _logs(self, totals):
        return self.task.logs(_without_stopping(totals))

    @property
    def evaluated(self) -> keras.Model:
        """The model that is evaluated and kept: the average, where there is one."""
        return self.average or self.model

    @tf.function(reduce_retracing=True)
    def _train_step(self, batch):
        return self._step(batch)

    @tf.function(reduce_retracing=True)
    def _train_frozen_step(self, batch):
        """A step on fewer variables: another trace of the same code."""
        return self._step(batch)

    def _step(self, batch):
        def step(inputs, targets):
            gradients, sums = self._gradients(inputs, targets)
            self.optimizer.apply_gradients(
                zip(
                    self._over_replicas(gradients),
                    self.model.trainable_variables,
                    strict=True,
                )
            )
            return sums

        sums = self.cluster.reduce_sum(self.cluster.run(step, batch))
        if self.average:
            self._update_average()
        return sums

    def _gradients(self, inputs, targets):
        """Returns the gradients of this replica's images, and the sums over them."""
        variables = [v.value for v in self.model.trainable_variables]
        parts = self._recipe.gradient_accumulation
        gradients, sums = None, {}
        for part, targets_of_part in zip(
            _split(inputs, parts), _split(targets, parts), strict=True
        ):
            if gradients is not None:
                # Without this TensorFlow may hold all parts in memory at once.
                with tf.control_dependencies(gradients):
                    part = tf.nest.map_structure(tf.identity, part)
            with tf.GradientTape() as tape:
                outputs = self.model(part, training=True)
                losses = self.task.training_losses(targets_of_part, outputs)
                # Gradients are summed over replicas and parts.
                loss = tf.reduce_sum(_total(losses)) / self._recipe.batch_size
                shares = self.cluster.replicas * parts
                scaled = self.optimizer.scale_loss(loss + self._penalty() / shares)
            new = tape.gradient(scaled, variables)
            gradients = new if gradients is None else list(map(tf.add, gradients, new))
            weights = tf.ones_like(_total(losses))
            sums = _add(sums, self._sums(losses, targets_of_part, outputs, weights))
        return gradients, sums

    def _over_replicas(self, gradients):
        """Returns the gradients of the whole batch, clipped.

        Keras clips, and looks for infinities, before it sums over replicas: then each
        replica clips its share, and they may disagree on whether to skip a step.
        """
        gradients = self.cluster.all_reduce_sum(gradients)
        if self._recipe.clip_norm:
            norm = self.optimizer.scale_loss(tf.constant(float(self._recipe.clip_norm)))
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        return gradients

    def _update_average(self):
        """Moves the average toward the weights, batch norm's statistics included.

        Keras's `use_ema` leaves the statistics out. The first steps average over fewer
        steps, as `tf.train.ExponentialMovingAverage` does.
        """
        step = tf.cast(self.optimizer.iterations, tf.float32)
        rate = 1 - tf.minimum(self._recipe.ema, (1 + step) / (10 + step))

        def move(average, value):
            average.assign_sub(rate * (average - value))

        pairs = zip(self.average.weights, self.model.weights, strict=True)
        for average, weight in pairs:
            self.cluster.update(average, move, weight.value)

    @tf.function
    def _average_statistics(self):
        """Assigns the mean of the batch-norm statistics of all replicas to each.

        Each replica keeps its own in training; without this, evaluation would depend
        on which replica sees an image, and a file would hold those of the first.
        """

        def average():
            # With ReduceOp.MEAN, or with a value that is only read from a variable,
            # MultiWorkerMirroredStrategy finds no device to reduce on.
            shares = [v.value / self.cluster.replicas for v in self._statistics]
            means = self.cluster.all_reduce_sum(shares)
            for variable, mean in zip(self._statistics, means, strict=True):
                variable.assign(mean)

        self.cluster.run(average)

    @tf.function
    def _all_finite(self):
        variables = [v for vs in self.state.values() for v in vs if "float" in v.dtype]
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in variables])

    @tf.function(reduce_retracing=True)
    def _evaluation_step(self, batch):
        def step(inputs, targets, weights):
            outputs = self.evaluated(inputs, training=False)
            losses = self.task.losses(targets, outputs)
            predicted = self.task.predictions(targets, outputs)
            return (
                self._sums(losses, targets, outputs, weights),
                predicted and {**predicted, WEIGHTS: weights},
            )

        sums, predicted = self.cluster.run(step, batch)
        return self.cluster.reduce_sum(sums), self.cluster.gather(predicted)

    def _penalty(self):
        penalties = list(self.model.losses)
        if self._l2:
            penalties += [self._l2 * tf.nn.l2_loss(v) for v in self._kernels]
        return tf.add_n(penalties) if penalties else 0.0

    def _sums(self, losses, targets, outputs, weights):
        """Returns sums over the images of a replica, by name."""
        values = {**losses, "loss": _total(losses), "examples": tf.ones_like(weights)}
        sums = {name: tf.reduce_sum(value * weights) for name, value in values.items()}
        sums |= self.task.sums(targets, outputs, weights)
        if self.cluster.workers > 1:
            sums[STOPPING] = self._stop_here.read_value()
        return sums


def _total(losses):
    """Returns the sum of the terms of the loss, for each image."""
    return tf.add_n(list(losses.values()))


def _split(structure, parts):
    """Splits the tensors of a structure into parts of a batch."""
    tensors = [tf.split(tensor, parts) for tensor in tf.nest.flatten(structure)]
    return [
        tf.nest.pack_sequence_as(structure, part) for part in zip(*tensors, strict=True)
    ]


def _add(totals, sums):
    return {k: totals[k] + v if k in totals else v for k, v in sums.items()}


def _without_stopping(totals):
    return {name: float(v) for name, v in totals.items() if name != STOPPING}


def _of_images(predicted):
    """Returns the predictions of a batch as arrays, without images of weight 0."""
    arrays = {name: np.asarray(value) for name, value in predicted.items()}
    weights = arrays.pop(WEIGHTS, None)
    return {name: array[weights > 0] for name, array in arrays.items()}


def _concatenated(batches):
    names = batches[0] if batches else ()
    return {name: np.concatenate([batch[name] for batch in batches]) for name in names}

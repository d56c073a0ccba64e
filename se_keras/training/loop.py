"""One training loop for every strategy of `tf.distribute`.

Keras's `fit` fails under MultiWorkerMirroredStrategy (keras issue 20585), so the loop
is made of public parts: `strategy.run`, `strategy.reduce`, Keras's optimizers and
callbacks.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from se_keras.errors import InterruptionError, UsageError
from se_keras.training.losses import LOSSES, targets
from se_keras.training.optimizer import decays
from se_keras.training.strategy import distribute_share, worker_of

# Reading a result waits for the device; more often than this nobody can look.
PROGRESS_SECONDS = 0.2
REMEDY = "lower the learning_rate, or try another precision"
# Sums that are no sums over images.
COUNTS = ("examples", "stopping")


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: Finished epochs: trained and evaluated.
        step: Steps taken since.
        totals: Sums over the images of these steps, as `Trainer.train_step` returns
            them.
        logs: What the last finished epoch logged; empty within an epoch.
    """

    epoch: int = 0
    step: int = 0
    totals: Mapping[str, float | tf.Tensor] = dataclasses.field(default_factory=dict)
    logs: Mapping[str, float] = dataclasses.field(default_factory=dict)


class Trainer:
    """Trains and evaluates a classifier that returns logits.

    Args:
        model: Built in the scope of `strategy`.
        optimizer: Of `make_optimizer`, created in the scope of `strategy`; one that
            sums gradients over replicas itself would do so a second time.
        strategy: Where to run.
        classes: Number of classes.
        batch_size: Images of a batch over all replicas.
        weight_decay: L2 penalty on the trainable kernels.
        label_smoothing: Share of each label that is spread over all classes.
        loss: A key of `LOSSES`.
        target_threshold: See `losses.targets`.
        clip_norm: Largest norm of the gradient over all variables and replicas;
            `None` for any.
        accumulation: Parts of a replica's batch that go through the model one after
            the other, for less memory. The gradient is that of the whole batch; batch
            norm sees the parts.
        average: A second model like `model`, created in the scope of `strategy`, that
            gets the moving average of its weights; it is the one evaluated.
        average_momentum: Weight of the past in that average, for one step.

    Attributes:
        frozen: Whether the epochs to come train the variables that are trainable now,
            when less of them are than at the start.
        progress: How far the last `fit` is.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        *,
        classes: int,
        batch_size: int,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        loss: str = "cross_entropy",
        target_threshold: float | None = None,
        clip_norm: float | None = None,
        accumulation: int = 1,
        average: keras.Model | None = None,
        average_momentum: float = 0.0,
    ):
        self.model = model
        self.optimizer = optimizer
        self.strategy = strategy
        self._classes = classes
        self._batch_size = batch_size
        self._weight_decay = weight_decay
        self._label_smoothing = label_smoothing
        self._loss = LOSSES[loss]
        self._target_threshold = target_threshold
        self._clip_norm = clip_norm
        self._accumulation = accumulation
        self.average = average
        self._average_momentum = average_momentum
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
        with strategy.scope():
            optimizer.build(model.trainable_variables)
        self.progress = Progress()
        self._workers = worker_of(strategy).count
        self._unchecked = None
        self._stop_wanted = False
        # In the graph of a step, so that all workers hear of it in the same step.
        self._stop_here = tf.Variable(0.0)

    @property
    def state(self) -> dict[str, list[keras.Variable]]:
        """All that training changes: of the model, random states too, and optimizer."""
        average = {"average": list(self.average.variables)} if self.average else {}
        return {
            "model": list(self.model.variables),
            "optimizer": list(self.optimizer.variables),
            **average,
        }

    def request_stop(self) -> None:
        """Makes `fit` end after the step that is running; callable from a signal."""
        self._stop_wanted = True

    def prepare_to_save(self) -> None:
        """Makes `state` and `progress` fit to be saved.

        Raises:
            UsageError: If the last loss or a weight is not finite.
        """
        self._check_last()
        if self.strategy.num_replicas_in_sync > 1:
            self._average_statistics()
        if not self._all_finite():
            raise UsageError(f"Weights are not finite after {self._place()}: {REMEDY}")

    def fit(
        self,
        training_data: Callable[[int, int], tf.data.Dataset],
        evaluation_data: tf.data.Dataset,
        *,
        steps_per_epoch: int,
        epochs: int,
        progress: Progress | None = None,
        callbacks: list[keras.callbacks.Callback] = (),
        verbose: int = 1,
    ) -> dict[str, list[float]]:
        """Trains for some epochs, each followed by an evaluation.

        Args:
            training_data: Callable of an epoch's number and of the steps to leave out
                at its beginning that returns its batches: pairs of images and
                labels, integers or shares of the classes. With several workers, this
                worker's share of each batch.
            evaluation_data: Batches for `evaluate`.
            steps_per_epoch: Batches of an epoch.
            epochs: Number of the epoch at which to stop.
            progress: Where to begin. Defaults to the beginning.
            callbacks: Keras callbacks; they see the logs of Keras's `fit`.
            verbose: 1 for a progress bar, 2 for a line an epoch, 0 for silence.

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
        callbacks = keras.callbacks.CallbackList(
            list(callbacks),
            add_history=True,
            add_progbar=verbose != 0,
            model=self.model,
            verbose=verbose,
            epochs=epochs,
            steps=steps_per_epoch,
        )
        callbacks.on_train_begin()
        try:
            for epoch in range(first, epochs):
                callbacks.on_epoch_begin(epoch)
                data = training_data(epoch, self.progress.step)
                logs = self._train_epoch(self._distribute(data), callbacks)
                if self.strategy.num_replicas_in_sync > 1:
                    self._average_statistics()
                evaluation = self.evaluate(evaluation_data)
                del evaluation["examples"]
                logs |= {f"val_{name}": value for name, value in evaluation.items()}
                self.progress = Progress(epoch + 1, logs=dict(logs))
                callbacks.on_epoch_end(epoch, logs)
                if self.model.stop_training:
                    break
        finally:
            # Whatever ended it: TensorBoard has files to close.
            callbacks.on_train_end(logs)
            # Here, and not at the start: a signal may come before.
            self._stop_wanted = False
        return self.model.history.history

    def evaluate(self, data: tf.data.Dataset) -> dict[str, float]:
        """Returns loss and accuracies over all images of weight 1.

        Args:
            data: Batches of images, integer labels and weights. With several workers,
                this worker's share of each batch.

        Returns:
            `loss`, `accuracy`, `top5_accuracy` (where there are more than 5 classes)
            and `examples`, the number of images.

        Raises:
            InterruptionError: After `request_stop`.
        """
        totals = {}
        for batch in self._distribute(data):
            sums = self._run(self._evaluation_step, batch)
            totals = _add(totals, sums)
            if self._stops(sums):
                raise InterruptionError(f"In the evaluation after {self._place()}")
        return self._logs(totals) | {"examples": int(totals["examples"])}

    def train_step(self, batch) -> dict[str, tf.Tensor]:
        """Takes a step on a distributed batch and returns sums over its images."""
        return self._train_step(batch)

    def _train_epoch(self, batches, callbacks):
        train_step = self._train_frozen_step if self.frozen else self._train_step
        logs, shown = {}, 0.0
        for step, batch in enumerate(batches, self.progress.step):
            callbacks.on_train_batch_begin(step)
            sums = self._run(train_step, batch)
            before, self._unchecked = self._unchecked, (self._place(step + 1), sums)
            totals = _add(self.progress.totals, sums)
            self.progress = dataclasses.replace(
                self.progress, step=step + 1, totals=totals
            )
            # One step behind the device: it has work while the host waits for this.
            stops = self._stop_wanted and self._workers == 1
            if before:
                self._check(*before)
                stops = stops or self._stops(before[1])
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown, logs = time.monotonic(), self._logs(totals)
            callbacks.on_train_batch_end(step, logs)
            if stops:
                raise InterruptionError(f"After {self._place()}")
        self._check_last()
        return self._logs(self.progress.totals)

    def _run(self, step, batch):
        if self._stop_wanted:
            self._stop_here.assign(1.0)
        return step(batch)

    def _stops(self, sums):
        """Returns whether the run ends here, which all workers see in one step."""
        if self._workers == 1:
            return self._stop_wanted
        return float(sums["stopping"]) > 0

    def _check_last(self):
        unchecked, self._unchecked = self._unchecked, None
        if unchecked:
            self._check(*unchecked)

    def _check(self, place, sums):
        loss = float(sums["loss"])
        if not math.isfinite(loss):
            raise UsageError(f"The loss is {loss} in {place}: {REMEDY}")

    def _place(self, step=None):
        step = self.progress.step if step is None else step
        return f"step {step} of epoch {self.progress.epoch + 1}"

    def _distribute(self, data):
        if self._workers == 1:
            return self.strategy.experimental_distribute_dataset(data)
        return distribute_share(self.strategy, data)

    def _logs(self, totals):
        examples = max(float(totals["examples"]), 1.0)
        return {k: float(v) / examples for k, v in totals.items() if k not in COUNTS}

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
        def step(images, labels):
            gradients, sums = self._gradients(images, labels)
            self.optimizer.apply_gradients(
                zip(
                    self._over_replicas(gradients),
                    self.model.trainable_variables,
                    strict=True,
                )
            )
            return sums

        sums = self._reduce(self.strategy.run(step, args=batch))
        if self.average:
            self._update_average()
        return sums

    def _gradients(self, images, labels):
        """Returns the gradients of a replica's share of the loss, and its sums."""
        variables = [v.value for v in self.model.trainable_variables]
        parts = self._accumulation
        gradients, sums = None, {}
        for part, targets_of_part in zip(
            tf.split(images, parts), tf.split(labels, parts), strict=True
        ):
            if gradients is not None:
                # Without this TensorFlow may hold all parts in memory at once.
                with tf.control_dependencies(gradients):
                    part = tf.identity(part)
            with tf.GradientTape() as tape:
                logits = self.model(part, training=True)
                losses = self._losses(targets_of_part, logits)
                # Gradients are summed over replicas, so each takes its share.
                loss = tf.reduce_sum(losses) / self._batch_size
                shares = self.strategy.num_replicas_in_sync * parts
                scaled = self.optimizer.scale_loss(loss + self._penalty() / shares)
            new = tape.gradient(scaled, variables)
            gradients = new if gradients is None else list(map(tf.add, gradients, new))
            sums = _add(
                sums,
                self._sums(losses, targets_of_part, logits, tf.ones_like(losses)),
            )
        return gradients, sums

    def _over_replicas(self, gradients):
        """Returns the gradients of the whole batch, clipped.

        Keras clips, and looks for infinities, before it sums over replicas: then each
        replica clips its share, and they may disagree on whether to skip a step.
        """
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if self._clip_norm:
            norm = self.optimizer.scale_loss(tf.constant(self._clip_norm))
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        return gradients

    def _update_average(self):
        """Moves the average toward the weights, batch norm's statistics included.

        Keras's `use_ema` leaves the statistics out. In the first steps the average
        is of fewer steps, as in `tf.train.ExponentialMovingAverage`.
        """
        step = tf.cast(self.optimizer.iterations, tf.float32)
        share = 1 - tf.minimum(self._average_momentum, (1 + step) / (10 + step))

        def move(average, value):
            average.assign_sub(share * (average - value))

        pairs = zip(self.average.weights, self.model.weights, strict=True)
        for average, weight in pairs:
            self.strategy.extended.update(average.value, move, args=(weight.value,))

    @tf.function
    def _average_statistics(self):
        """Gives all replicas the mean of their batch-norm statistics.

        Each replica keeps its own in training; without this, evaluation would depend
        on which replica sees an image, and a file would hold those of the first.
        """

        def average():
            context = tf.distribute.get_replica_context()
            # Shares of a sum: with MEAN, and with what is only read from a variable,
            # MultiWorkerMirroredStrategy finds no device to reduce on.
            shares = [v.value / context.num_replicas_in_sync for v in self._statistics]
            means = context.all_reduce(tf.distribute.ReduceOp.SUM, shares)
            for variable, mean in zip(self._statistics, means, strict=True):
                variable.assign(mean)

        self.strategy.run(average)

    @tf.function
    def _all_finite(self):
        variables = [v for vs in self.state.values() for v in vs if "float" in v.dtype]
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in variables])

    @tf.function(reduce_retracing=True)
    def _evaluation_step(self, batch):
        def step(images, labels, weights):
            logits = self.evaluated(images, training=False)
            return self._sums(self._losses(labels, logits), labels, logits, weights)

        return self._reduce(self.strategy.run(step, args=batch))

    def _losses(self, labels, logits):
        """Returns the loss of each image, in float32."""
        return self._loss(
            targets(
                labels, self._classes, self._label_smoothing, self._target_threshold
            ),
            tf.cast(logits, tf.float32),
        )

    def _penalty(self):
        penalties = list(self.model.losses)
        if self._weight_decay:
            penalties += [self._weight_decay * tf.nn.l2_loss(v) for v in self._kernels]
        return tf.add_n(penalties) if penalties else 0.0

    def _sums(self, losses, labels, logits, weights):
        if labels.dtype.is_floating:
            # An image of two classes counts for the larger one.
            labels = tf.argmax(labels, -1)
        values = {
            "loss": losses,
            "accuracy": keras.metrics.sparse_categorical_accuracy(labels, logits),
            "examples": tf.ones_like(losses),
        }
        if self._classes > 5:
            values["top5_accuracy"] = keras.metrics.sparse_top_k_categorical_accuracy(
                labels, logits, k=5
            )
        sums = {
            name: tf.reduce_sum(tf.cast(value, tf.float32) * weights)
            for name, value in values.items()
        }
        if self._workers > 1:
            sums["stopping"] = self._stop_here.read_value()
        return sums

    def _reduce(self, sums):
        return {
            name: self.strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for name, value in sums.items()
        }


def _add(totals, sums):
    return {k: totals[k] + v if k in totals else v for k, v in sums.items()}

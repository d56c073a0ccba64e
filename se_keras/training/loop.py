"""One training loop for every strategy of `tf.distribute`.

Keras's `fit` fails under MultiWorkerMirroredStrategy (keras issue 20585), so the loop
is made of public parts: `strategy.run`, `strategy.reduce`, Keras's optimizers and
callbacks.
"""

import math
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from se_keras.errors import UsageError

# Reading a result waits for the device; more often than this nobody can look.
PROGRESS_SECONDS = 0.2


class Trainer:
    """Trains and evaluates a classifier that returns logits.

    Args:
        model: Built in the scope of `strategy`.
        optimizer: Created in the scope of `strategy`.
        strategy: Where to run.
        classes: Number of classes.
        batch_size: Images of a batch over all replicas.
        weight_decay: L2 penalty on the trainable kernels.
        label_smoothing: Share of each label that is spread over all classes.
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
    ):
        self.model = model
        self.optimizer = optimizer
        self.strategy = strategy
        self._classes = classes
        self._batch_size = batch_size
        self._weight_decay = weight_decay
        self._label_smoothing = label_smoothing
        self._kernels = [
            v for v in model.trainable_variables if v.path.endswith("kernel")
        ]
        self._statistics = [
            v for v in model.non_trainable_variables if "float" in v.dtype
        ]
        with strategy.scope():
            optimizer.build(model.trainable_variables)

    def fit(
        self,
        training_data: Callable[[int], tf.data.Dataset],
        evaluation_data: tf.data.Dataset,
        *,
        steps_per_epoch: int,
        epochs: int,
        initial_epoch: int = 0,
        callbacks: list[keras.callbacks.Callback] = (),
        verbose: int = 1,
    ) -> dict[str, list[float]]:
        """Trains for some epochs, each followed by an evaluation.

        Args:
            training_data: Callable of an epoch's number that returns its batches:
                pairs of images and integer labels.
            evaluation_data: Batches for `evaluate`.
            steps_per_epoch: Batches of an epoch.
            epochs: Number of the epoch at which to stop.
            initial_epoch: Number of the first epoch.
            callbacks: Keras callbacks; they see the logs of Keras's `fit`.
            verbose: 1 for a progress bar, 2 for a line an epoch, 0 for silence.

        Returns:
            The logs of each epoch, as in `keras.callbacks.History.history`.

        Raises:
            UsageError: If the loss of an epoch is not finite; no callback sees it.
        """
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
        for epoch in range(initial_epoch, epochs):
            callbacks.on_epoch_begin(epoch)
            batches = self.strategy.experimental_distribute_dataset(
                training_data(epoch)
            )
            logs = self._train_epoch(batches, callbacks)
            if not math.isfinite(logs["loss"]):
                # Before any callback saves what came of it.
                raise UsageError(
                    f"The loss is {logs['loss']} in epoch {epoch + 1}: lower the "
                    "learning_rate, or try another precision"
                )
            if self.strategy.num_replicas_in_sync > 1:
                self._average_statistics()
            evaluation = self.evaluate(evaluation_data)
            del evaluation["examples"]
            logs |= {f"val_{name}": value for name, value in evaluation.items()}
            callbacks.on_epoch_end(epoch, logs)
            if self.model.stop_training:
                break
        callbacks.on_train_end(logs if epochs > initial_epoch else None)
        return self.model.history.history

    def evaluate(self, data: tf.data.Dataset) -> dict[str, float]:
        """Returns loss and accuracies over all images of weight 1.

        Args:
            data: Batches of images, integer labels and weights.

        Returns:
            `loss`, `accuracy`, `top5_accuracy` (where there are more than 5 classes)
            and `examples`, the number of images.
        """
        totals = None
        for batch in self.strategy.experimental_distribute_dataset(data):
            totals = _add(totals, self._evaluation_step(batch))
        return self._logs(totals) | {"examples": int(totals["examples"])}

    def train_step(self, batch) -> dict[str, tf.Tensor]:
        """Takes a step on a distributed batch and returns sums over its images."""
        return self._train_step(batch)

    def _train_epoch(self, batches, callbacks):
        totals, logs, shown = None, {}, 0.0
        for step, batch in enumerate(batches):
            callbacks.on_train_batch_begin(step)
            totals = _add(totals, self._train_step(batch))
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown, logs = time.monotonic(), self._logs(totals)
            callbacks.on_train_batch_end(step, logs)
        return self._logs(totals)

    def _logs(self, totals):
        examples = max(float(totals["examples"]), 1.0)
        return {k: float(v) / examples for k, v in totals.items() if k != "examples"}

    @tf.function(reduce_retracing=True)
    def _train_step(self, batch):
        def step(images, labels):
            with tf.GradientTape() as tape:
                logits = self.model(images, training=True)
                losses = self._losses(labels, logits)
                # Gradients are summed over replicas, so each takes its share.
                loss = tf.reduce_sum(losses) / self._batch_size
                penalty = self._penalty() / self.strategy.num_replicas_in_sync
                scaled = self.optimizer.scale_loss(loss + penalty)
            variables = self.model.trainable_variables
            gradients = tape.gradient(scaled, [v.value for v in variables])
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return self._sums(losses, labels, logits, tf.ones_like(losses))

        return self._reduce(self.strategy.run(step, args=batch))

    @tf.function
    def _average_statistics(self):
        """Gives all replicas the mean of their batch-norm statistics.

        Each replica keeps its own in training; without this, evaluation would depend
        on which replica sees an image, and a file would hold those of the first.
        """

        def average():
            context = tf.distribute.get_replica_context()
            for variable in self._statistics:
                value = tf.convert_to_tensor(variable.value)
                variable.assign(context.all_reduce(tf.distribute.ReduceOp.MEAN, value))

        self.strategy.run(average)

    @tf.function(reduce_retracing=True)
    def _evaluation_step(self, batch):
        def step(images, labels, weights):
            logits = self.model(images, training=False)
            return self._sums(self._losses(labels, logits), labels, logits, weights)

        return self._reduce(self.strategy.run(step, args=batch))

    def _losses(self, labels, logits):
        """Returns the cross-entropy of each image, in float32."""
        return keras.losses.categorical_crossentropy(
            tf.one_hot(labels, self._classes),
            tf.cast(logits, tf.float32),
            from_logits=True,
            label_smoothing=self._label_smoothing,
        )

    def _penalty(self):
        penalties = list(self.model.losses)
        if self._weight_decay:
            penalties += [self._weight_decay * tf.nn.l2_loss(v) for v in self._kernels]
        return tf.add_n(penalties) if penalties else 0.0

    def _sums(self, losses, labels, logits, weights):
        values = {
            "loss": losses,
            "accuracy": keras.metrics.sparse_categorical_accuracy(labels, logits),
            "examples": tf.ones_like(losses),
        }
        if self._classes > 5:
            values["top5_accuracy"] = keras.metrics.sparse_top_k_categorical_accuracy(
                labels, logits, k=5
            )
        return {
            name: tf.reduce_sum(tf.cast(value, tf.float32) * weights)
            for name, value in values.items()
        }

    def _reduce(self, sums):
        return {
            name: self.strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for name, value in sums.items()
        }


def _add(totals, sums):
    return sums if totals is None else {k: totals[k] + v for k, v in sums.items()}

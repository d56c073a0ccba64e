"""Callbacks of a run: speed, early stopping, TensorBoard, images, gates."""

import math
import pathlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from se_keras.layers.gate import Gate
from se_keras.models import Preprocessing
from se_keras.training.recipe import Recipe
from se_keras.training.schedule import make_schedule

if TYPE_CHECKING:
    from se_keras.training.loop import Trainer

GATES = 6  # layers
IMAGES = 16


class Speed(keras.callbacks.Callback):
    """Adds speed and learning rate to the logs that later callbacks see.

    `images_per_second` is that of the steps of an epoch without its first, which waits
    for the pipeline, or for TensorFlow to trace the step; evaluation and the checkpoint
    of the epoch are left out too. An epoch of which this process took no step has
    none. Epochs also log `learning_rate`, that of their last step.

    Args:
        recipe: Settings of the run.
        steps_per_epoch: Steps of an epoch.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int):
        super().__init__()
        self._batch_size = recipe.batch_size
        self._schedule = make_schedule(recipe, steps_per_epoch)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._since, self._steps = time.monotonic(), 0

    def on_train_batch_end(self, batch, logs=None):
        """Adds the speed of the epoch so far."""
        now = time.monotonic()
        self._steps += 1
        timed = self._steps - 1 or 1
        self._rate = timed * self._batch_size / max(now - self._since, 1e-9)
        if self._steps == 1:
            self._since = now
        # Empty logs are not shown.
        if logs:
            logs["images_per_second"] = self._rate

    def on_epoch_end(self, epoch, logs=None):
        """Adds the speed of the epoch, and its last learning rate."""
        # The optimizer's own rate is already that of the next step.
        done = tf.convert_to_tensor(self.model.optimizer.iterations.value)
        logs["learning_rate"] = float(self._schedule(int(done) - 1))
        if self._steps:
            logs["images_per_second"] = self._rate


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Ends a run when the task's metric has not improved for some epochs.

    A run that continues counts the epochs of its earlier parts, so that it ends where
    an undisturbed one does. Epochs without an evaluation are not looked at.

    Args:
        trainer: The `Trainer`, which knows the metric in each finished epoch.
        epochs: Number of epochs, rounded up to an evaluation.
    """

    def __init__(self, trainer: "Trainer", epochs: int):
        task = trainer.task
        # Keras counts the epochs that it sees a value of.
        patience = math.ceil(epochs / task.recipe.validation_frequency)
        super().__init__(task.monitor, patience=patience, mode=task.monitor_mode)
        self._trainer = trainer

    def on_train_begin(self, logs=None):
        """Looks at the epochs of earlier parts of the run."""
        super().on_train_begin()
        for epoch, value in enumerate(self._trainer.progress.monitored):
            self.on_epoch_end(epoch, {self.monitor: value})

    def get_monitor_value(self, logs):
        """Returns the metric, or `None`; Keras warns where it is missing."""
        return (logs or {}).get(self.monitor)


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's callback, with the learning rate that the logs have.

    Keras's logs that of the step after the epoch, and `metrics.csv` that of its last.
    """

    def _collect_learning_rate(self, logs):
        return logs


class AugmentedImages(keras.callbacks.Callback):
    """Writes the first training images for TensorBoard, as the network gets them.

    Args:
        directory: Directory of TensorBoard's files.
        images: Callable that returns a batch of normalized images.
        preprocessing: How they were normalized.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        images: Callable[[], tf.Tensor],
        preprocessing: Preprocessing,
    ):
        super().__init__()
        self._directory = directory / "images"
        self._images = images
        self._preprocessing = preprocessing

    def on_epoch_begin(self, epoch, logs=None):
        """Writes images before the first epoch."""
        if epoch > 0:
            return
        pixels = self._preprocessing.denormalize(self._images()[:IMAGES])
        writer = tf.summary.create_file_writer(str(self._directory))
        with writer.as_default(step=0):
            tf.summary.image(
                "augmented", tf.clip_by_value(pixels / 255, 0, 1), max_outputs=IMAGES
            )
        writer.close()


class GateHistograms(keras.callbacks.Callback):
    """Writes histograms of some gates for TensorBoard after each epoch.

    Args:
        directory: Directory of TensorBoard's files.
        model: The model with the gates; without gates nothing is written.
        images: Callable that returns a batch of evaluation images.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        model: keras.Model,
        images: Callable[[], tf.Tensor],
    ):
        super().__init__()
        self._directory = directory / "gates"
        self._inputs = inputs_of_gates(model)
        self._layers = {layer.name: layer for layer in model.layers}
        self._get_images = images
        self._images = None
        self._writer = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes the histograms."""
        if self._inputs is None:
            return
        if self._images is None:
            self._images = self._get_images()
            self._writer = tf.summary.create_file_writer(str(self._directory))
        with self._writer.as_default(step=epoch):
            for name, inputs in self._inputs(self._images, training=False).items():
                gates = self._layers[name].gate(inputs)
                tf.summary.histogram(f"gates/{name}", tf.cast(gates, tf.float32))
        self._writer.flush()


def inputs_of_gates(model: keras.Model, count: int = GATES) -> keras.Model | None:
    """Returns a model whose outputs are the inputs of some gates.

    Args:
        model: A functional model.
        count: How many gates at most; the first and the last are among them.

    Returns:
        A model that returns the feature maps by the names of the layers, or `None` if
        there are no gates.
    """
    layers = [layer for layer in model.layers if isinstance(layer, Gate)]
    if not layers:
        return None
    indices = np.linspace(0, len(layers) - 1, min(count, len(layers))).round()
    chosen = [layers[int(index)] for index in indices]
    return keras.Model(model.input, {layer.name: layer.input for layer in chosen})

"""Callbacks that show how a run goes: speed, augmented images, gates."""

import pathlib
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from se_keras.layers.gate import Gate
from se_keras.models import Preprocessing
from se_keras.training.recipe import Recipe
from se_keras.training.schedule import make_schedule

GATES = 6  # layers
IMAGES = 16


class Speed(keras.callbacks.Callback):
    """Adds speed and learning rate to the logs that later callbacks see.

    Steps log `images_per_second` of this epoch, and `minutes_left` of the whole
    training, without evaluation; epochs log `images_per_second`, and `learning_rate` of
    the last step.

    Args:
        recipe: Settings of the run.
        steps_per_epoch: Steps of an epoch.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int):
        super().__init__()
        self._batch_size = recipe.batch_size
        self._epochs = recipe.epochs
        self._steps_per_epoch = steps_per_epoch
        self._schedule = make_schedule(recipe, steps_per_epoch)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._epoch = epoch
        self._since, self._steps = time.monotonic(), 0
        self._rate = 0.0

    def on_train_batch_end(self, batch, logs=None):
        """Adds the speed of the epoch so far."""
        now = time.monotonic()
        self._steps += 1
        # The first step of an epoch waits for the pipeline, that of a run for tracing.
        timed = self._steps - 1 or 1
        self._rate = timed / max(now - self._since, 1e-9)
        if self._steps == 1:
            self._since = now
        # Empty logs are not shown.
        if logs:
            logs["images_per_second"] = self._rate * self._batch_size
            epochs = self._epochs - self._epoch - 1
            left = epochs * self._steps_per_epoch + self._steps_per_epoch - batch - 1
            logs["minutes_left"] = left / self._rate / 60

    def on_epoch_end(self, epoch, logs=None):
        """Adds the speed of the epoch, and its last learning rate."""
        # The optimizer's own rate is already that of the next step.
        done = tf.convert_to_tensor(self.model.optimizer.iterations.value)
        logs["learning_rate"] = float(self._schedule(int(done) - 1))
        logs["images_per_second"] = self._rate * self._batch_size


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

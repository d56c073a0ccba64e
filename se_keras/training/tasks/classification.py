"""Image classification."""

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from se_keras import weights
from se_keras.data import (
    BadImages,
    evaluation_batches,
    naming_bad_images,
    open_source,
    training_batches,
)
from se_keras.data.embedded import NAME as EMBEDDED
from se_keras.data.fingerprint import Fingerprint
from se_keras.errors import (
    UsageError,
    as_usage_errors,
    one_line,
    storage_reason,
)
from se_keras.evaluation import evaluate
from se_keras.export.formats import FORMATS
from se_keras.models import Preprocessing, create_model
from se_keras.models.registry import lookup
from se_keras.training.checks import as_text, is_utf8, require
from se_keras.training.choices import BALANCED, LOSSES
from se_keras.training.exports import write_exports
from se_keras.training.finetune import layer_rates, preprocessing_of
from se_keras.training.losses import (
    class_counts,
    class_weights,
    targets_of,
    weights_of,
)
from se_keras.training.monitoring import AugmentedImages, GateHistograms
from se_keras.training.plots import plot_curves
from se_keras.training.tasks.task import Task

if TYPE_CHECKING:
    from se_keras.training.recipe import Recipe

VERIFICATION_IMAGES = 64
PREPROCESSING = "preprocessing"  # in the findings


class Classification(Task):
    """Classification of images into one class each.

    Inputs are normalized images `(batch, height, width, channels)`; targets are labels,
    integers `(batch,)`, or fractions of the classes `(batch, classes)` where images are
    mixed; outputs are logits `(batch, classes)`. The metrics are `accuracy` and, where
    there are more than 5 classes, `top5_accuracy`.

    Args:
        recipe: Settings of the run.

    Attributes:
        source: The data set, after `open`.
        preprocessing: What the model expects in training, after `open`.

    Raises:
        UsageError: If there is no such network, or a package for an export is missing.
    """

    monitor, monitor_mode = "val_accuracy", "max"

    def __init__(self, recipe: "Recipe") -> None:
        super().__init__(recipe)
        with as_usage_errors(ValueError):
            self._network = lookup(recipe.model)
        self._class_counts: list[int] | None = None
        self._class_weights: np.ndarray | None = None
        for name in recipe.runtime.exports:
            FORMATS[name].require()

    def open(self, shard: tuple[int, int] = (0, 1)) -> None:
        """Opens the data set, which decides what the network expects."""
        recipe = self.recipe
        self.source = open_source(
            recipe.dataset, recipe.runtime.data_dir, recipe.splits
        )
        _check_names(self.source.class_names)
        channels = self.source.image_shape[2]
        expected = self._expected(channels)
        own: dict[str, Any] = {
            "crop": recipe.evaluation_crop,
            "interpolation": recipe.interpolation,
        }
        self.preprocessing = dataclasses.replace(
            expected,
            **{name: value for name, value in own.items() if value is not None},
        )
        self._shard = shard
        classes = self.source.class_names
        if recipe.limit is not None:
            require(
                recipe.limit >= len(classes),
                f"{len(classes)} or more, the number of classes, for",
                "limit",
                recipe.limit,
            )
            self.source = self.source.limited(recipe.limit)
        if BALANCED in (recipe.sampling, recipe.class_weights):
            labels = self.source.labels(self.source.train_split)
            self._class_counts = class_counts(labels, classes)
        self._class_weights = class_weights(
            recipe.class_weights, self._class_counts, classes
        )

    def _expected(self, channels):
        """Returns the preprocessing that the network or its weights expect."""
        recipe = self.recipe
        if not self.findings:
            return preprocessing_of(
                self._network, recipe.weights, recipe.image_size, channels
            )
        # The weights may be gone, and the checkpoint has what came of them.
        with as_usage_errors(LookupError, TypeError, ValueError):
            return Preprocessing.from_dict(self.findings[PREPROCESSING])

    def to_find(self) -> dict[str, Any]:
        """Returns the preprocessing, which the weights to start from may decide."""
        return {PREPROCESSING: self.preprocessing.to_dict()}

    @property
    def num_train_examples(self) -> int:
        """Number of training images."""
        return self.source.num_examples(self.source.train_split)

    @property
    def evaluation_split(self) -> str:
        """Name of the split that is evaluated."""
        return self.source.evaluation_split

    @property
    def evaluation_preprocessing(self) -> Preprocessing:
        """What evaluation and inference expect, which may have another size."""
        size = self.recipe.evaluation_size
        if size is None:
            return self.preprocessing
        return self.preprocessing.with_input(size, size, self.preprocessing.channels)

    def training_batches(self, epoch: int, first_step: int = 0) -> tf.data.Dataset:
        """Returns the augmented training images and their labels."""
        recipe = self.recipe
        return training_batches(
            self.source,
            self.preprocessing,
            recipe.augmentation,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epoch=epoch,
            first_step=first_step,
            class_counts=self._class_counts if recipe.sampling == BALANCED else None,
            bad_images=self.bad_images,
            shard=self._shard,
            service=recipe.runtime.data_service,
        )

    def evaluation_batches(self) -> tf.data.Dataset:
        """Returns the evaluation images, labels and weights."""
        return self._evaluation_batches(
            self.recipe.batch_size, self.bad_images, shard=self._shard
        )

    @property
    def test_split(self) -> str | None:
        """Name of the split that is evaluated once, at the end, if there is one."""
        return self.source.test_split

    def test_batches(self) -> tf.data.Dataset:
        """Returns the images of the test split, labels and weights."""
        return self._evaluation_batches(
            self.recipe.batch_size,
            self.bad_images,
            split=self.test_split,
            shard=self._shard,
        )

    def fingerprint(self) -> Fingerprint:
        """Returns classes, numbers and files of the data set."""
        return self.source.fingerprint()

    def _evaluation_batches(self, batch_size, bad_images, **settings):
        return evaluation_batches(
            self.source,
            self.evaluation_preprocessing,
            batch_size=batch_size,
            bad_images=bad_images,
            **settings,
        )

    def data_errors(self) -> contextlib.AbstractContextManager:
        """Returns a context that turns errors about bad images into `UsageError`."""
        return naming_bad_images(self.source, self.source.splits)

    def create_model(self, load_weights: bool = True) -> keras.Model:
        """Returns the network that is trained, which returns logits."""
        recipe, size = self.recipe, self.preprocessing.size
        same_size = size == self.evaluation_preprocessing.size
        named = recipe.weights in self._network.family.pretrained
        with as_usage_errors(ValueError):
            model = self._create_model(
                size if same_size else (None, None),
                weights=recipe.weights if load_weights and named else None,
                drop_path=recipe.drop_path,
                dtype=recipe.precision,
                classifier_activation=None,
            )
            if load_weights and recipe.weights and not named:
                with _without_log("se_keras.weights"):
                    self.load_report = weights.load(model, recipe.weights)
        return model

    def inference_model(self, trained: keras.Model) -> keras.Model:
        """Returns the network in float32, which returns probabilities."""
        model = self._create_model(self.evaluation_preprocessing.size, dtype="float32")
        model.set_weights(trained.get_weights())
        model.preprocessing = self.evaluation_preprocessing
        model.class_names = self.source.class_names
        return model

    def _create_model(self, size, **settings):
        return create_model(
            self.recipe.model,
            input_shape=(*size, self.preprocessing.channels),
            classes=len(self.source.class_names),
            **settings,
        )

    def rate_scale(
        self, model: keras.Model
    ) -> Callable[[keras.Variable], float] | None:
        """Returns the factor of the rate of a variable, by its distance to the end."""
        return layer_rates(model, self.recipe.layer_decay)

    def losses(self, targets: Any, outputs: Any) -> dict[str, tf.Tensor]:
        """Returns the loss of each image."""
        recipe = self.recipe
        expected = targets_of(
            targets, outputs.shape[-1], recipe.label_smoothing, recipe.target_threshold
        )
        return {"loss": LOSSES[recipe.loss](expected, tf.cast(outputs, tf.float32))}

    def training_losses(self, targets: Any, outputs: Any) -> dict[str, tf.Tensor]:
        """Returns the loss of each image, weighted by its class."""
        losses = self.losses(targets, outputs)
        if self._class_weights is None:
            return losses
        factors = weights_of(targets, self._class_weights)
        return {name: loss * factors for name, loss in losses.items()}

    def sums(self, targets: Any, outputs: Any, weights: Any) -> dict[str, tf.Tensor]:
        """Returns how many images are classified correctly."""
        if targets.dtype.is_floating:
            # An image of two classes counts for the larger one.
            targets = tf.argmax(targets, -1)
        correct = {"accuracy": keras.metrics.sparse_categorical_accuracy}
        if outputs.shape[-1] > 5:
            correct["top5_accuracy"] = keras.metrics.sparse_top_k_categorical_accuracy
        return {
            name: tf.reduce_sum(tf.cast(metric(targets, outputs), tf.float32) * weights)
            for name, metric in correct.items()
        }

    def introduction(self) -> list[str]:
        """Returns the lines that a run prints before it starts."""
        recipe = self.recipe
        lines = [
            f"Training {recipe.model} on {recipe.dataset}: {self.num_train_examples} "
            f"images of {len(self.source.class_names)} classes at "
            f"{recipe.image_size} x {recipe.image_size}.",
            *self.source.summary(),
        ]
        if recipe.dataset == EMBEDDED:
            lines += [
                "This is the embedded sample, scikit-learn's digits. For ImageNet:",
                "  se-keras train --dataset=imagenet2012 --data_dir=TFDS_DIRECTORY",
            ]
        return lines

    def tensorboard(
        self,
        directory: pathlib.Path,
        model: keras.Model,
        training_inputs: Callable[[], tf.Tensor],
        evaluation_inputs: Callable[[], tf.Tensor],
    ) -> list[keras.callbacks.Callback]:
        """Returns callbacks that write augmented images, and histograms of gates."""
        return [
            AugmentedImages(directory, training_inputs, self.preprocessing),
            GateHistograms(directory, model, evaluation_inputs),
        ]

    def export(self, model: keras.Model, directory: pathlib.Path) -> dict[str, dict]:
        """Writes the exports, verified on evaluation images."""
        uncounted = BadImages(self.bad_images.policy)
        batches = self._evaluation_batches(1, uncounted).take(VERIFICATION_IMAGES)
        images = np.stack([image[0] for image, _, _ in batches])
        pixels = self.preprocessing.denormalize(images)
        return write_exports(model, directory, self.recipe.runtime.exports, pixels)

    def write_results(
        self, directory: pathlib.Path, metrics: pathlib.Path, report: Mapping
    ) -> None:
        """Plots the epochs, and evaluates the model that was written."""
        try:
            plot_curves(
                metrics,
                directory / "curves.png",
                title=f"{report['model']} on {report['dataset']}",
            )
        except (ImportError, FileNotFoundError, UsageError) as error:
            # A run does not fail at its end because of a plot.
            print(f"No curves.png: {error}.")
        self._evaluate(directory, "evaluation", self.evaluation_split)
        if self.test_split is not None:
            self._evaluate(directory, "evaluation-test", self.test_split)

    def _evaluate(self, directory, name, split):
        """Writes what `se-keras evaluate` makes of `model.keras`."""
        try:
            evaluate(
                directory / "model.keras",
                self.source,
                split=split,
                batch_size=self.recipe.batch_size,
                on_bad_image=self.recipe.runtime.on_bad_image,
                output=directory / name,
                overwrite=True,
                verbose=False,
            )
        except UsageError as error:
            if storage_reason(error) is not None:
                raise
            print(f"No {name}/: {one_line(error)}.")

    def summary(self, directory: pathlib.Path, report: Mapping) -> list[str]:
        """Returns the lines that a run prints at its end."""
        exports = [
            f"  {exported['path']}  {exported['bytes'] / 2**20:.2f} MiB, differs from "
            f"Keras by {exported['largest_difference']:.1e} of the largest output, "
            f"same top-1 on {exported['top1_agreement']:.0%} of "
            f"{exported['images']} images ({name})"
            for name, exported in report["exports"].items()
        ]
        files = [
            exported["path"]
            for name, exported in report["exports"].items()
            if FORMATS[name].suffix
        ]
        model = next(iter(files), directory / "model.keras")
        return [
            f"{report['evaluation_split']} accuracy: {report['accuracy']:.2%} of "
            f"{report['examples']} images ({report['seconds']:.0f} s in all)",
            *(
                f"{test['split']} accuracy: {test['accuracy']:.2%} of "
                f"{test['examples']} images"
                for test in [report.get("test")]
                if test
            ),
            f"  {directory / 'model.keras'}",
            *exports,
            f"  {directory / 'report.json'}, metrics.csv, curves.png, evaluation/, "
            "tensorboard/",
            f"Next: se-keras predict {model} IMAGE...",
        ]


def _check_names(class_names):
    """Raises an error about names of classes that exports could not store."""
    for name in class_names:
        if not is_utf8(name) or len(name.splitlines()) > 1:
            raise UsageError(
                "Expected names of classes of one line each, in UTF-8. "
                f"Received: {as_text(name, repr)}"
            )


@contextlib.contextmanager
def _without_log(name):
    """A context without the warnings of a logger: the run prints them itself."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

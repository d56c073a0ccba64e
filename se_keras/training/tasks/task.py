"""What differs between tasks: data, model, loss, metrics, evaluation and results."""

import abc
import contextlib
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from se_keras.data.bad_images import BadImages
from se_keras.data.fingerprint import Fingerprint

if TYPE_CHECKING:
    from se_keras.training.recipe import Recipe
    from se_keras.weights import LoadReport


class Task(abc.ABC):
    """What a model learns, and from what.

    A run calls `open`, creates models with `create_model`, trains and evaluates them
    with the batches, losses and metrics given here, and writes the results. A task
    does not depend on strategies, checkpoints or signals.

    Inputs, targets and outputs are tensors, or structures of tensors such as
    dictionaries, whose first dimension is the batch. The targets of detection, for
    example, are `{"boxes": (batch, boxes, 4), "classes": (batch, boxes)}`, padded.

    Args:
        recipe: Settings of the run. A task checks here what it can check without data.

    Attributes:
        recipe: Settings of the run.
        bad_images: The records that the batches had to leave out.
        findings: What `to_find` returned when the run started, if this is a run that
            continues; else `None`.
        monitor: Name of the logged metric that decides which checkpoint is the best.
        monitor_mode: `"max"` or `"min"`: whether the best is the highest or the lowest.
        load_report: What `se_keras.weights.load` reported, after `create_model`; `None`
            if no weights were loaded.

    Example:

    ```python
    class Regression(training.Task):
        monitor, monitor_mode = "val_loss", "min"

        def losses(self, targets, outputs):
            return {"loss": tf.square(targets - outputs[:, 0])}

        ...  # open, num_train_examples, evaluation_split, training_batches,
        ...  # evaluation_batches, create_model, inference_model

    training.TASKS["regression"] = Regression
    training.train(training.make_recipe(task="regression"))
    ```
    """

    monitor: str = "val_loss"
    monitor_mode: str = "min"

    def __init__(self, recipe: "Recipe") -> None:
        self.recipe = recipe
        self.bad_images = BadImages(recipe.runtime.on_bad_image)
        self.load_report: LoadReport | None = None
        self.findings: Mapping[str, Any] | None = None

    # Data.

    @abc.abstractmethod
    def open(self, shard: tuple[int, int] = (0, 1)) -> None:
        """Opens the data set, which may have to be prepared.

        Args:
            shard: Index of this worker and number of workers, for the batches.

        Raises:
            UsageError: On bad input.
        """

    @property
    @abc.abstractmethod
    def num_train_examples(self) -> int:
        """Number of training images."""

    @property
    @abc.abstractmethod
    def evaluation_split(self) -> str:
        """Name of the split that is evaluated."""

    @abc.abstractmethod
    def training_batches(self, epoch: int, first_step: int = 0) -> tf.data.Dataset:
        """Returns the training batches of one epoch.

        They must depend on nothing but the recipe, `epoch` and the shard: a run that
        continues gets the same ones.

        Args:
            epoch: Number of the epoch, from 0.
            first_step: Number of batches to skip.

        Returns:
            Pairs of inputs and targets. All batches have the same size: this worker's
            share of `recipe.batch_size`.
        """

    @abc.abstractmethod
    def evaluation_batches(self) -> tf.data.Dataset:
        """Returns the batches of the evaluation split.

        Returns:
            Triples of inputs, targets and weights `(batch,)`, float32: 1 for each
            image of the split once, 0 for those that fill up the last batch.
        """

    @property
    def test_split(self) -> str | None:
        """Name of the split that is evaluated once, at the end, if there is one."""
        return None

    def test_batches(self) -> tf.data.Dataset:
        """Returns the batches of the test split, as `evaluation_batches`."""
        raise NotImplementedError("A task with a test_split implements test_batches.")

    def fingerprint(self) -> Fingerprint | None:
        """Returns what identifies the data, which a run that continues compares."""
        return None

    def data_errors(self) -> contextlib.AbstractContextManager:
        """Returns a context that turns errors of the batches into `UsageError`."""
        return contextlib.nullcontext()

    def to_find(self) -> dict[str, Any]:
        """Returns what a run that continues needs and cannot find out again.

        The weights to start from, for example, may be gone by then. It is called after
        `open`.

        Returns:
            Values that JSON can represent, which a run that continues has in
            `findings` before `open`.
        """
        return {}

    # Model.

    @abc.abstractmethod
    def create_model(self, load_weights: bool = True) -> keras.Model:
        """Returns the model in the form that is trained.

        Args:
            load_weights: Whether to load `recipe.weights`, if there are any.
        """

    @abc.abstractmethod
    def inference_model(self, trained: keras.Model) -> keras.Model:
        """Returns the model to save: in float32, with the weights of a trained one."""

    def rate_scale(
        self, model: keras.Model
    ) -> Callable[[keras.Variable], float] | None:
        """Returns a callable of a variable that gives the factor of its rate."""
        return None

    # Losses and metrics of a batch, computed in the graph of a step.

    @abc.abstractmethod
    def losses(self, targets: Any, outputs: Any) -> dict[str, tf.Tensor]:
        """Returns the terms of the loss of each image.

        Args:
            targets: Targets of a batch, or of a part of it.
            outputs: Outputs of the model for it.

        Returns:
            Tensors `(batch,)`, float32, by name. Their sum is minimized and logged as
            `loss`; each is logged by its own name.
        """

    def training_losses(self, targets: Any, outputs: Any) -> dict[str, tf.Tensor]:
        """Returns the terms of the loss of each training image, as `losses`.

        By default those of `losses`. A task that weights training images does it here.
        """
        return self.losses(targets, outputs)

    def sums(self, targets: Any, outputs: Any, weights: Any) -> dict[str, tf.Tensor]:
        """Returns what `logs` needs of a batch in addition to the losses.

        Args:
            targets: Targets of a batch.
            outputs: Outputs of the model for it.
            weights: `(batch,)`, 1 or 0: images to count or not.

        Returns:
            Tensors, float32, by name, that are summed over all batches and replicas.
        """
        return {}

    def predictions(self, targets: Any, outputs: Any) -> dict[str, tf.Tensor]:
        """Returns what `evaluate` needs of each image.

        Args:
            targets: Targets of a batch.
            outputs: Outputs of the model for it.

        Returns:
            Tensors `(batch, ...)` by name; all batches have the same shapes.
        """
        return {}

    # Metrics.

    def logs(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Returns the metrics of an epoch so far.

        Args:
            sums: Sums over images by name: `examples`, the number of images, `loss`
                and its terms, and those of `sums`.

        Returns:
            Metrics by name. By default the means over the images.
        """
        examples = max(sums["examples"], 1.0)
        return {k: v / examples for k, v in sums.items() if k != "examples"}

    def evaluate(
        self, sums: Mapping[str, float], predictions: Mapping[str, np.ndarray]
    ) -> dict[str, float]:
        """Returns the metrics of an evaluation.

        Args:
            sums: As in `logs`, over all evaluation images.
            predictions: The results of `predictions` for all evaluation images, each
                once: arrays `(images, ...)` by name. Their order depends on the number
                of replicas.

        Returns:
            Metrics by name. By default those of `logs`.
        """
        return self.logs(sums)

    # Results.

    def introduction(self) -> list[str]:
        """Returns the lines that a run prints before it starts."""
        recipe = self.recipe
        images = f"{self.num_train_examples} training images"
        return [f"Training {recipe.model} on {recipe.dataset}: {images}."]

    def tensorboard(
        self,
        directory: pathlib.Path,
        model: keras.Model,
        training_inputs: Callable[[], tf.Tensor],
        evaluation_inputs: Callable[[], tf.Tensor],
    ) -> list[keras.callbacks.Callback]:
        """Returns callbacks that write for TensorBoard, in addition to the logs.

        Args:
            directory: Directory of TensorBoard's files.
            model: The model that is evaluated.
            training_inputs: Callable that returns the first training inputs.
            evaluation_inputs: Callable that returns the first evaluation inputs.
        """
        return []

    def export(self, model: keras.Model, directory: pathlib.Path) -> dict[str, dict]:
        """Writes `recipe.runtime.exports` of a saved model.

        Args:
            model: The model, from `inference_model`.
            directory: The work directory.

        Returns:
            The report of each export by its format.
        """
        return {}

    def write_results(  # noqa: B027 (a task may have none)
        self, directory: pathlib.Path, metrics: pathlib.Path, report: Mapping
    ) -> None:
        """Writes plots and other results of a finished run.

        Args:
            directory: The work directory.
            metrics: The CSV file with the logs of all epochs.
            report: The report of the run.
        """

    def summary(self, directory: pathlib.Path, report: Mapping) -> list[str]:
        """Returns the lines that a run prints at its end: what it reached and wrote.

        Args:
            directory: The work directory.
            report: The report of the run.
        """
        name = self.monitor.removeprefix("val_")
        test = report.get("test")
        return [
            f"{report['evaluation_split']} {name}: {report[name]:.4g} of "
            f"{report['examples']} images ({report['seconds']:.0f} s in all)",
            *(
                [f"{test['split']} {name}: {test[name]:.4g} of {test['examples']}"]
                if test
                else []
            ),
            f"  {directory / 'model.keras'}",
            f"  {directory / 'report.json'}, metrics.csv, tensorboard/",
        ]

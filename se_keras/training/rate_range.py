"""The learning-rate range test: at which rates does a network learn, and diverge?

References:
    - [Smith 2015](https://arxiv.org/abs/1506.01186), section 3.3: train for a few
      epochs while the rate rises, and look at the curve.
    - fastai's `Learner.lr_find`, from which the exponential rise and the suggestion,
      where the loss falls most steeply, are taken.
"""

import csv
import itertools
import math
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from se_keras.errors import UsageError
from se_keras.files import replacing
from se_keras.training.cluster import Cluster
from se_keras.training.recipe import Recipe
from se_keras.training.run import make_trainer, steps_per_epoch_of, workdir_path
from se_keras.training.strategy import make_strategy
from se_keras.training.tasks import task_class

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The test ends where the loss is this factor of the lowest one, as in fastai.
DIVERGED = 4.0
# Fraction of the steps over which losses are averaged.
WINDOW = 0.1


def find_learning_rate(
    recipe: Recipe,
    strategy: tf.distribute.Strategy | None = None,
    *,
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 100,
) -> dict[str, Any]:
    """Trains some steps at rising learning rates, and suggests a rate.

    The rate rises exponentially from `lowest` to `highest`; the test ends earlier where
    the loss exceeds 4 times the lowest one. All layers are trained, at the rates that
    `layer_decay` gives them, with the batches and the optimizer of the recipe. The
    suggestion is the rate at which the loss falls most steeply, averaged over a tenth
    of the steps, and with it the highest rate of a schedule. Read it from the curve
    rather than from the number: it is rough, within a factor of about 3.

    It writes `lr_range.csv` (a row per step: `learning_rate`, `loss`, `smoothed_loss`)
    and `lr_range.png` into the work directory of the recipe, which a run can use
    afterwards. No weights are kept.

    Args:
        recipe: Settings of the run.
        strategy: Where to run. Defaults to the strategy of `recipe.runtime`.
        lowest: Learning rate of the first step.
        highest: Learning rate of the last step.
        steps: Number of steps, at least 20.

    Returns:
        `learning_rate`, the suggestion; `lowest_loss_rate`, the rate of the lowest
        loss; `steps`, those taken; and `csv` and `png`, the paths of the files.

    Raises:
        UsageError: On bad input, before anything long starts; or if the loss is not
            finite at the lowest rates.

    Reference:
        [Smith 2015](https://arxiv.org/abs/1506.01186), section 3.3.

    Example:

    ```python
    recipe = training.make_recipe("sample", workdir="runs/digits")
    found = training.find_learning_rate(recipe, steps=50)
    recipe = recipe.replace(learning_rate=found["learning_rate"])  # and train it
    ```
    """
    if not 0 < lowest < highest < math.inf:
        raise UsageError(
            "Expected positive learning rates with lowest < highest. "
            f"Received: lowest={lowest}, highest={highest}"
        )
    if steps < 20:
        raise UsageError(f"Expected 20 steps or more. Received: steps={steps}")
    runtime = recipe.runtime
    cluster = Cluster(
        strategy
        or make_strategy(runtime.strategy, runtime.workers, runtime.worker_index)
    )
    task = task_class(recipe.task)(recipe)
    cluster.check_batch_size(recipe.batch_size, recipe.gradient_accumulation)
    with cluster.chief_first():
        task.open(cluster.shard)
    schedule = keras.optimizers.schedules.ExponentialDecay(
        lowest, decay_steps=steps - 1, decay_rate=highest / lowest
    )
    trainer = make_trainer(task, cluster, steps_per_epoch_of(task), schedule)
    rates = lowest * (highest / lowest) ** (np.arange(steps) / (steps - 1))
    with cluster.lost_worker_errors(), task.data_errors():
        losses = _losses(trainer, steps)
    smoothed = _smoothed(losses, steps)
    rates = rates[: len(losses)]
    found: dict[str, Any] = {
        "learning_rate": float(f"{_steepest(rates, smoothed):.2g}"),
        "lowest_loss_rate": float(f"{rates[np.argmin(smoothed)]:.2g}"),
        "steps": len(losses),
    }
    if cluster.is_chief:
        found |= _write(pathlib.Path(workdir_path(recipe)), rates, losses, smoothed)
        plot_rate_range(
            rates, losses, smoothed, found["png"], found["learning_rate"], recipe.model
        )
        print(
            f"The loss falls most steeply at learning_rate={found['learning_rate']}, "
            f"and is lowest at {found['lowest_loss_rate']}: {found['png']}",
            flush=True,
        )
    return found


def _losses(trainer, steps) -> np.ndarray:
    """Returns the losses of the steps before the loss diverges, `(steps,)`."""
    epochs = map(trainer.task.training_batches, itertools.count())
    batches = itertools.chain.from_iterable(map(trainer.cluster.distribute, epochs))
    losses: list[float] = []
    for batch in itertools.islice(batches, steps):
        sums = trainer.train_step(batch)
        losses.append(float(sums["loss"] / sums["examples"]))
        if not math.isfinite(losses[-1]) or _has_diverged(losses):
            break
    if not math.isfinite(losses[-1]):
        losses.pop()
    if len(losses) < 10:
        raise UsageError(
            "Expected a finite loss at the lowest learning rates: give a smaller "
            f"`lowest`. Received: a loss that is not finite in step {len(losses) + 1}"
        )
    return np.array(losses)


def _has_diverged(losses: Sequence[float], count: int = 5) -> bool:
    """Returns whether the mean of the last losses is above that of the first ones."""
    if len(losses) < 4 * count:
        return False
    means = np.convolve(losses, np.full(count, 1 / count), "valid")
    return bool(means[-1] > DIVERGED * means.min())


def _smoothed(losses: np.ndarray, steps: int) -> np.ndarray:
    """Returns means over the losses before and after each.

    fastai's exponential average lags: its curve is that of smaller rates.
    """
    half = max(round(steps * WINDOW / 2), 1)
    padded = np.pad(losses, half, mode="edge")
    return np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), "valid")


def _steepest(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """Returns the rate before the lowest loss at which the loss falls fastest."""
    slopes = np.gradient(smoothed, np.log(rates))
    end = max(int(np.argmin(smoothed)), 1)
    return float(rates[np.argmin(slopes[:end])])


def _write(directory, rates, losses, smoothed) -> dict[str, str]:
    directory = directory.expanduser()
    directory.mkdir(parents=True, exist_ok=True)
    with (
        replacing(directory / "lr_range.csv") as path,
        path.open("w", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["step", "learning_rate", "loss", "smoothed_loss"])
        rows = zip(rates, losses, smoothed, strict=True)
        writer.writerows([i, *map(float, row)] for i, row in enumerate(rows, 1))
    return {name: str(directory / f"lr_range.{name}") for name in ("csv", "png")}


def plot_rate_range(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    path: str | pathlib.Path,
    suggested: float,
    title: str = "",
) -> "Figure":
    """Plots the losses of a range test over the learning rate.

    Args:
        rates: Learning rate of each step, `(steps,)`.
        losses: Loss of each step, `(steps,)`.
        smoothed: Averaged losses, `(steps,)`.
        path: The PNG file to write.
        suggested: The learning rate to mark.
        title: Title of the plot.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(rates, losses, ".", color="#bbbbbb", markersize=4, label="loss of a step")
    axes.plot(rates, smoothed, color="#1f77b4", label="averaged")
    axes.axvline(
        suggested,
        color="#d62728",
        linestyle="--",
        label=f"steepest fall: {suggested:.2g}",
    )
    # The first steps of a divergence would press the rest into a line.
    low = min(smoothed.min(), losses.min())
    high = max(smoothed[0], losses[: len(losses) // 2].max())
    axes.set_ylim(low - 0.1 * (high - low), high + 0.4 * (high - low))
    axes.set_xscale("log")
    axes.set_xlabel("Learning rate")
    axes.set_ylabel("Training loss")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return figure

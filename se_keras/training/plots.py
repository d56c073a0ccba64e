"""Plots of a run."""

import math
import pathlib
from typing import TYPE_CHECKING

from se_keras.errors import UsageError
from se_keras.files import replacing
from se_keras.training.workdir import read_metrics

TRAINING, EVALUATION, RATE = "#1f77b4", "#d62728", "#555555"
NEEDED = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
# Learning rates that differ by a larger factor are plotted on a logarithmic axis.
LARGE = 30

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_curves(
    metrics: str | pathlib.Path, path: str | pathlib.Path, title: str = ""
) -> "Figure":
    """Plots loss, accuracy and learning rate over the epochs.

    Args:
        metrics: The `metrics.csv` of a run.
        path: The PNG file to write.
        title: Title of the plot.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        UsageError: If the file is not a table with these columns.

    Example:

    ```python
    plot_curves("runs/digits-se_resnet20/metrics.csv", "curves.png")
    ```
    """
    # Needs no screen, and leaves the backend of the caller's pyplot unchanged.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    columns = _columns(metrics)
    epochs = columns["epoch"]
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy, rate = figure.subplots(
        3, sharex=True, gridspec_kw={"height_ratios": (3, 3, 1)}
    )
    # Names of data sets may contain "$", which starts a formula.
    figure.suptitle(title, parse_math=False)
    style = {"marker": "o" if len(epochs) <= 40 else None, "markersize": 3}
    # Not all epochs are evaluated.
    evaluated = [i for i, v in enumerate(columns["val_accuracy"]) if not math.isnan(v)]
    best = max(evaluated, key=columns["val_accuracy"].__getitem__)
    labels = {
        "loss": "evaluation",
        "accuracy": f"evaluation, best {columns['val_accuracy'][best]:.2%} in epoch "
        f"{epochs[best]:.0f}",
    }
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        axes.plot(epochs, columns[name], color=TRAINING, label="training", **style)
        values = [columns[f"val_{name}"][i] for i in evaluated]
        axes.plot(
            [epochs[i] for i in evaluated],
            values,
            color=EVALUATION,
            label=labels[name],
            **style,
        )
        axes.legend()
    accuracy.axhline(
        columns["val_accuracy"][best], color=EVALUATION, linewidth=0.8, linestyle=":"
    )
    loss.set_ylabel("Loss")
    accuracy.set_ylabel("Top-1 accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    rates = columns.get("learning_rate", [math.nan] * len(epochs))
    rate.plot(epochs, rates, color=RATE, **style)
    if min(rates) > 0 and max(rates) > LARGE * min(rates):
        rate.set_yscale("log")
    else:
        rate.set_ylim(bottom=0)
    rate.set_ylabel("Learning rate")
    rate.set_xlabel("Epoch")
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, accuracy, rate):
        axes.grid(alpha=0.3)
    figure.align_ylabels()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return figure


def _columns(metrics) -> dict[str, list[float]]:
    """Returns the columns of a CSV file; missing values are NaN."""
    rows = read_metrics(pathlib.Path(metrics))
    names = rows[-1] if rows else {}
    columns = {name: [float(row[name] or "nan") for row in rows] for name in names}
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise UsageError(
            f"Expected a table with the columns {', '.join(NEEDED)}. "
            f"Received: {str(metrics)!r} without {missing[0]}"
        )
    return columns

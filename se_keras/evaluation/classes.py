"""The classes of a model and those of a data set: which is which."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from se_keras.errors import UsageError
from se_keras.evaluation.text import shortened

NAMED = 3  # differences that an error lists


@dataclasses.dataclass(frozen=True)
class Matching:
    """Which score of a model belongs to which class of a data set.

    Attributes:
        class_names: Names of the classes in the order of the labels.
        order: Index of the score of each class.
        remark: A line for the user where the names decide nothing, or `""`.
    """

    class_names: tuple[str, ...]
    order: np.ndarray
    remark: str = ""

    def check(self, scores: np.ndarray) -> None:
        """Raises a `UsageError` if there is not a score for each class."""
        if scores.shape[-1] != len(self.order):
            raise UsageError(
                f"Expected a model with a score for each of the {len(self.order)} "
                f"classes of the data set. Received: {scores.shape[-1]} scores"
            )


def match_classes(
    model: Sequence[str] | None, dataset: Sequence[str], by_number: bool = False
) -> Matching:
    """Returns which score belongs to which class, by name.

    Args:
        model: Names of the model's classes in the order of its scores, or `None`.
        dataset: Names of the classes of the data set in the order of the labels.
        by_number: Whether names that differ are no error, because the order is the
            same.

    Raises:
        UsageError: If the names differ, with the first differences, or if their number
            does.
    """
    names = tuple(dataset)
    same_order = np.arange(len(names))
    if model is None:
        return Matching(
            names,
            same_order,
            "The model has no class names: its scores are taken in the order of the "
            f"data set's {len(names)} classes.",
        )
    if tuple(model) == names:
        return Matching(names, same_order)
    if by_number and len(model) == len(names):
        return Matching(names, same_order, "Classes are compared by number.")
    if len(set(model)) == len(model) and sorted(model) == sorted(names):
        places = {name: index for index, name in enumerate(model)}
        return Matching(
            names,
            np.array([places[name] for name in names]),
            "The model has the classes of the data set in another order: its scores "
            "are reordered by name.",
        )
    raise UsageError(
        "Expected a data set with the classes of the model, or by_number=True "
        "(--by_number) where only their names differ. "
        f"Received: {_differences(model, names)}"
    )


def _differences(model, dataset):
    only = {
        "the model": [name for name in model if name not in set(dataset)],
        "the data set": [name for name in dataset if name not in set(model)],
    }
    counts = f"{len(model)} classes of the model and {len(dataset)} of the data set"
    parts = [f"only {owner} has {_listed(names)}" for owner, names in only.items()]
    return "; ".join([counts, *parts])


def _listed(names):
    shown = ", ".join(repr(shortened(name, 40)) for name in names[:NAMED])
    return f"{shown}{', ...' if len(names) > NAMED else ''}" or "no other"

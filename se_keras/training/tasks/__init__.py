"""What a model can be trained for.

`TASKS` is the only list of tasks. A task of your own is a subclass of `Task` that is
added to it: `TASKS["regression"] = Regression`.
"""

from typing import TYPE_CHECKING

from se_keras.lazy import Table

if TYPE_CHECKING:
    from se_keras.training.tasks.task import Task

# A task may need packages that others do not: it is imported when a recipe asks for it.
TASKS = Table(classification="se_keras.training.tasks.classification:Classification")


def task_class(name: str) -> "type[Task]":
    """Returns the class of a task in `TASKS`."""
    return TASKS[name]

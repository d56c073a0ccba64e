"""What a model can be trained for.

`TASKS` is the only list of tasks. A task of your own is a subclass of `Task` that is
added to it: `TASKS["regression"] = Regression`.
"""

import importlib

from se_keras.training.tasks.task import Task

# A class, or the place of a class that is imported when a recipe asks for it, since a
# task may need packages that others do not.
TASKS: dict[str, type[Task] | str] = {
    "classification": "se_keras.training.tasks.classification:Classification",
}


def task_class(name: str) -> type[Task]:
    """Returns the class of a task in `TASKS`."""
    found = TASKS[name]
    if isinstance(found, str):
        module, _, attribute = found.partition(":")
        found = getattr(importlib.import_module(module), attribute)
    return found

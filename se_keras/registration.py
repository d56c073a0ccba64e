"""Registers the classes of this package with Keras, without importing Keras.

`keras.models.load_model` finds the classes of a file in Keras's registry: it imports no
module of other packages. It has to find ours in a process that has imported `se_keras`
and `keras`, in either order. But `import se_keras` does not import Keras and its
backend, which takes seconds: the command line prints its help without them. Therefore
an import of Keras that comes later registers the classes.
"""

import contextlib
import importlib
import sys

from se_keras.import_hook import around_import

# The modules that register classes and functions of saved models. They are imported
# where the first module of this package imports Keras: what they import must not need a
# name of a package, which may be in the middle of its own import.
MODULES = (
    "se_keras.layers",
    "se_keras.graph.attention",
    "se_keras.models.image_model",
)


def register() -> None:
    """Registers the classes now, if Keras is imported, or else when it will be."""
    if sys.modules.get("keras"):
        _import_modules()
    else:
        around_import("keras", _then_register)


@contextlib.contextmanager
def _then_register():
    yield
    _import_modules()


def _import_modules() -> None:
    for module in MODULES:
        importlib.import_module(module)

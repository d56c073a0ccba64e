"""Registers the classes of this package with Keras, without importing Keras.

`keras.models.load_model` finds the classes of a file in Keras's registry: it imports no
module of other packages. It has to find ours in a process that has imported `se_keras`
and `keras`, in either order. But `import se_keras` does not import Keras and its
backend, which takes seconds: the command line prints its help without them. Therefore
an import of Keras that comes later registers the classes, as the post-import hooks of
PEP 369 and `wrapt.when_imported` do.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from typing import Any

# The modules that register classes and functions of saved models. What they import must
# not need a name of a package that may be in the middle of its import: this runs where
# the first module of this package imports Keras.
MODULES = (
    "se_keras.layers",
    "se_keras.graph.attention",
    "se_keras.models.image_model",
)


def register() -> None:
    """Registers the classes now, if Keras is imported, or else when it will be."""
    if sys.modules.get("keras"):
        _register()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _register() -> None:
    for module in MODULES:
        importlib.import_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds Keras as the other finders do, and adds the registration to its import."""

    def find_spec(
        self, fullname: str, path: Any, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the spec of Keras; leaves other modules to the other finders."""
        if fullname != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec and spec.loader:
            spec.loader = _Loader(spec.loader, self)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads Keras with its own loader, then registers the classes."""

    def __init__(self, loader: importlib.abc.Loader, finder: _Finder):
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        """Returns the module of the own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        """Executes Keras, whose import then looks as it does without this package."""
        module.__loader__ = self._loader
        if module.__spec__:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        _register()

"""Runs code around a later import of another package.

As the post-import hooks of PEP 369 and `wrapt.when_imported` do, without importing the
package now.
"""

import contextlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable
from typing import Any

Context = Callable[[], contextlib.AbstractContextManager[Any]]


def around_import(package: str, context: Context) -> None:
    """Enters a context for the first import of a package.

    Args:
        package: Name of a package that is not imported yet.
        context: Function that returns the context manager.
    """
    sys.meta_path.insert(0, _Finder(package, context))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds a package as the finders after it do."""

    def __init__(self, package: str, context: Context):
        self._package = package
        self._context = context

    def find_spec(
        self, fullname: str, path: Any, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the spec of the package; leaves others to the other finders."""
        if fullname != self._package or self not in sys.meta_path:
            return None
        others = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        # Looking for a package does not import it, so that this finder stays.
        if spec and spec.loader:
            spec.loader = _Loader(spec.loader, self, self._context)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads a package with its own loader, in a context."""

    def __init__(self, loader: Any, finder: _Finder, context: Context):
        self._loader = loader
        self._finder = finder
        self._context = context

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        """Returns what the own loader returns."""
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        """Executes the package, which has its own loader then."""
        module.__loader__ = self._loader
        if module.__spec__:
            module.__spec__.loader = self._loader
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        with self._context():
            self._loader.exec_module(module)

"""The user's own modules, which register networks and layers when imported."""

import functools
import importlib
import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import traceback

from se_keras.errors import UsageError

IMPORT_HELP = (
    "your module to import first, which registers networks or layers: a name such as "
    "my_package.networks, or the path of a .py file; several with commas"
)


def import_modules(modules: str | None) -> None:
    """Imports the user's modules.

    Args:
        modules: Names of modules, which are also searched for in the current
            directory, or paths of `.py` files, separated by commas. A file is imported
            as the module that is named like it, and can import what is in its
            directory. `None` imports nothing.

    Raises:
        UsageError: If there is no such module, or if importing it fails.
    """
    for module in (modules or "").split(","):
        if module.strip():
            _import(module.strip())


def _import(module):
    load = _file_loader(module) if module.endswith(".py") else _name_loader(module)
    try:
        load()
    # The user's code may raise anything.
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and _is_in(error.name, module):
            raise UsageError(
                "Expected --import of a module that is installed or in the current "
                f"directory. Received: {module!r} ({error})"
            ) from error
        raise UsageError(
            "Expected --import of a module that can be imported. "
            f"Received: {module!r} ({_reason(error)})"
        ) from error


def _name_loader(name):
    """Returns a function that imports a module by its name."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(
            "Expected --import of a module's name, such as my_package.networks, or "
            f"of the path of a .py file. Received: {name!r}"
        )
    _search_first(pathlib.Path.cwd())
    return functools.partial(importlib.import_module, name)


def _file_loader(file):
    """Returns a function that imports a file, unless it is imported already."""
    path = pathlib.Path(file).expanduser().resolve()
    if not path.is_file():
        raise UsageError(
            f"Expected --import of a .py file, and there is none. Received: {file!r}"
        )
    loaded = sys.modules.get(path.stem)
    origin = getattr(loaded, "__file__", None)
    if loaded is not None and (not origin or pathlib.Path(origin).resolve() != path):
        raise UsageError(
            "Expected --import of a file with a name that no other module has. "
            f"Received: {file!r}, and {path.stem} is {origin or 'part of Python'}"
        )
    _search_first(path.parent)

    def load():
        if path.stem in sys.modules:
            return
        loader = importlib.machinery.SourceFileLoader(path.stem, str(path))
        spec = importlib.machinery.ModuleSpec(path.stem, loader, origin=str(path))
        spec.has_location = True
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[path.stem]
            raise

    return load


def _search_first(directory):
    """Adds a directory to the path, as Python does for a script and `python -m`."""
    if os.fspath(directory) not in sys.path:
        sys.path.insert(0, os.fspath(directory))
    importlib.invalidate_caches()


def _is_in(missing, module):
    """Whether a missing module is the one asked for, or a package that it is in."""
    return f"{module}.".startswith(f"{missing}.")


def _reason(error):
    """Returns the type and message of an error in the user's module, and the line."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):  # whose message has the line
        return text
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != __file__ and "importlib" not in frame.filename:
            return f"{text}, {frame.filename}, line {frame.lineno}"
    return text

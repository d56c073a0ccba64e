"""Names that are known now, and imported when they are used.

Keras and TensorFlow take seconds to import. Modules that only name what needs them, as
the settings of a run and the command line do, use this module instead of importing it.
"""

import collections
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def resolve(place: str) -> Any:
    """Returns what is at a place: `"package.module:name"`, or `"package.module"`."""
    module, _, name = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


class Table(collections.UserDict[str, Any]):
    """A dictionary whose values are objects, or the places of objects.

    A value that is a place, `"package.module:name"`, is imported when it is asked for;
    the keys need no import.
    """

    def __getitem__(self, key: str) -> Any:
        """Returns the object of a key."""
        value = self.data[key]
        return resolve(value) if isinstance(value, str) else value


def attributes(
    package: str, places: Mapping[str, str], check: Callable[[], None] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Returns `__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

    The package also has the imports, after `if TYPE_CHECKING:`, for type checkers and
    editors, which do not run it. A public name must not be that of a module of the
    package: importing the module would replace it.

    Args:
        package: Name of the package.
        places: The place of each public name, as `resolve` takes it.
        check: Function that is called before a name is imported, and may raise.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if check:
            check()
        value = resolve(places[name])
        # The next use of the name does not come here.
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(places), sorted(places)


def public(package: str, modules: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Returns the places of the public names of a package from those of its modules.

    Args:
        package: Name of the package.
        modules: By module of the package the public names that it has.
    """
    return {
        name: f"{package}.{module}:{name}"
        for module, names in modules.items()
        for name in names
    }

"""The names of the networks, known without importing Keras.

The registry of the networks needs Keras, since their specs have layers. As long as
nothing has imported it, the networks are those of this package, which are in an index
that `se_keras.models.stubs` writes.
"""

import difflib
import fnmatch
import sys
from collections.abc import Iterable

from se_keras.models.index import NAMES


def list_names(pattern: str = "*") -> list[str]:
    """Returns what `list_models` returns: also the networks that the user registered.

    Args:
        pattern: Only names that match this shell pattern, such as `"se_*"`.
    """
    # What registers a network imports the registry.
    registry = sys.modules.get("se_keras.models.registry")
    if registry:
        return registry.list_models(pattern)
    return fnmatch.filter(NAMES, pattern)


def require_name(name: str) -> None:
    """Raises a `ValueError` if there is no network of this name."""
    names = list_names()
    if name not in names:
        raise unknown_name(name, names)


def unknown_name(name: object, names: Iterable[str]) -> ValueError:
    """Returns the error for a name that no network has, with the nearest names."""
    nearest = difflib.get_close_matches(str(name), list(names), n=3)
    hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
    return ValueError(
        "Expected the name of a model, one of `se_keras.list_models()`. "
        f"{hint}Received: {name!r}"
    )

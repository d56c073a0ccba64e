"""Networks: by name or spec with `create_model`, or by constructor as in Keras.

Each network of the registry has a constructor here: `se_resnet50` has `SEResNet50`; and
each family its spec: `ResNetSpec`. Type checkers and editors read `__init__.pyi`, which
`se_keras.models.stubs` writes.
"""

import difflib as _difflib
import importlib as _importlib
from importlib import util as _util

from se_keras import lazy as _lazy

# The specs of the families and the constructors of the registry are found in them.
_PUBLIC = _lazy.public(
    __name__,
    {
        "create": ("create_model",),
        "image_model": ("ImageModel",),
        "preprocessing": ("Preprocessing",),
        "recognition": ("structure_of",),
        "registry": ("list_models", "register"),
        "spec": ("NetworkSpec",),
        "structure": ("Part", "Structure"),
    },
)
_get, _, _ = _lazy.attributes(__name__, _PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return _get(name)
    if name == "__all__":
        return __dir__()
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # `from se_keras.models import resnet` asks for the attribute first.
    if _util.find_spec(f"{__name__}.{name}"):
        return _importlib.import_module(f"{__name__}.{name}")
    from se_keras.models import constructors, families

    # Constructors are created when asked for, also for networks of the user.
    found = families.public_types().get(name) or constructors.constructor(name)
    if found is None:
        nearest = _difflib.get_close_matches(name, __dir__(), n=3)
        hint = f". Did you mean {' or '.join(nearest)}?" if nearest else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
    return found


def __dir__():
    from se_keras.models import constructors, families

    return sorted(
        {*_PUBLIC, *families.public_types(), *constructors.constructor_names()}
    )

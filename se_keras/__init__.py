"""Squeeze-and-Excitation networks for Keras 3."""

from typing import TYPE_CHECKING

from se_keras.registration import register as _register

if TYPE_CHECKING:
    from se_keras import analysis, graph, layers, models, weights
    from se_keras import data as data
    from se_keras import evaluation as evaluation
    from se_keras import export as export
    from se_keras import training as training
    from se_keras.graph import add_squeeze_excite, fold, remove_squeeze_excite
    from se_keras.layers import SqueezeExcite
    from se_keras.models import create_model, list_models

__version__ = "0.1.0"

# Without `data`, `export` and `training`: they need the TensorFlow backend and, but for
# export, what their extra installs.
__all__ = [
    "SqueezeExcite",
    "__version__",
    "add_squeeze_excite",
    "analysis",
    "create_model",
    "fold",
    "graph",
    "layers",
    "list_models",
    "models",
    "remove_squeeze_excite",
    "weights",
]

if not TYPE_CHECKING:
    from se_keras import lazy as _lazy

    _PACKAGES = [
        "analysis",
        "data",
        "evaluation",
        "export",
        "graph",
        "layers",
        "models",
        "training",
        "weights",
    ]
    # Keras is imported when a name is used: see `se_keras.registration`.
    __getattr__, _names, _ = _lazy.attributes(
        __name__,
        {name: f"se_keras.{name}" for name in _PACKAGES}
        | _lazy.public(
            __name__,
            {
                "graph": ("add_squeeze_excite", "fold", "remove_squeeze_excite"),
                "layers": ("SqueezeExcite",),
                "models": ("create_model", "list_models"),
            },
        ),
    )

    def __dir__():
        return sorted({*__all__, *_names()})


_register()

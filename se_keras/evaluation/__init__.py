"""A trained classifier on a data set, in figures and pictures, and on image files.

Needs the TensorFlow backend of Keras. `evaluate` needs the extra `train`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from se_keras.evaluation.metrics import Tally as Tally
    from se_keras.evaluation.predictions import Prediction as Prediction
    from se_keras.evaluation.predictions import predict as predict
    from se_keras.evaluation.report import evaluate as evaluate
else:
    from se_keras import lazy as _lazy
    from se_keras.backend import require_tensorflow as _require_tensorflow

    __getattr__, __dir__, __all__ = _lazy.attributes(
        __name__,
        _lazy.public(
            __name__,
            {
                "metrics": ("Tally",),
                "predictions": ("Prediction", "predict"),
                "report": ("evaluate",),
            },
        ),
        lambda: _require_tensorflow("se_keras.evaluation"),
    )

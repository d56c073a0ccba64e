"""Reading weights into models: timm's, those of the Caffe release, and our own."""

from se_keras.weights.loading import LoadReport, info, load
from se_keras.weights.matching import Note
from se_keras.weights.names import from_timm_name, to_timm_name
from se_keras.weights.published import PUBLISHED, WeightsInfo

__all__ = [
    "PUBLISHED",
    "LoadReport",
    "Note",
    "WeightsInfo",
    "from_timm_name",
    "info",
    "load",
    "to_timm_name",
]


def __dir__():
    return __all__

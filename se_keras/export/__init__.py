"""Models as files that other programs run, each verified against the Keras model."""

from se_keras.export.artifact import (
    onnx,
    openvino,
    quantization_errors,
    saved_model,
    tflite,
)
from se_keras.export.classifier import Classifier, load_classifier
from se_keras.export.formats import FORMATS, QUANTIZATIONS, Format, Quantization
from se_keras.export.job import export_files
from se_keras.export.verification import VerificationError

__all__ = [
    "FORMATS",
    "QUANTIZATIONS",
    "Classifier",
    "Format",
    "Quantization",
    "VerificationError",
    "export_files",
    "load_classifier",
    "onnx",
    "openvino",
    "quantization_errors",
    "saved_model",
    "tflite",
]


def __dir__() -> list[str]:
    return __all__

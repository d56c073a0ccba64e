"""Models as files that other programs run, each verified against the Keras model."""

from se_keras.export.artifact import (
    onnx,
    openvino,
    quantization_errors,
    saved_model,
    tflite,
)
from se_keras.export.classifier import Classifier, load_classifier

__all__ = [
    "Classifier",
    "load_classifier",
    "onnx",
    "openvino",
    "quantization_errors",
    "saved_model",
    "tflite",
]

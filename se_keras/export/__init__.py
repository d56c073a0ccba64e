"""Models as files that other programs run, each verified against the Keras model."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from se_keras.export.artifact import onnx as onnx
    from se_keras.export.artifact import openvino as openvino
    from se_keras.export.artifact import quantization_errors as quantization_errors
    from se_keras.export.artifact import saved_model as saved_model
    from se_keras.export.artifact import tflite as tflite
    from se_keras.export.classifier import Classifier as Classifier
    from se_keras.export.classifier import load_classifier as load_classifier
    from se_keras.export.formats import FORMATS as FORMATS
    from se_keras.export.formats import Format as Format
    from se_keras.export.job import export_files as export_files
    from se_keras.export.quantization import QUANTIZATIONS as QUANTIZATIONS
    from se_keras.export.quantization import Quantization as Quantization
    from se_keras.export.verification import VerificationError as VerificationError
else:
    from se_keras import lazy as _lazy

    __getattr__, __dir__, __all__ = _lazy.attributes(
        __name__,
        _lazy.public(
            __name__,
            {
                "artifact": (
                    "onnx",
                    "openvino",
                    "quantization_errors",
                    "saved_model",
                    "tflite",
                ),
                "classifier": (
                    "Classifier",
                    "load_classifier",
                ),
                "formats": ("FORMATS", "Format"),
                "job": ("export_files",),
                "quantization": ("QUANTIZATIONS", "Quantization"),
                "verification": ("VerificationError",),
            },
        ),
    )

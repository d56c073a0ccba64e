"""The quantizations of TFLite files: the only place that lists them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Quantization:
    """A way to store a network in fewer bits.

    Attributes:
        description: What it stores, in a few words, for help texts.
        largest_error: Largest root mean square of the difference from the Keras
            model, relative to that of its outputs, that an export may have.
        float_types: Types of weights that stay floating-point numbers, if not float32.
        needs_calibration: Whether the ranges of the activations are found on images.
    """

    description: str
    largest_error: float
    float_types: tuple[str, ...] = ()
    needs_calibration: bool = False


INT8 = Quantization("int8 weights and activations", 0.3, needs_calibration=True)

# What `quantization` may be in addition to `None`, by name.
QUANTIZATIONS: dict[str, Quantization] = {
    "float16": Quantization(
        "float16 weights, float32 arithmetic", 0.02, float_types=("float16",)
    ),
    "dynamic": Quantization("int8 weights", 0.2),
    "int8": INT8,
}

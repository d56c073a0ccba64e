"""Comparing an exported model with the Keras model."""

import contextlib
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

from se_keras.errors import RunError
from se_keras.export.quantization import Quantization

# Largest difference from the Keras model that a float32 export may have, relative to
# the largest output. A wrong layer differs by about 1. Quantized exports have limits of
# their own.
LARGEST = 1e-4
RUNS = 10
BATCH = 32  # images at once; feature maps of hundreds would fill the memory


class VerificationError(RuntimeError):
    """An exported model does not run, or differs from the Keras model.

    Nothing is then at the path of the export.
    """


@contextlib.contextmanager
def refusals():
    """Turns any exception of a runtime into a `VerificationError`."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        raise VerificationError(f"The exported model does not run: {error}") from error


def compare(
    reference: keras.Model,
    run: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    quantization: Quantization | None = None,
) -> dict:
    """Returns how far an exported model is from the Keras model, and how fast it is.

    Args:
        reference: The Keras model.
        run: Runs the exported model on a batch of images.
        images: Inputs of both models, `(n, height, width, channels)`, float32.
        quantization: How the exported model was quantized, or `None`.

    Returns:
        `images`, `largest_difference`, `rms_difference`, `top1_agreement` and
        `milliseconds`; see `export.saved_model`.

    Raises:
        VerificationError: If it does not run, or differs by more than rounding
            explains.
    """
    # In float64: the squares of small scores are 0 in float32.
    expected = np.asarray(
        reference.predict(images, batch_size=BATCH, verbose=0), "float64"
    )
    batches = range(0, len(images), BATCH)
    with refusals():
        parts = [np.asarray(run(images[i : i + BATCH]), "float64") for i in batches]
    received = np.concatenate(parts)
    if received.shape != expected.shape:
        raise VerificationError(
            f"Expected outputs of the shape {expected.shape}, as the Keras model has. "
            f"Received: outputs of the shape {received.shape} for {len(images)} images"
        )
    error = received - expected
    largest = float(np.abs(error).max() / (np.abs(expected).max() or 1.0))
    mean_square = float(np.sqrt(np.mean(error**2) / (np.mean(expected**2) or 1.0)))
    limit = quantization.largest_error if quantization else LARGEST
    # Not `>`: a NaN must not pass.
    if not (mean_square if quantization else largest) <= limit:
        raise VerificationError(
            f"Expected a difference from the Keras model of at most {limit}, relative "
            f"to {'the root mean square of its' if quantization else 'its largest'} "
            f"output. Received: {largest:.1e} of the largest output (root mean square "
            f"{mean_square:.1e}) on {len(images)} images"
        )
    return {
        "images": len(images),
        "largest_difference": largest,
        "rms_difference": mean_square,
        "top1_agreement": float((received.argmax(-1) == expected.argmax(-1)).mean()),
        "milliseconds": _milliseconds(run, images[:1]),
    }


def _milliseconds(run, image) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run(image)
        times.append(1e3 * (time.perf_counter() - started))
    return round(statistics.median(times), 3)

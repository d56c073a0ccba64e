"""Comparing an exported model with the Keras model."""

import contextlib
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

# What may differ, relative to the output of the Keras model, by quantization: the
# largest difference to the largest output in float32, the root of the mean square to
# that of the outputs where weights are rounded. A wrong layer differs by about 1.
LARGEST = 1e-4
ROOT_MEAN_SQUARE = {"float16": 0.02, "dynamic": 0.2, "int8": 0.3}
RUNS = 10
BATCH = 32  # images at once; maps of hundreds would fill the memory


class VerificationError(RuntimeError):
    """An exported model computes something else than the Keras model."""


@contextlib.contextmanager
def refusals():
    """Turns what a runtime raises, each its own, into `VerificationError`."""
    try:
        yield
    except Exception as error:
        raise VerificationError(f"The exported model does not run: {error}") from error


def compare(
    reference: keras.Model,
    run: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    quantization: str | None = None,
) -> dict:
    """Returns how far an exported model is from the Keras model, and how fast it is.

    Args:
        reference: The Keras model.
        run: Runs the exported model on a batch.
        images: What both are shown.
        quantization: How the exported model was quantized.

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
            f"The exported model returns {received.shape}, the Keras model "
            f"{expected.shape}, for {len(images)} images"
        )
    error = received - expected
    largest = float(np.abs(error).max() / (np.abs(expected).max() or 1.0))
    mean_square = float(np.sqrt(np.mean(error**2) / (np.mean(expected**2) or 1.0)))
    limit = ROOT_MEAN_SQUARE.get(quantization, LARGEST)
    # Not `>`: a NaN must not pass.
    if not (mean_square if quantization else largest) <= limit:
        raise VerificationError(
            f"The exported model differs from the Keras model by {largest:.1e} of the "
            f"largest output (root mean square {mean_square:.1e}) on {len(images)} "
            f"images; expected at most {limit}"
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

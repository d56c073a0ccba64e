"""Every network in every format of phones and servers, at a small size.

As a program it exports them all, or those named, and publishes the table of
benchmarks/results/exports.csv:

    python -m tests.export.networks --output=benchmarks/results/exports.csv
"""

import argparse
import contextlib
import gc
import io
import pathlib
import sys
import tempfile
import time

import keras

from benchmarks import report
from se_keras import export
from se_keras.export.verification import VerificationError
from se_keras.layers.gate import Gate
from tests.models.test_every_network import NETWORKS, small
from tests.models.tools import images, randomize

IMAGES = 16
MANY_GATES = 50
GATES = 0.02  # how strongly a few react, of the random weights
BRANCHES = 0.2  # how strong those with many gates are
FORMS = {
    "TFLite": lambda model, path, x: export.tflite(
        model, path.with_suffix(".tflite"), images=x
    ),
    "TFLite int8": lambda model, path, x: export.tflite(
        model, path.with_suffix(".tflite"), quantization="int8", calibration=x
    ),
    "SavedModel": lambda model, path, x: export.saved_model(model, path, images=x),
}


def network(name):
    """Returns a network of random weights whose outputs differ between images.

    Gates that open and close at random multiply rounding by 30 in 50 layers, and
    feature maps reach 1e15 in 420 layers. So a few gates get small weights; where there
    are many, the branches that they multiply do.
    """
    model = randomize(small(name))
    # Probabilities of random networks are 0 and 1.
    model.layers[-1].activation = keras.activations.linear
    gates = [layer for layer in model.layers if isinstance(layer, Gate)]
    if len(gates) < MANY_GATES:
        factor = GATES
        weights = [w for gate in gates for w in gate.weights if w.name == "kernel"]
    else:
        factor = BRANCHES
        ends = [gate.input._keras_history.operation for gate in gates]
        weights = [w for end in ends for w in end.trainable_weights]
    for weight in weights:
        weight.assign(weight * factor)
    return model, images(IMAGES, *model.input_shape[1:]).clip(-1, 1)


def reports(name):
    """Returns the report of each form of a network by its title."""
    model, x = network(name)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, write in FORMS.items():
            path = pathlib.Path(folder) / title.replace(" ", "_")
            with contextlib.redirect_stdout(io.StringIO()):
                found[title] = write(model, path, x)
    keras.backend.clear_session()
    gc.collect()
    return found


def row(name, found):
    """Returns a row of the table."""
    plain, int8, saved = (found[title] for title in FORMS)
    return {
        "network": name,
        "tflite_difference": plain["largest_difference"],
        "tflite_outside_xnnpack": plain["outside_xnnpack"],
        "tflite_operations": plain["operations"],
        "int8_rms_difference": int8["rms_difference"],
        "int8_same_top1": int8["top1_agreement"],
        "int8_outside_xnnpack": int8["outside_xnnpack"],
        "int8_operations": int8["operations"],
        "tflite_mb": plain["bytes"] / 1e6,
        "int8_mb": int8["bytes"] / 1e6,
        "saved_model_difference": saved["largest_difference"],
    }


def main():
    """Exports the networks and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    report.add_flags(parser)
    options = parser.parse_args()
    rows = []
    for name in options.networks:
        started = time.monotonic()
        try:
            rows.append(row(name, reports(name)))
        except VerificationError as error:
            rows.append({"network": name, "failure": " ".join(str(error).split())})
        seconds = time.monotonic() - started
        print(f"{seconds:.0f} s: {rows[-1]}", file=sys.stderr, flush=True)
    report.publish(options, rows)


if __name__ == "__main__":
    main()

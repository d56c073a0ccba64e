"""Every network in every form that a phone and a server take, at a small size.

As a program it exports them all, or those named, and prints the table of
docs/export.md:

    python -m tests.export.networks
"""

import contextlib
import gc
import io
import pathlib
import sys
import tempfile
import time

import keras

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
    """Returns a network whose random weights let images differ to the end.

    Gates that open and close at random multiply rounding by 30 in 50 layers, and
    maps reach 1e15 in 420, so few gates react weakly, and many do so on weak branches.
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
    return (
        f"| {name} | {plain['largest_difference']:.0e} "
        f"| {plain['outside_xnnpack']} of {plain['operations']} "
        f"| {int8['rms_difference']:.1%} | {int8['top1_agreement']:.0%} "
        f"| {int8['outside_xnnpack']} of {int8['operations']} "
        f"| {plain['bytes'] / 1e6:.1f} | {int8['bytes'] / 1e6:.1f} "
        f"| {saved['largest_difference']:.0e} |"
    )


def main(names):
    """Prints the table."""
    print(
        "| network | TFLite differs by | outside XNNPACK | int8 differs by "
        "| same top-1 | outside XNNPACK | MB | int8 MB | SavedModel differs by |"
    )
    print("| --- |" + " ---: |" * 8)
    for name in names:
        started = time.monotonic()
        try:
            line = row(name, reports(name))
        except VerificationError as error:
            line = f"| {name} | FAILED: {' '.join(str(error).split())[:300]} |"
        print(line, flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:] or NETWORKS)

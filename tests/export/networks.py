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
# How strongly gates react, of the random weights; and where there are many of them.
GATES, MANY_GATES, OF_MANY = 0.02, 50, 0.0005
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
    """Returns a network whose random weights let images differ to the end."""
    model = randomize(small(name))
    # Probabilities of random networks are 0 and 1.
    model.layers[-1].activation = keras.activations.linear
    # Gates that open and close at random multiply rounding by 30 in 50 layers.
    gates = [layer for layer in model.layers if isinstance(layer, Gate)]
    strength = GATES if len(gates) < MANY_GATES else OF_MANY
    for weight in (weight for gate in gates for weight in gate.weights):
        if weight.name == "kernel":
            weight.assign(weight * strength)
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
        except (VerificationError, RuntimeError) as error:
            line = f"| {name} | FAILED: {' '.join(str(error).split())[:300]} |"
        print(line, flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:] or NETWORKS)

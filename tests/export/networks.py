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
import numpy as np

from se_keras import export
from se_keras.export.verification import VerificationError
from se_keras.layers.gate import Gate
from tests.models.test_every_network import NETWORKS, small
from tests.models.tools import images, randomize

IMAGES = 16
GATES = 0.02  # how strongly they react, of the random weights
MANY_GATES = 50
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
    x = images(IMAGES, *model.input_shape[1:]).clip(-1, 1)
    # Gates that open and close at random multiply rounding by 30 in 50 layers.
    gates = [layer for layer in model.layers if isinstance(layer, Gate)]
    if len(gates) >= MANY_GATES:
        see_ones(model, gates, x)
        kernels = [gate.fc1.kernel for gate in gates]
    else:
        kernels = [w for gate in gates for w in gate.weights if w.name == "kernel"]
    for kernel in kernels:
        kernel.assign(kernel * GATES)
    return model, x


def see_ones(model, gates, x):
    """Divides what gates take by its size: 1e15 at the end of 420 random layers."""
    kernels = [gate.fc1.kernel.numpy() for gate in gates]
    for gate in gates:
        gate.fc1.kernel.assign(keras.ops.zeros_like(gate.fc1.kernel))
    means = [keras.ops.mean(gate.input, (1, 2)) for gate in gates]
    seen = keras.Model(model.inputs, means).predict(x, verbose=0)
    for gate, kernel, values in zip(gates, kernels, seen, strict=True):
        gate.fc1.kernel.assign(kernel / np.abs(values).mean())


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

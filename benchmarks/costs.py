"""Parameters and multiply-adds of every network, and of its SE layers.

    python benchmarks/costs.py --output=benchmarks/results/networks.csv

One image of the size that the network was designed for, 1000 classes (CIFAR networks:
10), as `se_keras.analysis.complexity` counts them in the built networks.
"""

import argparse
import contextlib
import gc
import sys

import keras
import report

from se_keras import analysis, create_model, list_models
from se_keras.models.registry import lookup


def cost(name):
    """Returns the row of a network."""
    height, width = lookup(name).preprocessing.size
    classes = 10 if (height, width) == (32, 32) else 1000
    found = analysis.complexity(create_model(name, classes=classes))
    return {
        "network": name,
        "height_px": height,
        "width_px": width,
        "parameters": found.parameters,
        "gate_parameters": found.gate_parameters,
        "gmacs": found.multiply_adds / 1e9,
        "gate_gmacs": found.gate_multiply_adds / 1e9,
    }


def main():
    """Counts and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=list_models())
    report.add_flags(parser)
    options = parser.parse_args()
    progress = keras.utils.Progbar(len(options.networks), unit_name="network")
    rows = []
    with contextlib.redirect_stdout(sys.stderr):  # the progress bar is not the table
        for name in options.networks:
            rows.append(cost(name))
            keras.backend.clear_session()
            gc.collect()
            progress.add(1)
    report.publish(options, rows)


if __name__ == "__main__":
    main()

"""What every network costs, and what the paper says of those it has.

    python benchmarks/costs.py > costs.md

Prints the tables of docs/networks.md: parameters and multiply-adds of one image, as
`se_keras.analysis.complexity` counts them in the built networks.
"""

import gc
import sys

import keras

from se_keras import analysis, create_model, list_models
from se_keras.models.registry import lookup

# Hu et al. 2017, tables 2 and 3: multiply-adds in units of 1e9, plain and with SE.
PAPER = {
    "resnet50_caffe": (3.86, 3.87),
    "resnet101_caffe": (7.58, 7.60),
    "resnet152_caffe": (11.30, 11.32),
    "resnext50_32x4d_caffe": (4.24, 4.25),
    "resnext101_32x4d_caffe": (7.99, 8.00),
    "vgg16": (15.47, 15.48),
    "bn_inception": (2.03, 2.04),
    "inception_resnet_v2": (11.75, 11.76),
    "mobilenet": (0.569, 0.572),
    "shufflenet": (0.140, 0.142),
}


def main():
    """Prints both tables."""
    names = list_models()
    progress = keras.utils.Progbar(len(names), unit_name="network")
    costs = {}
    output, sys.stdout = sys.stdout, sys.stderr  # the progress bar is not the table
    for name in names:
        cifar = lookup(name).preprocessing.size == (32, 32)
        costs[name] = analysis.complexity(
            create_model(name, classes=10 if cifar else 1000)
        )
        keras.backend.clear_session()
        gc.collect()
        progress.add(1)
    sys.stdout = output

    print("| network | plain, paper | plain, here | SE, paper | SE, here |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, published in PAPER.items():
        cells = []
        for network, billions in zip((name, lookup(name).twin), published, strict=True):
            counted = costs[network].multiply_adds / 1e9
            cells += [
                f"{billions:g}",
                f"{counted:.4g} ({counted / billions - 1:+.1%})",
            ]
        print(f"| {name} | {' | '.join(cells)} |")

    print("\n| network | image | parameters | of gates | GMACs | of gates |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name, cost in costs.items():
        height, width = lookup(name).preprocessing.size
        print(
            f"| `{name}` | {height} x {width} | {cost.parameters:,} "
            f"| {cost.gate_parameters:,} | {cost.multiply_adds / 1e9:.4g} "
            f"| {cost.gate_multiply_adds / 1e9:.2g} |"
        )


if __name__ == "__main__":
    main()

"""What small networks answer on a backend of Keras, to a file: one process for each.

KERAS_BACKEND=jax python -m tests.parity.backend_outputs OUTPUTS.npz NAME...
"""

import sys

import numpy as np

from tests.models.test_every_network import small, small_images
from tests.models.tools import outputs, randomize


def main(file, *names):
    """Writes the probabilities of two images for each network."""
    answers = {}
    for number, name in enumerate(names, 1):
        print(f"{number}/{len(names)} {name}", file=sys.stderr, flush=True)
        network = randomize(small(name))
        # Probabilities of random networks are 0 and 1.
        network.layers[-1].activation = None
        x = small_images(network)
        # A second time with what rounding does to the images: how far it goes.
        answers[name] = [outputs(network, each) for each in (x, x * (1 + 1e-6))]
    np.savez(file, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])

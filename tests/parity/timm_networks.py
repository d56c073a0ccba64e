"""Our networks compared with those of timm, with the same weights and images.

The weights are random, and yet the last layer must differ between two images: a
network with the same output for every image hides an error from the comparison. So the
statistics of each batch norm are first set to those of the images in this network, as
training would, and then drawn around these; a network stays at one scale at any depth.

As a program it compares them all, or those named, and publishes the table of
benchmarks/results/timm.csv:

    python -m tests.parity.timm_networks --output=benchmarks/results/timm.csv
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import math
import multiprocessing
import sys

# TensorFlow 2.21 shows its LLVM to all libraries that are loaded after it, and Triton,
# which PyTorch imports, crashes on that: tensorflow/tensorflow#124205.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import keras
import numpy as np

from benchmarks import report
from se_keras import create_model, list_models, weights
from se_keras.models import ImageModel
from se_keras.models.registry import lookup
from se_keras.weights import inventory

LARGE = 60_000_000
SIZES = ((224, 224), (193, 257))


def _networks():
    """Yields our names of timm's SE networks, and of a few of its plain ones."""
    yield from ("resnet18", "resnet34", "resnet50", "resnet50t", "resnetaa50d")
    for name in list_models():
        with contextlib.suppress(ValueError):
            family = weights.to_timm_name(name).removeprefix("legacy_")
            if family.startswith(("seres", "senet", "resnetrs")):
                yield name


NETWORKS = tuple(_networks())


def parameters(name):
    """Returns the number of trainable parameters, without building the network."""
    slots = inventory.of_network(lookup(name)).slots
    return sum(math.prod(s.shape) for s in slots if not s.name.startswith("moving_"))


def sizes(name):
    """Returns the sizes of images that timm's network takes."""
    # Its anti-aliased networks round sizes down in branches, and up in shortcuts.
    return SIZES[:1] if "aa" in name else SIZES


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far two networks are apart, each relative to the largest value.

    Attributes:
        logits: Largest difference of the logits.
        features: Largest difference of the output of stage 3.
        images: Largest difference between the logits of two images: far above the
            others, or they show nothing.
    """

    logits: float
    features: float
    images: float


def images(height, width):
    """A pale and a bright image of colored tiles under noise, channels last."""
    rng = np.random.default_rng(0)
    tiles = rng.normal(0, 1, (2, 2, 3, 3))
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
    noise = rng.normal(0, 0.5, (2, height, width, 3))
    contrast = np.reshape([1, 4], (2, 1, 1, 1))
    return (contrast * (tiles[:, rows][:, :, columns] + noise)).astype("float32")


def random_network(timm_name, **arguments):
    """Returns a network of timm with all weights, biases and statistics drawn."""
    import timm
    import torch

    torch.manual_seed(0)
    network = timm.create_model(timm_name, **arguments)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                # Gates that differ from 0.5 and from each other.
                parameter.normal_(0, 1 if ".se" in name else 0.2)
        for norm in norms:
            norm.weight.uniform_(0.5, 1.5)
        for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
            for block in stage:
                last = block.bn3 if hasattr(block, "bn3") else block.bn2
                # The sum of all branches of a stage is as large as its input; if it
                # were larger, rounding errors would grow from block to block.
                last.weight /= len(stage) ** 0.5
        for norm in norms:
            norm.momentum = None  # the statistics of the next batches, not an average
            norm.reset_running_stats()
        network.train()(to_torch(images(96, 96)))
        for norm in norms:
            deviation = norm.running_var.sqrt()
            norm.running_mean += 0.2 * deviation * torch.randn_like(deviation)
            norm.running_var *= torch.empty_like(deviation).uniform_(0.7, 1.4)
    return network.eval()


def to_torch(maps):
    """Returns channels-last maps as a tensor of PyTorch."""
    import torch

    return torch.from_numpy(np.moveaxis(maps, -1, 1).copy())


def from_torch(tensor):
    """Returns the maps of a tensor, channels last."""
    array = tensor.detach().numpy()
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array


def relative(actual, expected):
    """Returns the largest difference relative to the largest expected value."""
    assert actual.shape == expected.shape
    return float(np.max(np.abs(actual - expected)) / np.max(np.abs(expected)))


def our_network(name, theirs, **arguments):
    """Returns our network with the weights of timm's."""
    model = create_model(
        name, input_shape=(None, None, 3), classifier_activation=None, **arguments
    )
    weights.load(model, theirs.state_dict())
    return model


def with_stage3(model):
    """Returns the model with the output of stage 3 in addition to its own."""
    last = [layer for layer in model.layers if layer.name.startswith("stage3_")][-1]
    # It takes networks that are too deep for Python's limit on recursion.
    return ImageModel(model.input, [model.output, last.output])


def compare(ours, theirs, height, width):
    """Returns the `Difference` of our network, as of `with_stage3`, from timm's."""
    import torch

    batch = images(height, width)
    logits, stage3 = map(keras.ops.convert_to_numpy, ours(batch, training=False))
    with torch.no_grad():
        maps, (their_stage3,) = theirs.forward_intermediates(
            to_torch(batch), indices=[3]
        )
        their_logits = from_torch(theirs.forward_head(maps))
    return Difference(
        relative(logits, their_logits),
        relative(stage3, from_torch(their_stage3)),
        relative(their_logits[0], their_logits[1]),
    )


def differences(name):
    """Returns the `Difference` from timm's network at each size that it takes."""
    theirs = random_network(weights.to_timm_name(name))
    assert sum(p.numel() for p in theirs.parameters()) == parameters(name)
    ours = with_stage3(our_network(name, theirs))
    return [compare(ours, theirs, *size) for size in sizes(name)]


def differences_of(names):
    """Yields the `differences` of networks, each from a process of its own.

    TensorFlow keeps what it compiled for a network as long as the process lives.
    """
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        yield from pool.map(differences, names)


def row(name, found):
    """Returns a row of the table from the `differences` of a network."""
    cells = {
        "network": name,
        "timm_network": weights.to_timm_name(name),
        "parameters": parameters(name),
    }
    for column, kind in (("logits", "logits"), ("stage3", "features")):
        for (height, width), difference in zip(SIZES, found, strict=False):
            cells[f"{column}_{height}x{width}"] = getattr(difference, kind)
    return cells | {"two_images": min(difference.images for difference in found)}


def main():
    """Compares the networks and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    report.add_flags(parser)
    options = parser.parse_args()
    rows = []
    for name, found in zip(
        options.networks, differences_of(options.networks), strict=True
    ):
        rows.append(row(name, found))
        print(rows[-1], file=sys.stderr, flush=True)
    report.publish(options, rows)


if __name__ == "__main__":
    main()

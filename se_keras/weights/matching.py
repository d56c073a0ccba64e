"""Which weights of a file belong to which weights of a network."""

import dataclasses
import itertools

import keras
import numpy as np

from se_keras.errors import UsageError, shortened
from se_keras.models.input_channels import adapt_input_channels, adaptation
from se_keras.models.structure import CLASSIFIER
from se_keras.weights import inventory
from se_keras.weights.checkpoint import SHOWN, Checkpoint
from se_keras.weights.inventory import Inventory, Slot
from se_keras.weights.keys import TimmKeys


@dataclasses.dataclass(frozen=True)
class Note:
    """Something that was not loaded as it is.

    Attributes:
        names: Paths of the variables of the model, or keys of the file.
        reason: Why, and what happened to them.
    """

    names: tuple[str, ...]
    reason: str

    def __str__(self):
        return f"{', '.join(self.names)}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Match:
    """How a file matches a network.

    Attributes:
        pairs: Weights of the network with their keys.
        skipped: What is left out on both sides, as it may be.
        adapted: What gets another shape on its way.
        missing: Keys that the file does not have.
        unexpected: Keys that the network has no place for.
        misshapen: Keys, each with the expected shape and that of the file.
        repeated: Keys that several weights of the network have.
        unknown: Layers of the network that the file's project does not have.
    """

    pairs: tuple[tuple[Slot, str], ...]
    skipped: tuple[Note, ...]
    adapted: tuple[Note, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[tuple[str, tuple, tuple], ...]
    repeated: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """What is in the way, each in a few words; empty if nothing is."""
        shapes = [
            f"{key!r} expected {expected}, received {received}"
            for key, expected, received in self.misshapen
        ]
        found = {
            "layers that timm does not have": list(map(repr, self.unknown)),
            "of several networks in one model, each of which needs its own file": [
                *map(repr, self.repeated)
            ],
            "missing": list(map(repr, self.missing)),
            "not of this network": list(map(repr, self.unexpected)),
            "of another shape": shapes,
        }
        return [
            f"{len(what)} {text} ({_first(what)})"
            for text, what in found.items()
            if what
        ]


def match(network: Inventory, checkpoint: Checkpoint) -> Match:
    """Compares a file and a network by names and shapes.

    A classifier may be missing on either side or have another number of classes, the
    images may have another number of channels, and other layers may come before the
    network.
    """
    keys, arrays = checkpoint.keys, checkpoint.arrays
    modules = keys.modules(network.structure)
    front = _front(network, checkpoint)
    network = dataclasses.replace(network, slots=network.slots[len(front) :])
    by_key, repeated, unknown = {}, [], []
    for slot in network.slots:
        key = keys.key(slot, modules)
        if key is None:
            unknown.append(slot.layer)
        elif key in by_key:
            repeated.append(key)
        else:
            by_key[key] = slot
    left_out, skipped = _classifier(by_key, checkpoint, network.structure)
    pairs, adapted, missing, misshapen = [], [], [], []
    for key, slot in by_key.items():
        if key in left_out:
            continue
        if key not in arrays:
            missing.append(key)
            continue
        received = keys.keras_shape(arrays[key].shape, slot)
        if received == slot.shape:
            pairs.append((slot, key))
        elif slot == network.first_conv and _differ_in_inputs(received, slot.shape):
            pairs.append((slot, key))
            adapted.append(_adapted(slot, received[2]))
        else:
            misshapen.append((key, keys.file_shape(slot), tuple(arrays[key].shape)))
    unexpected = [
        key
        for key in arrays
        if key not in by_key and key not in left_out and not keys.is_counter(key)
    ]
    if front:
        names = tuple(slot.path for slot in front)
        skipped.insert(0, Note(names, "before the network, keep their values"))
    found = pairs, skipped, adapted, missing, unexpected, misshapen, repeated
    return Match(*map(tuple, (*found, dict.fromkeys(unknown))))


def _front(network, checkpoint):
    """Returns the first weights, up to the network's, if they are not of a network."""
    if network.structure is None:
        return ()
    keys, arrays, own = checkpoint.keys, checkpoint.arrays, network.structure.part_of
    modules = keys.modules(network.structure)

    def is_other(slot):
        return slot.top_layer not in own and keys.key(slot, modules) not in arrays

    front = tuple(itertools.takewhile(is_other, network.slots))
    after = network.slots[len(front) :]
    return front if after and after[0].layer != CLASSIFIER else ()


def converted(slot: Slot, key: str, checkpoint: Checkpoint) -> np.ndarray:
    """Reads one array of a file that fits, in the shape of the network."""
    array = checkpoint.arrays[key].read()
    if not keras.backend.is_float_dtype(str(array.dtype)):
        raise UsageError(
            f"Expected floating-point numbers under {key!r}, and there are "
            f"{array.dtype}. Received: {checkpoint.info.source!r}"
        )
    array = checkpoint.keys.to_keras(array, slot).astype("float32")
    if array.shape == slot.shape:
        return array
    return adapt_input_channels(array, slot.shape[2])


def fitting_networks(checkpoint: Checkpoint) -> list[str]:
    """Returns the names of the networks of the registry that a file fits."""
    keys = checkpoint.keys
    count = sum(
        not keys.is_classifier(key) and not keys.is_counter(key)
        for key in checkpoint.arrays
    )
    return [
        name
        for name, network in inventory.networks().items()
        # A comparison of two numbers spares most of the others.
        if sum(slot.layer != CLASSIFIER for slot in network.slots) == count
        and same_traits(network, checkpoint)
        and not match(network, checkpoint).problems
    ]


def with_named_network(checkpoint: Checkpoint) -> Checkpoint:
    """Returns a checkpoint with the traits of the network that its config names.

    A name that the arrays do not fit is left out, with a remark.
    """
    info = checkpoint.info
    if checkpoint.traits is not None or not info.networks:
        return checkpoint
    named = inventory.networks()
    for name in info.networks:
        network = named.get(name)
        if (
            network
            and same_traits(network, checkpoint)
            and not match(network, checkpoint).problems
        ):
            return dataclasses.replace(checkpoint, traits=network.traits)
    names = " and ".join(map(repr, info.networks))
    remark = f"their config names {names}, which they do not fit; the name is not used"
    info = dataclasses.replace(info, networks=(), remarks=(*info.remarks, remark))
    return dataclasses.replace(checkpoint, info=info)


def twins(network: Inventory, checkpoint: Checkpoint) -> list[str]:
    """Returns the names of networks that a file fits, too, and that compute another.

    Args:
        network: A network that the file fits.
        checkpoint: The file.
    """
    if checkpoint.traits is not None:
        return []
    named = inventory.networks()
    return [
        name
        for name in fitting_networks(checkpoint)
        if named[name].traits != network.traits
    ]


def same_traits(network: Inventory, checkpoint: Checkpoint) -> bool:
    """Whether a network computes what the file's does, as far as that is known."""
    if network.traits is None:
        return True
    if checkpoint.traits is not None:
        return network.traits == checkpoint.traits
    known = (
        checkpoint.keys.format.traits if isinstance(checkpoint.keys, TimmKeys) else {}
    )
    return known.items() <= network.traits.items()


def _classifier(by_key, checkpoint, structure):
    """Returns the keys of a classifier that is left out, and a note about them."""
    arrays, keys = checkpoint.arrays, checkpoint.keys
    wanted = {k: slot for k, slot in by_key.items() if slot.layer == CLASSIFIER}
    there = [key for key in arrays if keys.is_classifier(key)]
    names = tuple(slot.path for slot in wanted.values())
    if not wanted:
        there = [
            key for key in arrays if keys.is_top(key, structure) and key not in by_key
        ]
        note = Note(tuple(there), "the model has no classifier")
        return there, [note] if there else []
    if not there:
        return list(wanted), [Note(names, "not in the file, keep their initial values")]
    if set(wanted) != set(there):
        return [], []
    shapes = {k: keys.keras_shape(arrays[k].shape, slot) for k, slot in wanted.items()}
    in_file = {shape[-1:] for shape in shapes.values()}
    in_model = {slot.shape[-1:] for slot in wanted.values()}
    differ_elsewhere = any(
        shapes[key][:-1] != slot.shape[:-1] for key, slot in wanted.items()
    )
    if differ_elsewhere or len(in_file) > 1 or in_file == in_model:
        return [], []
    reason = (
        f"{checkpoint.classes} classes in the file, {next(iter(in_model))[0]} in the "
        "model, keep their initial values"
    )
    return list(wanted), [Note(names, reason)]


def _differ_in_inputs(received, expected):
    return (
        len(received) == 4
        and received[:2] + received[3:] == expected[:2] + expected[3:]
    )


def _adapted(slot, received):
    return Note((slot.path,), adaptation(received, slot.shape[2]))


def _first(items):
    more = ", ..." if len(items) > SHOWN else ""
    return ", ".join(map(shortened, items[:SHOWN])) + more

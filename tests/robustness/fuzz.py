"""Damages files at random, and reads them as a user's program does.

python -m tests.robustness.fuzz --count=200

Each kind of file is written whole, and damaged in one of several ways: bytes changed,
removed, inserted or repeated, or its end missing. A reader has to return or to raise a
`ValueError` with one short line, within a few seconds; a classifier that opens has to
return finite scores.
"""

import argparse
import collections
import contextlib
import functools
import importlib.util
import io
import pathlib
import random
import sys
import tempfile
import time
import warnings

import numpy as np
from safetensors.numpy import save_file

from se_keras import create_model, export, training, weights
from se_keras.training.workdir import WorkDir
from tests.models.tools import images
from tests.weights.tools import timm_state

MOST_SECONDS = 10.0
MOST_CHARACTERS = 2000
SIZE = (12, 12, 3)
NAMES = ("a", "b", "c", "d")


@functools.cache
def network(use="to write"):
    """Returns a network; those that are written get no damaged weights."""
    model = create_model("se_resnet20", input_shape=SIZE, classes=len(NAMES))
    model.class_names = NAMES
    return model


def state_dict():
    return timm_state(classes=len(NAMES))


def write_pickle(path, **settings):
    import torch

    state = {key: torch.from_numpy(value) for key, value in state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, path, **settings)


def write_recipe(path):
    training.write_config(path, training.make_recipe("sample"))


def write_run(path):
    directory = path.parent / "run"
    with WorkDir(directory, training.make_recipe("sample")).open():
        path.write_bytes((directory / "config.json").read_bytes())


def read_run(path):
    """Opens the work directory of a run whose config.json is damaged."""
    directory = path.parent / f"{path.name}.run"
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_bytes(path.read_bytes())
    WorkDir(directory, training.make_recipe("sample"))


def classify(path):
    classifier = export.load_classifier(path)
    with np.errstate(all="ignore"):
        scores = classifier.predict(images(1, *SIZE) * 255)
    if not np.isfinite(scores).all():
        raise AssertionError(f"scores that are not finite: {scores}")


def load(path):
    weights.info(path)
    weights.load(network("to read"), path)


# By suffix: what writes a whole file, and what reads it.
KINDS = {
    "a.safetensors": (lambda path: save_file(state_dict(), path), load),
    "zip.pth": (write_pickle, load),
    "stream.pth": (
        functools.partial(write_pickle, _use_new_zipfile_serialization=False),
        load,
    ),
    "a.weights.h5": (lambda path: network().save_weights(path), load),
    "weights.keras": (lambda path: network().save(path), load),
    "model.keras": (lambda path: network().save(path), classify),
    "model.tflite": (
        lambda path: export.tflite(network(), path, images=images(2, *SIZE)),
        classify,
    ),
    "recipe.yaml": (write_recipe, training.read_config),
    "config.json": (write_run, read_run),
}
# Files of these are written by PyTorch.
NEED_TORCH = ("zip.pth", "stream.pth")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Returns a file with a random damage."""
    data = bytearray(content)
    start = rng.randrange(len(data))
    # Headers and records at the end are small and matter most.
    if rng.random() < 0.5:
        near = rng.randrange(min(len(data), 2000))
        start = rng.choice([near, len(data) - 1 - near])
    length = rng.choice([1, 1, 1, 4, 16, 256])
    kind = rng.choice(["flip", "byte", "cut", "insert", "repeat", "end", "zero"])
    if kind == "flip":
        data[start] ^= 1 << rng.randrange(8)
    elif kind == "byte":
        data[start : start + length] = rng.randbytes(length)
    elif kind == "cut":
        del data[start : start + length]
    elif kind == "insert":
        data[start:start] = rng.randbytes(length)
    elif kind == "repeat":
        data[start:start] = data[start : start + length] * rng.choice([1, 2, 50])
    elif kind == "end":
        del data[start:]
    else:
        data[start : start + length] = bytes(length)
    return bytes(data)


def read(reader, path) -> str:
    """Reads a file; returns `"read"` or `"refused"`, or what is wrong."""
    started = time.monotonic()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            reader(path)
        result = "read"
    except ValueError as error:
        text = str(error)
        result = "refused"
        if len(text) > MOST_CHARACTERS or "\n" in text:
            result = f"a message of {len(text)} characters: {text[:300]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        result = f"{type(error).__name__}: {str(error)[:300]}"
    seconds = time.monotonic() - started
    if seconds > MOST_SECONDS:
        result = f"{seconds:.0f} seconds ({result[:100]})"
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append")
    options = parser.parse_args()
    faults = 0
    has_torch = importlib.util.find_spec("torch") is not None
    for kind in options.kind or KINDS:
        if kind in NEED_TORCH and not has_torch:
            print(f"{kind}: left out, as PyTorch is not installed")
            continue
        write, reader = KINDS[kind]
        rng = random.Random(f"{options.seed} {kind}")
        counts: collections.Counter = collections.Counter()
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder) / f"whole-{kind}"
            write(whole)
            content = whole.read_bytes()
            if (result := read(reader, whole)) != "read":
                raise AssertionError(f"{kind}, whole: {result}")
            path = pathlib.Path(folder) / f"damaged-{kind}"
            for number in range(options.count):
                path.write_bytes(damaged(content, rng))
                result = read(reader, path)
                counts[result if result in ("read", "refused") else "faults"] += 1
                if result not in ("read", "refused"):
                    print(f"{kind} {number}: {result}", flush=True)
        faults += counts["faults"]
        print(f"{kind}: {dict(counts)}", flush=True)
    print(f"{faults} faults", flush=True)
    return min(faults, 1)


if __name__ == "__main__":
    sys.exit(main())

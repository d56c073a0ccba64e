"""Writes the files of this folder with PyTorch, which the tests do not need.

python tests/weights/data/make.py
"""

import argparse
import collections
import pathlib

import torch

FOLDER = pathlib.Path(__file__).parent


def tensors():
    """Every kind that a state dict has, and layouts that a tensor may have."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = collections.OrderedDict(
        float32=base,
        transposed=base.permute(2, 0, 1),
        part=base[1, :, 1:3],
        expanded=torch.tensor([1.5, 2.5]).reshape(2, 1).expand(2, 3),
        float64=base.double() / 3,
        float16=base[0].half() / 3,
        bfloat16=base[0].bfloat16() / 3,
        num_batches_tracked=torch.tensor(7),
        parameter=torch.nn.Parameter(base[0] - 1),
        empty=torch.empty(0, 3),
    )
    # As `Module.state_dict` has it.
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    return state


def main():
    """Writes both formats, and a checkpoint as a training script writes it."""
    state = tensors()
    training = {
        "epoch": 3,
        "arch": "seresnet50",
        "args": argparse.Namespace(lr=0.1, model="seresnet50"),
        "optimizer": {"state": {0: {"momentum": torch.ones(3)}}, "param_groups": []},
        "metric": 81.0,
        "state_dict": {f"module.{key}": value for key, value in state.items()},
    }
    torch.save(state, FOLDER / "zip.pth")
    torch.save(state, FOLDER / "stream.pth", _use_new_zipfile_serialization=False)
    torch.save(training, FOLDER / "training.pth.tar")


if __name__ == "__main__":
    main()

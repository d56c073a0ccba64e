"""Multiply-adds against PyTorch's counter on timm's networks, to the last one."""

import pytest

from se_keras import create_model
from se_keras.analysis import complexity
from se_keras.weights import to_timm_name
from tests.helpers import require

pytestmark = pytest.mark.parity

NAMES = [
    "resnet18",
    "resnet50",
    "se_resnet18_caffe",
    "se_resnet50",
    "se_resnet50_caffe",
    "se_resnet50t",
    "se_resnetaa50d",
    "se_resnext26d_32x4d",
    "se_resnext50_32x4d",
    "se_resnext50_32x4d_caffe",
    "resnetrs50",
]


def counted(name, size):
    """Parameters and multiply-adds of timm's network, on tensors without data."""
    torch, timm = require("torch"), require("timm")
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = timm.create_model(name).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 3, *size))
    parameters = sum(weight.numel() for weight in network.parameters())
    return parameters, counter.get_total_flops() // 2


@pytest.mark.parametrize("name", NAMES)
def test_costs_are_those_of_timm(name):
    size = (224, 160)
    cost = complexity(create_model(name, input_shape=(*size, 3)))
    assert (cost.parameters, cost.multiply_adds) == counted(to_timm_name(name), size)

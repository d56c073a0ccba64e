"""Our networks compared with those of timm, with the same weights and images."""

import re

import keras
import numpy as np
import pytest

from se_keras import create_model
from tests.helpers import relative_error, require, to_numpy

pytestmark = pytest.mark.parity

# From a module of timm to our layer; the SE layer and its two dense layers keep a dot.
RULES = {
    r"^layer(\d)\.(\d+)\.": lambda m: f"stage{m[1]}_block{int(m[2]) + 1}_",
    r"^(conv|bn)1$": r"stem_\1",
    r"downsample\.0$": "shortcut_conv",
    r"downsample\.1$": "shortcut_bn",
    r"^fc$": "predictions",
}
VARIABLES = {
    "conv": {"weight": "kernel"},
    "bn": {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
    "fc": {"weight": "kernel", "bias": "bias"},
    "predictions": {"weight": "kernel", "bias": "bias"},
}


def our_variable(model, key):
    """Returns the variable of our network for a key of timm's state."""
    module, _, kind = key.rpartition(".")
    for pattern, replacement in RULES.items():
        module = re.sub(pattern, replacement, module)
    name, *inner = module.split(".")
    layer = model.get_layer(name)
    for attribute in inner:
        layer = getattr(layer, attribute)
    role = re.search(r"(conv|bn|fc|predictions)\d?$", module)[1]
    return getattr(layer, VARIABLES[role][kind])


def transfer(state, model):
    """Gives every variable of our network its value from timm's state."""
    left = {variable.path for variable in model.weights}
    for key, value in state.items():
        variable = our_variable(model, key)
        # OIHW to HWIO, and (outputs, inputs) to (inputs, outputs).
        value = np.moveaxis(value, (0, 1), (-1, -2)) if value.ndim > 1 else value
        variable.assign(value.reshape(variable.shape))
        left.remove(variable.path)
    assert not left


def random_state(network):
    """Draws all weights and statistics, such that maps keep their size with depth."""
    rng = np.random.default_rng(0)
    state = {}
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        shape = tuple(value.shape)
        if len(shape) > 1:
            drawn = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        elif key.endswith("running_var"):
            drawn = rng.uniform(0.5, 1.5, shape)
        elif re.search(r"(bn\d|downsample\.1)\.weight$", key):
            drawn = rng.uniform(0.3, 1, shape)
        else:
            drawn = rng.normal(0, 1 if ".se." in key else 0.1, shape)
        state[key] = drawn.astype("float32")
    return state


@pytest.fixture(scope="module")
def torch():
    """PyTorch on one thread: TensorFlow has a pool of its own in this process."""
    torch = require("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture(
    scope="module",
    params=[f"{se}resnet{n}" for se in ("", "se_") for n in (18, 34, 50)],
)
def networks(request, torch):
    """Ours and timm's, functions of images that return logits and layer3's output."""
    timm = require("timm")
    theirs = timm.create_model(request.param.replace("se_", "se")).eval()
    state = random_state(theirs)
    theirs.load_state_dict(
        {**theirs.state_dict(), **{k: torch.from_numpy(v) for k, v in state.items()}}
    )
    model = create_model(
        request.param, input_shape=(None, None, 3), classifier_activation=None
    )
    transfer(state, model)
    stage3 = model.get_layer(f"stage3_block{len(theirs.layer3)}_out").output
    ours = keras.Model(model.input, [model.output, stage3])

    def run_ours(images):
        return [to_numpy(y) for y in ours(images, training=False)]

    def run_theirs(images):
        images = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
        with torch.no_grad():
            features, (stage3,) = theirs.forward_intermediates(images, indices=[3])
            logits = theirs.forward_head(features)
        return logits.numpy(), np.moveaxis(stage3.numpy(), 1, -1)

    return run_ours, run_theirs


def images(height, width):
    """A pale and a bright image of colored tiles under noise, in float32."""
    rng = np.random.default_rng(0)
    tiles = rng.normal(0, 1, (2, 2, 3, 3))
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
    noise = rng.normal(0, 0.5, (2, height, width, 3))
    contrast = np.reshape([1, 4], (2, 1, 1, 1))
    return (contrast * (tiles[:, rows][:, :, columns] + noise)).astype("float32")


@pytest.mark.parametrize(("height", "width"), [(224, 224), (193, 257)])
def test_network_is_that_of_timm(networks, height, width):
    ours, theirs = (run(images(height, width)) for run in networks)
    for actual, expected in zip(ours, theirs, strict=True):
        # Else the weights would hide the images, and with them an error.
        assert relative_error(expected[0], expected[1]) > 0.5
        assert relative_error(actual, expected) < 2e-5

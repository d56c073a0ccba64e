"""The networks other than ResNet, compared with those of other packages."""

import re
from collections import OrderedDict

import numpy as np
import pytest

from se_keras import create_model
from tests.helpers import relative_error, require, to_numpy

pytestmark = pytest.mark.parity

SHAPES = {"cifar": (32, 32, 3), "imagenet": (224, 224, 3)}

# From a module of pytorchcv to our layer.
STAGES = [
    (r"^features\.stage(\d)\.unit(\d+)\.", r"stage\1_block\2_"),
    (r"^features\.init_block\.?(conv|bn)?$", lambda m: f"stem_{m[1] or 'conv'}"),
    (r"^output$", "predictions"),
]
PREACT = [
    *STAGES,
    (r"body\.conv(\d)\.conv", r"conv\1"),
    (r"body\.conv(\d)\.bn", r"preact\1_bn"),
    (r"identity_conv", "shortcut_conv"),
    (r"^features\.post_activ\.bn", "final_bn"),
]
SHUFFLE = [*STAGES, (r"(compress|dw|expand)_", "")]
SHAKE = [
    *STAGES,
    (r"branch(\d)\.conv(\d)\.(conv|bn)", r"branch\1_\3\2"),
    (r"identity_branch\.\d?\.?", "shortcut_"),
]
MODULES = {
    "1": ["3a", "3b"],
    "2": ["3c", "4a", "4b", "4c", "4d"],
    "3": ["4e", "5a", "5b"],
}


def inception_branch(match):
    name = MODULES[match[1]][int(match[2]) - 1]
    branch, conv = int(match[3]), match[4] or ""
    if name in ("3c", "4e"):
        branch += 1
    branch = {
        1: "1x1",
        2: {"conv1": "3x3_reduce", "conv2": "3x3"}.get(conv),
        3: {"conv1": "double3x3_reduce", "conv2": "double3x3a"}.get(conv, "double3x3b"),
        4: "pool_proj",
    }[branch]
    return f"inception_{name}_{branch}_{match[5]}"


INCEPTION = [
    (
        r"^features\.stage(\d)\.unit(\d)\.branches\.branch(\d)\.(?:(conv\d?)\.)?(conv|bn)$",
        inception_branch,
    ),
    (r"^features\.init_block\.conv1\.(conv|bn)", r"stem_1_\1"),
    (
        r"^features\.init_block\.conv2\.conv(\d)\.(conv|bn)",
        lambda m: f"stem_{int(m[1]) + 1}_{m[2]}",
    ),
    (r"^output$", "predictions"),
]


def vgg_layer(match):
    """The modules of a stage are convolution, batch norm, ReLU; then a pool."""
    index, stage = int(match[1]), 1
    for depth in (2, 2, 3, 3, 3):
        if index < 3 * depth:
            break
        index, stage = index - 3 * depth - 1, stage + 1
    return f"stage{stage}_{('conv', 'bn')[index % 3]}{index // 3 + 1}"


VGG = [
    (r"^features\.(\d+)$", vgg_layer),
    (r"^classifier\.([03])$", lambda m: f"fc{int(m[1]) // 3 + 1}"),
    (r"^classifier\.6$", "predictions"),
]


def pytorchcv(module, function, **arguments):
    models = require(f"pytorchcv.models.{module}")
    return getattr(models, function)(**arguments)


def resnet164(monkeypatch):
    """pytorchcv has the stride in the 3x3; the authors' release in the first 1x1."""
    network = pytorchcv("preresnet_cifar", "preresnet164bn_cifar10")
    for stage in (network.features.stage2, network.features.stage3):
        stage.unit1.body.conv1.conv.stride = (2, 2)
        stage.unit1.body.conv2.conv.stride = (1, 1)
    return network


def bn_inception(monkeypatch):
    """pytorchcv has biases before batch norm in its stem."""
    network = pytorchcv("bninception", "get_bninception", bias=False)
    for block in (
        network.features.init_block.conv2.conv1,
        network.features.init_block.conv2.conv2,
    ):
        block.conv.register_parameter("bias", None)
    return network


def shufflenet(monkeypatch):
    """pytorchcv has the shortcut after the branch, the authors' release before it."""
    torch, models = require("torch"), require("pytorchcv.models.shufflenet")

    class Torch:
        def cat(self, tensors, dim):
            return torch.cat(tensors[::-1], dim)

    monkeypatch.setattr(models, "torch", Torch())
    return models.shufflenet_g3_w1()


def shake_shake(monkeypatch):
    """pytorchcv has ReLUs after the blocks, the author's release before them."""
    nn = require("torch").nn
    network = pytorchcv(
        "shakeshakeresnet_cifar",
        "get_shakeshakeresnet_cifar",
        num_classes=10,
        blocks=26,
        bottleneck=False,
        first_stage_channels=96,
    )
    network.features.init_block.activ = nn.Identity()
    for name, unit in network.features.named_modules():
        if re.fullmatch(r"stage\d\.unit\d", name):
            unit.activ = nn.Identity()
            for branch in (unit.branch1, unit.branch2):
                branch.register_forward_pre_hook(relu)
            if unit.resize_identity:
                unit.identity_branch.register_forward_pre_hook(relu)
    network.features.final_pool.register_forward_pre_hook(relu)
    return network


def shake_even(monkeypatch):
    """Put together here, with the branches of torchvision's ResNeXt blocks."""
    nn, resnet = require("torch").nn, require("torchvision").models.resnet

    class Branch(resnet.Bottleneck):
        def forward(self, x):
            x = self.relu(self.bn1(self.conv1(x)))
            x = self.relu(self.bn2(self.conv2(x)))
            return self.bn3(self.conv3(x))

    class Block(nn.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            self.branch1, self.branch2 = (
                Branch(inputs, width, stride, groups=4) for _ in range(2)
            )
            self.shortcut = nn.Identity()
            if inputs != 4 * width:
                conv = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
                norm = nn.BatchNorm2d(4 * width)
                self.shortcut = nn.Sequential(OrderedDict(conv=conv, bn=norm))

        def forward(self, x):
            mix = (self.branch1(x) + self.branch2(x)) / 2
            return (self.shortcut(x) + mix).relu()

    def stage(inputs, width, stride):
        blocks = [Block(inputs, width, stride)]
        blocks += [Block(4 * width, width, 1) for _ in range(2)]
        return nn.Sequential(
            OrderedDict((f"block{i}", block) for i, block in enumerate(blocks, 1))
        )

    return nn.Sequential(
        OrderedDict(
            stem_conv=nn.Conv2d(3, 64, 3, padding=1, bias=False),
            stem_bn=nn.BatchNorm2d(64),
            stem_relu=nn.ReLU(),
            stage1=stage(64, 64, 1),
            stage2=stage(256, 128, 2),
            stage3=stage(512, 256, 2),
            avg_pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            predictions=nn.Linear(1024, 10),
        )
    )


def relu(module, inputs):
    return tuple(x.relu() for x in inputs)


CASES = {
    "resnet164": (resnet164, PREACT, "cifar"),
    "wrn_16_8": (
        lambda _: pytorchcv(
            "wrn_cifar", "get_wrn_cifar", num_classes=10, blocks=16, width_factor=8
        ),
        PREACT,
        "cifar",
    ),
    "shake_shake_26_2x96d": (shake_shake, SHAKE, "cifar"),
    "shake_even_29_2x4x64d": (shake_even, [(r"\.", "_")], "cifar"),
    "shufflenet": (shufflenet, SHUFFLE, "imagenet"),
    "bn_inception": (bn_inception, INCEPTION, "imagenet"),
    "vgg16": (lambda _: require("torchvision").models.vgg16_bn(), VGG, "imagenet"),
}

VARIABLES = {
    "conv": {"weight": "kernel", "bias": "bias"},
    "bn": {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
    "fc": {"weight": "kernel", "bias": "bias"},
    "predictions": {"weight": "kernel", "bias": "bias"},
}


def our_variable(model, key, rules):
    """Returns the variable of our network for a key of the other's state."""
    name, _, kind = key.rpartition(".")
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    role = re.search(r"(conv|bn|fc|predictions)\d?$", name)[1]
    return getattr(model.get_layer(name), VARIABLES[role][kind])


def transfer(state, model, rules):
    """Gives every variable of our network its value from the other's state."""
    left = {variable.path for variable in model.weights}
    for key, value in state.items():
        variable = our_variable(model, key, rules)
        if key == "classifier.0.weight":
            # The units see a map of 7x7: from its CHW order to HWC.
            value = value.reshape(-1, 512, 7, 7).transpose(0, 2, 3, 1)
            value = value.reshape(len(value), -1)
        # OIHW to HWIO, and (outputs, inputs) to (inputs, outputs).
        value = np.moveaxis(value, (0, 1), (-1, -2)) if value.ndim > 1 else value
        variable.assign(value.reshape(variable.shape))
        left.remove(variable.path)
    assert not left


def random_state(network):
    """Draws all weights and statistics, so that maps neither vanish nor explode."""
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
        elif key.endswith("weight"):
            drawn = rng.uniform(0.5, 1.2, shape)
        else:
            drawn = rng.normal(0, 0.1, shape)
        state[key] = drawn.astype("float32")
    return state


def images(height, width, channels):
    """A pale and a bright image of colored tiles under noise, in float32."""
    rng = np.random.default_rng(0)
    tiles = rng.normal(0, 1, (2, 2, 3, channels))
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
    noise = rng.normal(0, 0.5, (2, height, width, channels))
    contrast = np.reshape([1, 4], (2, 1, 1, 1))
    return (contrast * (tiles[:, rows][:, :, columns] + noise)).astype("float32")


@pytest.mark.parametrize("name", CASES)
def test_network_is_that_of_pytorch(name, monkeypatch):
    create, rules, kind = CASES[name]
    torch = require("torch")
    # TensorFlow has a pool of threads of its own in this process.
    torch.set_num_threads(1)
    theirs = create(monkeypatch).eval()
    state = random_state(theirs)
    theirs.load_state_dict(
        {**theirs.state_dict(), **{k: torch.from_numpy(v) for k, v in state.items()}}
    )
    ours = create_model(
        name,
        classes=1000 if kind == "imagenet" else 10,
        input_shape=SHAPES[kind],
        classifier_activation=None,
    )
    transfer(state, ours, rules)
    x = images(*SHAPES[kind])
    with torch.no_grad():
        expected = theirs(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
    actual = to_numpy(ours(x, training=False))
    # Else the weights would hide the images, and with them an error.
    assert relative_error(expected[0], expected[1]) > 0.3
    assert relative_error(actual, expected) < 1e-4

"""Our networks are those of timm: same weights, same images, same outputs."""

import os

import keras
import numpy as np
import pytest

from se_keras import create_model, weights
from se_keras.models.input_channels import adapt_input_channels
from se_keras.models.registry import lookup
from se_keras.weights import inventory
from se_keras.weights.names import from_timm_name
from tests.helpers import run_large
from tests.parity import timm_networks
from tests.parity.timm_networks import (
    LARGE,
    NETWORKS,
    differences,
    parameters,
    relative,
)
from tests.weights.tools import timm_keys

pytestmark = pytest.mark.parity

# Of the largest value; the measured values are in docs/results/exactness.md.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def timm():
    """timm, with PyTorch on one thread: TensorFlow has a pool of its own."""
    required = os.environ.get("SE_KERAS_REQUIRE_PARITY") == "1"
    if not required:
        pytest.importorskip("timm")
    import timm
    import torch

    torch.set_num_threads(1)
    return timm


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=run_large if parameters(name) > LARGE else ())
        for name in NETWORKS
    ],
)
def test_outputs(name, timm):
    large = parameters(name) > LARGE
    (found,) = timm_networks.differences_of([name]) if large else [differences(name)]
    for difference in found:
        # Else the weights would hide the images, and with them an error.
        assert difference.images > 0.3
        assert difference.logits < TOLERANCE
        assert difference.features < TOLERANCE


def test_the_comparison_sees_an_error(timm):
    """One bias of one gate among fifty layers is enough."""
    theirs = timm_networks.random_network("seresnet50")
    model = timm_networks.our_network("se_resnet50", theirs)
    bias = model.get_layer("stage3_block1_se").fc2.bias
    bias.assign(bias + np.eye(1, bias.shape[0])[0])
    found = timm_networks.compare(timm_networks.with_stage3(model), theirs, 224, 224)
    assert found.logits > 3 * TOLERANCE
    assert found.features > 3 * TOLERANCE


# One of each kind of stem, shortcut, block and pool; timm's legacy ones don't dilate.
@pytest.mark.parametrize(
    ("name", "output_stride"),
    [
        (name, stride)
        for name in (
            "se_resnet34",
            "se_resnet50",
            "se_resnext26t_32x4d",
            "se_resnetaa50d",
            "resnetrs50",
        )
        for stride in (8, 16, 32)
    ]
    + [("se_resnet18_caffe", 32), ("se_resnet50_caffe", 32)]
    + [pytest.param("senet154", stride, marks=run_large) for stride in (8, 16, 32)],
)
def test_features(name, output_stride, timm):
    import torch

    timm_name = weights.to_timm_name(name)
    whole = timm_networks.random_network(timm_name)
    stride = {} if output_stride == 32 else {"output_stride": output_stride}
    theirs = timm.create_model(
        timm_name, features_only=True, out_indices=(1, 2, 3, 4), **stride
    ).eval()
    assert not theirs.load_state_dict(whole.state_dict(), strict=False).missing_keys
    ours = timm_networks.our_network(
        name, whole, include_top=False, pyramid=True, output_stride=output_stride
    )
    for height, width in ((96, 128),) if "aa" in name else ((96, 128), (97, 131)):
        images = timm_networks.images(height, width)
        maps = ours(images, training=False)
        assert list(maps) == ["P2", "P3", "P4", "P5"]
        with torch.no_grad():
            expected = theirs(timm_networks.to_torch(images))
        for level, their_map in zip(maps, expected, strict=True):
            their_map = timm_networks.from_torch(their_map)
            assert relative(their_map[0], their_map[1]) > 0.3
            our_map = keras.ops.convert_to_numpy(maps[level])
            assert relative(our_map, their_map) < TOLERANCE


def test_keys_and_shapes_of_every_network(timm):
    """All of timm's networks that have ours, also the large ones."""
    import torch

    compared = 0
    for name, network in inventory.networks().items():
        try:
            timm_name = weights.to_timm_name(name)
        except ValueError:
            continue
        if not timm.is_model(timm_name):
            assert not name.startswith(("se", "resnetrs"))
            continue
        with torch.device("meta"):
            state = timm.create_model(timm_name).state_dict()
        keys = timm_keys(name)
        modules = keys.modules(network.structure)
        ours = {
            keys.key(slot, modules): keys.file_shape(slot) for slot in network.slots
        }
        theirs = {
            key: tuple(tensor.shape)
            for key, tensor in state.items()
            if not keys.is_counter(key)
        }
        assert set(ours) == set(theirs), name
        for key, shape in ours.items():
            assert theirs[key][: len(shape)] == shape, (name, key)
        compared += 1
    assert compared >= 49


def test_every_se_network_of_timm_is_here_or_is_of_another_family(timm):
    """Those that are left: 33 and 26 layers of the Byob networks."""
    names = timm.list_models(["seres*", "senet*", "legacy_se*", "resnetrs*"])
    missing = set()
    for timm_name in names:
        try:
            lookup(from_timm_name(timm_name))
        except ValueError:
            missing.add(timm_name)
    assert missing == {"seresnet33ts", "seresnext26ts"}


def test_gates_of_another_kind(timm):
    """timm's ECA-ResNets are ours with another gate."""
    theirs = timm_networks.random_network("ecaresnet50t")
    ours = timm_networks.our_network("resnet50t", theirs, attention="eca")
    ours = timm_networks.with_stage3(ours)
    found = timm_networks.compare(ours, theirs, 224, 224)
    assert found.images > 0.3
    assert found.logits < TOLERANCE


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 13])
def test_first_convolution_for_other_images(channels, timm):
    import torch
    from timm.models._manipulate import adapt_input_conv

    torch.manual_seed(0)
    kernel = torch.randn(8, 3, 7, 7)
    expected = adapt_input_conv(channels, kernel.clone()).numpy()
    ours = adapt_input_channels(kernel.numpy().transpose(2, 3, 1, 0), channels)
    # One channel is a sum of three, in any order.
    np.testing.assert_allclose(
        ours.transpose(3, 2, 0, 1), expected, rtol=0, atol=5e-7 if channels == 1 else 0
    )


@pytest.mark.parametrize("channels", [1, 5])
def test_network_for_other_images(channels, timm):
    """Through timm's own adaptation of pretrained weights."""
    import torch

    color = timm_networks.random_network("seresnet18")
    theirs = timm.create_model(
        "seresnet18",
        pretrained=True,
        in_chans=channels,
        pretrained_cfg_overlay={"state_dict": dict(color.state_dict())},
    ).eval()
    model = create_model(
        "se_resnet18", input_shape=(64, 64, channels), classifier_activation=None
    )
    weights.load(model, color.state_dict())
    images = np.random.default_rng(0).normal(size=(2, 64, 64, channels))
    images = images.astype("float32")
    with torch.no_grad():
        expected = theirs(timm_networks.to_torch(images)).numpy()
    actual = keras.ops.convert_to_numpy(model(images, training=False))
    assert relative(actual, expected) < TOLERANCE


@pytest.mark.parametrize(
    ("timm_name", "name"),
    [
        ("seresnext26t_32x4d", "se_resnext26t_32x4d"),
        ("legacy_seresnet18", "se_resnet18_caffe"),
    ],
)
def test_every_kind_of_file_gives_the_same(timm_name, name, timm, tmp_path):
    import safetensors.torch
    import torch

    theirs = timm_networks.random_network(timm_name)
    state = theirs.state_dict()
    paths = [tmp_path / f"{i}.pth" for i in range(5)] + [tmp_path / "m.safetensors"]
    torch.save(state, paths[0])
    torch.save(state, paths[1], _use_new_zipfile_serialization=False)
    torch.save({"epoch": 1, "state_dict": state}, paths[2])
    torch.save(
        {k: torch.nn.Parameter(v.clone(), False) for k, v in state.items()}, paths[3]
    )
    # As torchvision's script keeps averages, next to weights that are not wanted.
    average = torch.optim.swa_utils.AveragedModel(theirs, use_buffers=True)
    others = {k: v + 1 for k, v in state.items()}
    torch.save({"model": others, "model_ema": average.state_dict()}, paths[4])
    safetensors.torch.save_file(state, paths[5])
    model = create_model(name, input_shape=(32, 32, 3))
    weights.load(model, state)
    expected = model.get_weights()
    for path in paths:
        model.set_weights([np.zeros_like(array) for array in expected])
        weights.load(model, path)
        for actual, wanted in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_files(dtype, timm, tmp_path):
    import safetensors.torch
    import torch

    state = timm.create_model("seresnet18").to(getattr(torch, dtype)).state_dict()
    torch.save(state, tmp_path / "m.pth")
    safetensors.torch.save_file(state, tmp_path / "m.safetensors")
    model = create_model("se_resnet18", input_shape=(32, 32, 3))
    wanted = state["layer1.0.conv1.weight"].float().numpy().transpose(2, 3, 1, 0)
    kernel = model.get_layer("stage1_block1_conv1").kernel
    for source in (state, tmp_path / "m.pth", tmp_path / "m.safetensors"):
        kernel.assign(np.zeros(kernel.shape))
        weights.load(model, source)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(kernel), wanted)


def test_a_whole_model_in_a_pickle_is_refused(timm, tmp_path):
    import torch

    torch.save(timm.create_model("seresnet18"), tmp_path / "m.pth")
    with pytest.raises(
        ValueError, match=r"timm\.models\.resnet\.ResNet`, which is code"
    ):
        weights.info(tmp_path / "m.pth")


def test_the_table_of_published_weights(timm):
    """Sizes, crops and licenses are timm's, and none of its weights is left out."""
    from timm.models import get_pretrained_cfg

    names = timm.list_pretrained(["seres*", "senet*", "legacy_se*", "resnetrs*"])
    names = [n for n in names if not n.startswith(("seresnet33ts", "seresnext26ts"))]
    assert {f"timm/{name}" for name in names} == set(weights.PUBLISHED)
    for name in names:
        theirs, ours = get_pretrained_cfg(name), weights.PUBLISHED[f"timm/{name}"]
        record = ours.preprocessing
        assert record.size == theirs.input_size[1:]
        assert record.crop == theirs.crop_pct
        assert record.interpolation == theirs.interpolation
        assert (record.mean, record.std) == (theirs.mean, theirs.std)
        test_size = theirs.test_input_size
        assert ours.test_size == (test_size and test_size[1:])
        assert ours.test_crop == theirs.test_crop_pct
        assert ours.classes == theirs.num_classes
        assert ours.license == theirs.license
        assert theirs.origin_url in (None, ours.origin)
        assert ours.file == (None if theirs.hf_hub_id else theirs.url)
        assert theirs.hf_hub_id in (None, "timm/", f"timm/{name}")

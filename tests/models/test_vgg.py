"""VGG with batch norm, and SE after each ReLU."""

import keras
import numpy as np
import pytest

from se_keras import create_model
from tests.helpers import relative_error
from tests.models.tools import images, outputs

CONVS = [(s, i) for s, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]
SMALL = {"input_shape": (32, 64, 3), "classes": 5}


def test_se_follows_each_relu():
    model = create_model("se_vgg16", include_top=False, input_shape=(32, 32, 3))
    gates = [x for x in model.layers if x.name.endswith("_se")]
    assert [x.name for x in gates] == [f"stage{s}_conv{i}_se" for s, i in CONVS]
    for gate, (stage, i) in zip(gates, CONVS, strict=True):
        assert gate.input is model.get_layer(f"stage{stage}_relu{i}").output
        assert gate.fc1.units == gate.input.shape[-1] // 16
    for stage, i in CONVS:
        after = f"conv{i + 1}" if (stage, i + 1) in CONVS else "pool"
        gate = model.get_layer(f"stage{stage}_conv{i}_se")
        assert model.get_layer(f"stage{stage}_{after}").input is gate.output


def test_head():
    model = create_model("vgg16", **SMALL)
    names = [x.name for x in model.layers]
    assert names[names.index("flatten") :] == [
        *("flatten", "fc1", "fc1_relu", "fc1_dropout", "fc2", "fc2_relu"),
        *("dropout", "predictions"),
    ]
    assert model.get_layer("flatten").output.shape == (None, 2 * 512)
    for name in ("fc1_dropout", "dropout"):
        assert model.get_layer(name).rate == 0.5


def test_head_computes_in_mixed_precision_up_to_the_classifier():
    model = create_model("vgg16", dtype="mixed_bfloat16", **SMALL)
    assert model.get_layer("fc2").compute_dtype == "bfloat16"
    assert model.get_layer("predictions").compute_dtype == "float32"


def test_head_has_the_same_weights_in_both_layouts():
    last = create_model("vgg16", **SMALL)
    first = create_model(
        "vgg16", input_shape=(3, 32, 64), classes=5, data_format="channels_first"
    )
    first.set_weights(last.get_weights())
    x = images(2, 32, 64, 3)
    expected = outputs(last, x, "fc1")
    actual = outputs(first, np.moveaxis(x, -1, 1), "fc1")
    assert relative_error(actual, expected) < 1e-4


def test_unknown_size_needs_no_top():
    arguments = {"input_shape": (None, None, 3)}
    model = create_model("vgg16", include_top=False, pooling="avg", **arguments)
    assert model.output_shape == (None, 512)
    with pytest.raises(ValueError, match=r"include_top=True.*known height.*Received: "):
        create_model("vgg16", **arguments)


def test_stages():
    backbone = {"include_top": False, "input_shape": (32, 32, 3)}
    model = create_model("vgg16", attention="eca", stages=(1, 4), **backbone)
    assert [x.name for x in model.layers if x.name.endswith("_se")] == [
        f"stage{s}_conv{i}_se" for s, i in CONVS if s in (1, 4)
    ]
    with pytest.raises(ValueError, match=r"\[1, 2, 3, 4, 5\].*Received: stages=\(6,\)"):
        create_model("vgg16", attention="eca", stages=(6,), **backbone)


def test_convolutions_have_biases_as_in_torchvision():
    model = create_model("vgg16", include_top=False, input_shape=(32, 32, 3))
    convs = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convs) == 13
    assert all(conv.use_bias for conv in convs)

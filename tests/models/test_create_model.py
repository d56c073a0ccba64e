"""The arguments of `create_model` and of the constructors."""

import functools
import inspect

import keras
import numpy as np
import pytest

from se_keras import SqueezeExcite, create_model, layers, list_models, models
from se_keras.models.registry import lookup
from tests.helpers import relative_error, to_numpy
from tests.models.tools import SHAPE, images, outputs, randomize

SMALL = {"input_shape": SHAPE, "classes": 5}


def gates(model):
    return [layer for layer in model.layers if layer.name.endswith("_se")]


@pytest.mark.parametrize(
    ("pooling", "data_format", "shape"),
    [
        (None, "channels_last", (None, 2, 3, 512)),
        ("avg", "channels_last", (None, 512)),
        ("max", "channels_last", (None, 512)),
        (None, "channels_first", (None, 512, 2, 3)),
        ("avg", "channels_first", (None, 512)),
        ("max", "channels_first", (None, 512)),
    ],
)
def test_shapes_without_top(pooling, data_format, shape):
    size = (64, 96, 3) if data_format == "channels_last" else (3, 64, 96)
    arguments = {"input_shape": size, "pooling": pooling, "data_format": data_format}
    model = create_model("se_resnet18", include_top=False, **arguments)
    assert model.input_shape == (None, *size)
    assert model.output_shape == shape
    assert model.preprocessing.size == (64, 96)
    assert model.preprocessing.channels == 3


@pytest.mark.parametrize(("pooling", "pooled"), [("avg", np.mean), ("max", np.max)])
def test_pooling_is_over_all_positions(pooling, pooled):
    x = images(2, *SHAPE)
    backbone = {"include_top": False, "input_shape": SHAPE}
    model = randomize(create_model("se_resnet20", **backbone))
    expected = pooled(outputs(model, x), axis=(1, 2))
    model = randomize(create_model("se_resnet20", pooling=pooling, **backbone))
    assert relative_error(outputs(model, x), expected) < 1e-5


@pytest.mark.parametrize(
    ("name", "data_format", "shape"),
    [
        ("se_resnet18", "channels_last", (None, 224, 224, 3)),
        ("se_resnet18", "channels_first", (None, 3, 224, 224)),
        ("se_resnet20", "channels_last", (None, 32, 32, 3)),
        ("se_resnet20", "channels_first", (None, 3, 32, 32)),
    ],
)
def test_default_input(name, data_format, shape):
    keras.config.set_image_data_format(data_format)
    model = create_model(name)
    assert model.input_shape == shape
    assert model.output_shape == (None, 1000)
    assert model.name == name


def test_input_of_any_size():
    model = create_model("se_resnet20", classes=5, input_shape=(None, None, 3))
    assert model.preprocessing.size == (32, 32)
    for height, width in ((32, 32), (27, 50)):
        assert outputs(model, images(2, height, width, 3)).shape == (2, 5)
    backbone = create_model(
        "se_resnet20", include_top=False, input_shape=(None, None, 3)
    )
    assert backbone.output_shape == (None, None, None, 64)


def test_grey_input():
    model = create_model("se_resnet20", classes=5, input_shape=(28, 30, 1))
    record = model.preprocessing
    assert record.size == (28, 30)
    assert record.mean == pytest.approx(((0.4914 + 0.4822 + 0.4465) / 3,), abs=1e-4)
    assert record.std == pytest.approx(((0.2470 + 0.2435 + 0.2616) / 3,), abs=1e-4)
    assert outputs(model, images(2, 28, 30, 1)).shape == (2, 5)


def test_input_tensor():
    pixels = keras.Input(SHAPE)
    scaled = keras.layers.Rescaling(1 / 64, offset=-1)(pixels)
    model = randomize(create_model("se_resnet20", input_tensor=scaled, classes=5))
    assert model.inputs[0] is pixels
    assert model.preprocessing.size == SHAPE[:2]
    x = images(2, *SHAPE)
    expected = outputs(randomize(create_model("se_resnet20", **SMALL)), x / 64 - 1)
    assert relative_error(outputs(model, x), expected) < 1e-5


def test_images_of_the_input_and_not_of_the_tensor(tmp_path):
    gray = keras.Input((48, 40, 1))
    x = keras.layers.Resizing(*SHAPE[:2])(keras.layers.Conv2D(3, 1)(gray))
    model = create_model("se_resnet20", input_tensor=x, classes=5)
    assert model.preprocessing.size == (48, 40)
    assert model.preprocessing.channels == 1
    create_model("se_resnet20", **SMALL).save(tmp_path / "m.keras")
    loaded = create_model(
        "se_resnet20", input_tensor=x, classes=5, weights=tmp_path / "m.keras"
    )
    assert loaded.preprocessing == model.preprocessing


def test_preprocessing_of_weights_behind_layers_without_them(tmp_path):
    """Augmentation has a layout too, that of Keras's settings, and does not count."""
    create_model("se_resnet20", **SMALL).save(tmp_path / "m.keras")
    image = keras.Input((32, 40, 3))
    x = keras.layers.RandomFlip(data_format="channels_first")(image)
    settings = {"input_tensor": x, "classes": 5, "data_format": "channels_last"}
    model = create_model("se_resnet20", weights=tmp_path / "m.keras", **settings)
    assert model.preprocessing.size == (32, 40)
    assert model.preprocessing.channels == 3


def test_input_tensor_is_the_input_and_not_a_list_of_it():
    pixels = keras.Input(SHAPE)
    assert create_model("se_resnet20", input_tensor=pixels).input is pixels


def test_classifier_activation():
    x = images(2, *SHAPE)
    probabilities = outputs(randomize(create_model("se_resnet20", **SMALL)), x)
    model = create_model("se_resnet20", classifier_activation=None, **SMALL)
    logits = outputs(randomize(model), x)
    assert relative_error(to_numpy(keras.ops.softmax(logits)), probabilities) < 1e-5
    assert np.abs(logits.sum(axis=-1) - 1).max() > 0.1


def test_name():
    assert create_model("se_resnet20", name="mine").name == "mine"


@pytest.mark.parametrize("by", ["argument", "global policy"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_ends_in_float32(policy, by):
    if by == "argument":
        model = create_model("se_resnet20", dtype=policy, **SMALL)
        assert keras.config.dtype_policy().name == "float32"
    else:
        keras.config.set_dtype_policy(policy)
        model = create_model("se_resnet20", **SMALL)
        assert keras.config.dtype_policy().name == policy
    *hidden, classifier = [x for x in model.layers if x.name != "image"]
    assert {x.compute_dtype for x in hidden} == {policy.removeprefix("mixed_")}
    assert classifier.name == "predictions"
    assert classifier.compute_dtype == model.output.dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}


@pytest.mark.parametrize(
    ("attention", "layer"),
    [
        ("default", SqueezeExcite),
        ("se", SqueezeExcite),
        ("spatial_se", layers.SpatialSqueezeExcite),
        ("scse", layers.ConcurrentSqueezeExcite),
        ("ese", layers.EffectiveSqueezeExcite),
        ("eca", layers.EfficientChannelAttention),
        (layers.EffectiveSqueezeExcite(), layers.EffectiveSqueezeExcite),
        (lambda x, name: SqueezeExcite(hidden_channels=3, name=name)(x), SqueezeExcite),
        (functools.partial(SqueezeExcite, ratio=8), SqueezeExcite),
        (None, None),
    ],
)
def test_attention(attention, layer):
    model = create_model("se_resnet20", attention=attention, **SMALL)
    assert [type(gate) for gate in gates(model)] == [layer] * 9 * (layer is not None)
    assert outputs(model, images(2, *SHAPE)).shape == (2, 5)


def test_attention_in_a_plain_network():
    assert not gates(create_model("resnet20"))
    assert len(gates(create_model("resnet20", attention="se"))) == 9


@pytest.mark.parametrize("attention", ["default", "se", "eca", SqueezeExcite()])
def test_attention_takes_layout_and_precision_of_the_network(attention):
    settings = {"data_format": "channels_first", "dtype": "mixed_bfloat16"}
    model = create_model("se_resnet20", attention=attention, **settings)
    for gate in gates(model):
        assert gate.data_format == "channels_first"
        assert gate.dtype_policy.name == "mixed_bfloat16"


def test_every_place_has_its_own_copy_of_a_layer():
    prototype = SqueezeExcite(ratio=8, squeeze="max", kernel_initializer="ones")
    model = create_model("resnet20", attention=prototype, **SMALL)
    copies = gates(model)
    assert len({id(weight) for gate in copies for weight in gate.weights}) == 9 * 4
    own = {"name", "dtype"}
    for gate in copies:
        assert gate is not prototype
        settings, expected = gate.get_config(), prototype.get_config()
        assert all(settings[key] == expected[key] for key in expected if key not in own)
    assert not prototype.built
    assert copies[0].fc1.kernel.shape == (16, 2)


def test_attention_callable_gets_the_place_and_returns_the_branch():
    names = []

    def attention(x, name):
        names.append(name)
        return keras.layers.Rescaling(0.0, name=name)(x)

    model = create_model("resnet20", attention=attention, **SMALL)
    assert names == [
        f"stage{stage}_block{block}_se" for stage in (1, 2, 3) for block in (1, 2, 3)
    ]
    # Without the branches, a block of stage 1 is its shortcut.
    x = images(2, *SHAPE)
    np.testing.assert_array_equal(
        outputs(model, x, "stage1_block3_out"), outputs(model, x, "stem_relu")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "sse"}, "`attention`.*Received: attention='sse'"),
        ({"attention": 16}, "`attention`.*Received: attention=16"),
        ({"pooling": "mean"}, "`pooling`.*Received: 'mean'"),
        ({"classes": 0}, "`classes`.*Received: classes=0"),
        ({"data_format": "NHWC"}, "`data_format`.*Received: data_format='NHWC'"),
        ({"input_shape": (32, 32)}, r"`input_shape`.*Received: .*\(32, 32\)"),
        ({"input_shape": (32, 32, None)}, "`input_shape`.*Received: "),
        ({"input_shape": (0, 32, 3)}, "`input_shape`.*Received: "),
        ({"input_shape": (32.0, 32, 3)}, "`input_shape`.*Received: "),
        (
            {"input_shape": (None, 32, 32), "data_format": "channels_first"},
            r"`input_shape` must be \(channels, height, width\).*Received: ",
        ),
        ({"input_tensor": np.zeros((1, 32, 32, 3))}, "`input_tensor`.*ndarray"),
        (
            {"input_tensor": keras.Input((32, 32, 3)), "input_shape": (32, 32, 1)},
            r"must agree.*Received: .*\(32, 32, 3\).*input_shape=\(32, 32, 1\)",
        ),
        (
            {"weights": "imagenet"},
            "weights 'imagenet' are for .*Received: weights='imagenet'",
        ),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model("se_resnet20", **arguments)


@pytest.mark.parametrize("name", list_models())
def test_constructor(name):
    constructor = lookup(name).constructor
    assert constructor in models.__all__
    create = getattr(models, constructor)
    assert create.__name__ == create.__qualname__ == constructor
    assert create.__module__ == "se_keras.models"
    assert f"`{name}`" in create.__doc__


def test_constructor_creates_its_network():
    assert models.SEResNet20().name == "se_resnet20"
    model = models.ResNet20(False, input_shape=SHAPE, pooling="avg", attention="eca")
    assert model.name == "resnet20"
    assert model.output_shape == (None, 64)
    assert {type(gate) for gate in gates(model)} == {layers.EfficientChannelAttention}


def test_constructors_take_the_arguments_of_keras_applications():
    ours = list(inspect.signature(models.SEResNet50).parameters)
    theirs = list(inspect.signature(keras.applications.ResNet50).parameters)
    assert ours[: len(theirs)] == theirs
    more = (
        "attention ratio squeeze gate_activation placement stages pyramid output_stride"
    )
    last = ["drop_path", "data_format", "dtype"]
    assert ours[len(theirs) :] == [*more.split(), *last]


@pytest.mark.parametrize(
    "create", [models.SEResNet20, lambda **kwargs: create_model("resnet20", **kwargs)]
)
def test_misspelt_argument(create):
    with pytest.raises(TypeError, match="num_classes"):
        create(num_classes=10)


@pytest.mark.parametrize("stages", [(), "2", 2, (1, 9), (0,), (True,), (1.0,), ("1",)])
def test_stages_that_are_not_there(stages):
    with pytest.raises(ValueError, match=r"`stages` must be .*Received: stages="):
        create_model("se_resnet20", stages=stages, **SMALL)


@pytest.mark.parametrize("stages", [[1, 3], {1, 3}, (3, 1), range(1, 4, 2)])
def test_stages(stages):
    model = create_model("se_resnet20", stages=stages, **SMALL)
    gates = [layer.name for layer in model.layers if layer.name.endswith("_se")]
    assert {name.split("_")[0] for name in gates} == {"stage1", "stage3"}


@pytest.mark.parametrize(
    ("name", "output_stride", "message"),
    [
        ("se_resnet20", 8, "'se_resnet20' has one output stride"),
        ("se_resnet18", 4, r"one of \(8, 16, 32\)"),
        ("se_resnet18", "8", "Received: output_stride='8'"),
    ],
)
def test_bad_output_stride(name, output_stride, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, output_stride=output_stride, **SMALL)

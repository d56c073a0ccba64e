"""Networks of one's own: specs, names for them, and layers of one's own in them."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

from se_keras import create_model, layers, list_models, models
from se_keras.models import (
    ApplicationSpec,
    BNInceptionSpec,
    PreActResNetSpec,
    ResNetSpec,
    ShakeShakeSpec,
    ShuffleNetSpec,
    Stem,
    VGGSpec,
    register,
)
from tests.helpers import own_networks
from tests.models.tools import images, outputs

TINY = ResNetSpec(block="basic", depths=(1, 1), widths=(8, 16), stem=Stem((8,), 3))
SMALL = {"input_shape": (32, 32, 3), "classes": 5}


@pytest.fixture(autouse=True)
def _leave_the_registry_as_it_was():
    before = list_models()
    with own_networks():
        yield
    assert list_models() == before


def gates(model):
    return [layer for layer in model.layers if isinstance(layer, layers.Gate)]


@pytest.mark.parametrize(
    "spec",
    [
        TINY,
        ResNetSpec(depths=(1, 1, 1, 1), widths=(8, 8, 8, 8)),
        PreActResNetSpec(depths=(1, 1), widths=(4, 8)),
        ShakeShakeSpec(depths=(1, 1), width=4),
        ShuffleNetSpec(depths=(1, 1), widths=(48, 96)),
        VGGSpec(depths=(1, 1, 1), widths=(4, 4, 8), hidden=(8,)),
        BNInceptionSpec(stem=(4, 4, 8)),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_a_network_of_ones_own(spec, tmp_path):
    model = create_model(spec, **SMALL)
    assert gates(model)
    x = images(2, 32, 32, 3)
    expected = outputs(model, x)
    assert expected.shape == (2, 5)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_array_equal(outputs(loaded, x), expected)
    assert loaded.structure == model.structure
    assert not gates(create_model(dataclasses.replace(spec, attention=None), **SMALL))


def test_a_spec_says_which_attention():
    spec = dataclasses.replace(TINY, attention="eca")
    (gate, _) = gates(create_model(spec, **SMALL))
    assert type(gate) is layers.EfficientChannelAttention
    (gate, _) = gates(create_model(spec, attention="se", ratio=2, **SMALL))
    assert gate.ratio == 2
    spec = dataclasses.replace(TINY, attention=layers.SqueezeExcite(ratio=4))
    assert gates(create_model(spec, **SMALL))[0].ratio == 4


def test_register_gives_names_and_constructors():
    register("se_tiny", TINY)
    assert {"se_tiny", "tiny"} < set(list_models())
    assert len(gates(create_model("se_tiny", **SMALL))) == 2
    plain = models.Tiny(**SMALL)
    assert plain.name == "tiny"
    assert not gates(plain)
    assert "`se_tiny`" in models.SETiny.__doc__
    assert {"SETiny", "Tiny"} < set(dir(models))


def test_names_without_the_prefix_have_a_plain_twin():
    register("my_net", TINY)
    assert models.MyNetPlain(**SMALL).name == "my_net_plain"
    register("only_plain", dataclasses.replace(TINY, attention=None))
    assert "only_plain_plain" not in list_models()


def test_a_cell_may_run_again():
    register("se_tiny", TINY)
    register("se_tiny", dataclasses.replace(TINY, depths=(1, 2)))
    assert len(gates(models.SETiny(**SMALL))) == 3
    register("se_tiny", dataclasses.replace(TINY, attention=None))
    assert "tiny" not in list_models()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("se_resnet50", TINY), r"a network 'se_resnet50'.*name='se_resnet50'"),
        (("senet154_plain", TINY), r"'senet154_plain'"),
        (("mine", TINY, "SEResNet50"), r"\(SEResNet50\)"),
        (("My Net", TINY), "lower-case.*name='My Net'"),
        (("se_", TINY), "name='se_'"),
        (("mine", "se_resnet50"), r"ResNetSpec, .*Received: 'se_resnet50'"),
        (("mine", TINY, "a-b"), "constructor='a-b'"),
    ],
)
def test_names_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        register(*arguments)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (("mine",), ("se_mine",), "'mine'"),
        (("se_mine",), ("mine",), "'mine'"),
        (("x",), ("x_plain",), "'x_plain'"),
        (("a_b",), ("a__b",), "'a_b'"),
        (("one", "Net"), ("two", "Net"), "'one'"),
    ],
)
def test_names_of_another_network_of_ones_own(first, second, named):
    register(first[0], TINY, *first[1:])
    before = list_models()
    with pytest.raises(ValueError, match=f"there is a network {named}"):
        register(second[0], TINY, *second[1:])
    assert list_models() == before


@pytest.mark.parametrize("constructor", ["create_model", "ResNetSpec", "ImageModel"])
def test_constructors_that_are_something_else(constructor):
    with pytest.raises(ValueError, match=f"constructor='{constructor}'"):
        register("mine", TINY, constructor)


def test_the_nearest_constructor():
    register("se_tiny", TINY)
    with pytest.raises(AttributeError, match=r"Did you mean SETiny\b"):
        models.SETinny  # noqa: B018


def test_an_argument_of_a_layer_in_the_spec():
    spec = dataclasses.replace(TINY, attention=layers.SqueezeExcite(4, divisor=2))
    (gate, _) = gates(create_model(spec, ratio=2, **SMALL))
    assert (gate.ratio, gate.divisor) == (2, 2)


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda: Stem((8,), (3, 3)), "`kernel_size` must be a positive integer"),
        (lambda: Stem(8, 3), "`filters` must be a tuple"),
        (lambda: ResNetSpec(attention="eac"), "'eca'.*attention='eac'"),
        (lambda: ResNetSpec(attention=8), "`attention`.*attention=8"),
        (lambda: ResNetSpec(preprocessing=(64, 64)), "`preprocessing`"),
        (lambda: ResNetSpec(block="basic", groups=4), "`groups` is for .*bottleneck"),
        (lambda: ResNetSpec(block="basic", stride_in="1x1"), "`stride_in` is for"),
        (
            lambda: create_model(TINY, include_top=False, pyramid=(2, 3)),
            r"`pyramid`.*\(2, 3\)",
        ),
        (
            lambda: Stem(pool="maxx"),
            r"`pool` must be one of \('max', 'max_ceil', 'avg', 'conv', None\)"
            r".*pool='maxx'",
        ),
        (
            lambda: ResNetSpec(block="botleneck"),
            r"\('basic', 'bottleneck'\).*block='botleneck'",
        ),
        (lambda: ResNetSpec(shortcut="conv"), "'pooled_projection'.*shortcut='conv'"),
        (lambda: ResNetSpec(stride_in="2x2"), "'1x1', '3x3'"),
        (
            lambda: ResNetSpec(widths=(64, 128, 256)),
            r"`widths` must have as many values as `depths`, 4\. .*\(64, 128, 256\)",
        ),
        (lambda: ResNetSpec(depths=(2, 0, 2, 2)), "`depths` .* positive integers"),
        (lambda: ResNetSpec(depths=(2.0, 2, 2, 2)), "`depths` .* positive integers"),
        (lambda: ResNetSpec(stem="max"), "`stem` must be a `Stem`"),
        (lambda: ResNetSpec(dropout=2), "`dropout` .* range 0 to 1"),
        (lambda: ResNetSpec(bn_momentum="0.9"), "`bn_momentum`"),
        (lambda: PreActResNetSpec(widths=(16, 32)), "`widths`.*3"),
        (lambda: ShakeShakeSpec(backward="odd"), r"\('shake', 'even'\)"),
        (lambda: ShuffleNetSpec(widths=(1,)), "`widths`"),
        (lambda: ShuffleNetSpec(widths=(24, 48, 96)), "`widths` must rise from `stem`"),
        (lambda: VGGSpec(depths=(2, 2)), "`widths`"),
        (lambda: BNInceptionSpec(stem=(0, 1, 1)), "`stem`"),
        (lambda: ApplicationSpec(), "`network`"),
        (lambda: create_model(Stem()), "ResNetSpec.*Received: Stem"),
    ],
)
def test_bad_specs(create, message):
    with pytest.raises(ValueError, match=message):
        create()


class Scaled(keras.layers.Layer):
    """A layer of one's own, with arguments that its config has."""

    def __init__(self, factor=2.0, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
        self.data_format = data_format

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        own = {"factor": self.factor, "data_format": self.data_format}
        return {**super().get_config(), **own}


class Forgetful(Scaled):
    """Its config lacks an argument."""

    def __init__(self, reduction=4, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction


class Recorded(keras.layers.Layer):
    """Has no `get_config`: Keras records its arguments."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


class Closed(keras.layers.Layer):
    """Takes no name."""

    def __init__(self, factor=2.0):
        super().__init__()

    def call(self, inputs):
        return inputs


class Wanting(Scaled):
    """Has an argument without a default."""

    def __init__(self, reduction, **kwargs):
        super().__init__(**kwargs)


class Halved(keras.layers.Layer):
    """Changes the shape of its input."""

    def call(self, inputs):
        return inputs[..., ::2]


def attended(attention, **arguments):
    return create_model(TINY, attention=attention, **SMALL, **arguments)


@pytest.mark.parametrize(
    ("attention", "factor"),
    [
        (Scaled(factor=3.0), 3.0),
        (Recorded(factor=3.0), 3.0),
        (Scaled, 2.0),
        (functools.partial(Scaled, factor=5.0), 5.0),
        (lambda x, name: Scaled(7.0, name=name)(x), 7.0),
    ],
)
def test_layers_of_ones_own(attention, factor):
    model = attended(attention)
    copies = [x for x in model.layers if isinstance(x, Scaled | Recorded)]
    assert [layer.name for layer in copies] == ["stage1_block1_se", "stage2_block1_se"]
    assert {layer.factor for layer in copies} == {factor}


def test_arguments_for_a_class():
    model = create_model(TINY, attention=layers.SqueezeExcite, ratio=8, **SMALL)
    assert {gate.ratio for gate in gates(model)} == {8}


@pytest.mark.parametrize(
    ("attention", "arguments", "message"),
    [
        (Forgetful(reduction=8), {}, r"Forgetful\.get_config.*without reduction"),
        (Closed(), {}, r"pass `\*\*kwargs`.*Closed"),
        (Closed, {}, r"attention=Closed\(\.\.\.\)"),
        (Wanting, {}, r"reduction.*attention=Wanting\(\.\.\.\)"),
        (Halved(), {}, r"keep the shape.*\(None, 8, 8, 4\) for \(None, 8, 8, 8\)"),
        (lambda x, name: x[:, ::2], {}, "keep the shape.*'stage1_block1_se'"),
        (Scaled(), {"ratio": 8}, "no argument `ratio`: Scaled does not take it"),
        (
            layers.SqueezeExcite(),
            {"ratio": 8},
            r"attention=SqueezeExcite\(ratio=8\)\. Received: ratio=8",
        ),
        (
            lambda x, name: x,
            {"gate_activation": "tanh"},
            "`gate_activation` with a callable",
        ),
        ("eca", {"ratio": 8}, "takes kernel_size, .*ratio=8 with attention='eca'"),
        (None, {"ratio": 8}, "for a network with attention.*attention=None"),
        (
            Recorded(),
            {"data_format": "channels_first", "input_shape": (3, 32, 32)},
            "an argument `data_format`.*class Recorded",
        ),
    ],
)
def test_attention_that_is_refused(attention, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model(TINY, **{"attention": attention, **SMALL, **arguments})


@pytest.mark.parametrize(
    ("attention", "arguments", "message"),
    [
        (lambda x: x, {}, "take a tensor and a name"),
        (lambda x, name: None, {}, "return a tensor. Received: NoneType"),
        (
            functools.partial(layers.SqueezeExcite, ratio=4),
            {"ratio": 8},
            "`ratio` once",
        ),
        ("SE", {}, "Did you mean 'se'.*attention='SE'"),
    ],
)
def test_attention_that_a_newcomer_gives(attention, arguments, message):
    with pytest.raises(ValueError, match=message):
        attended(attention, **arguments)


def test_a_layer_in_the_place_of_another_argument():
    with pytest.raises(ValueError, match="`include_top` must be True or False"):
        create_model(TINY, layers.SqueezeExcite(), **SMALL)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.DepthwiseConv2D(3, padding="same"),
        keras.layers.Conv2D(8, 1),
        keras.layers.GroupNormalization(2),
    ],
)
def test_layers_of_keras(layer):
    model = create_model(TINY, attention=layer, stages=(1,), **SMALL)
    assert type(model.get_layer("stage1_block1_se")) is type(layer)


class FixedRatio(layers.SqueezeExcite):
    """Fixes an argument of its base class."""

    def __init__(self, **kwargs):
        super().__init__(ratio=2, **kwargs)

    def get_config(self):
        return {k: v for k, v in super().get_config().items() if k != "ratio"}


def test_a_subclass_that_fixes_an_argument():
    assert {gate.ratio for gate in gates(attended(FixedRatio()))} == {2}

"""What networks declare about themselves, and what is recognized without that."""

import json

import keras
import pytest

from se_keras import (
    add_squeeze_excite,
    create_model,
    fold,
    list_models,
    remove_squeeze_excite,
)
from se_keras.models import ImageModel, ResNetSpec, Structure, structure_of
from se_keras.models.outline import outline_of, outlines
from se_keras.models.recognition import known_structure
from se_keras.models.registry import lookup

SHAPE = (64, 64, 3)
# One of each family, with each kind of block and of stem.
NETWORKS = (
    "se_bn_inception",
    "se_mobilenet",
    "se_resnet18_caffe",
    "se_resnet20",
    "se_resnext26t_32x4d",
    "se_shake_shake_26_2x96d",
    "se_shufflenet",
    "se_vgg16",
    "se_wrn_16_8",
)


@pytest.fixture(scope="module", params=NETWORKS)
def model(request):
    return create_model(
        request.param, input_shape=SHAPE, data_format="channels_last", dtype="float32"
    )


def test_every_layer_has_one_part(model):
    structure = model.structure
    declared = [layer for part in structure.parts for layer in part.layers.values()]
    assert len(declared) == len(set(declared))
    own = [x.name for x in model.layers if not isinstance(x, keras.layers.InputLayer)]
    assert sorted(declared) == sorted(own)
    names = [part.name for part in structure.parts]
    assert len(names) == len(set(names))


def test_parts_are_in_order(model):
    structure = model.structure
    stages = [part.stage for part in structure.parts]
    assert stages[-1] is None
    assert stages[:-1] == sorted(stages[:-1])
    assert structure.stages == max(stages[:-1])
    assert structure.head[-1] == "predictions"
    distances = structure.distances()
    assert distances["predictions"] == 0
    order = [distances[layer.name] for layer in model.layers if layer.weights]
    assert order == sorted(order, reverse=True)


def test_places_are_those_of_the_attention_layers(model):
    for place, after in model.structure.places.items():
        assert model.get_layer(place).input is model.get_layer(after).output


def test_levels_are_those_of_the_pyramid(model):
    pyramid = create_model(
        model.name, include_top=False, pyramid=True, input_shape=SHAPE
    )
    for level, layer in model.structure.levels.items():
        assert pyramid.output[level].shape == model.get_layer(layer).output.shape
    assert list(pyramid.output) == list(model.structure.levels)


def test_it_survives_json(model):
    data = json.loads(json.dumps(model.structure.to_dict()))
    assert Structure.from_dict(data) == model.structure


@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "se_mobilenet"])
def test_an_outline_is_what_is_built(name):
    model = create_model(name, input_shape=(*lookup(name).preprocessing.size, 3))
    outline = outline_of(lookup(name))
    assert outline.structure == model.structure
    assert outline.parameters == sum(
        weight.shape.num_elements() for weight in _trained(model)
    )


def _trained(model):
    import tensorflow as tf

    for weight in model.trainable_weights:
        yield tf.zeros(weight.shape)


def test_every_network_of_blocks_has_an_outline():
    without = {name for name in list_models() if outline_of(lookup(name)) is None}
    keras_networks = ("inception_v3", "inception_resnet_v2", "mobilenet")
    assert without == {f"{se}{name}" for name in keras_networks for se in ("", "se_")}


def test_it_survives_changes_of_the_graph(tmp_path):
    model = create_model("se_resnet20", input_shape=SHAPE)
    plain = remove_squeeze_excite(model)
    model.save(tmp_path / "m.keras")
    assert (
        structure_of(keras.models.load_model(tmp_path / "m.keras")) == model.structure
    )
    assert structure_of(add_squeeze_excite(plain)) == model.structure
    for other in (plain, fold(model), fold(plain)):
        assert other.structure == model.structure
        structure = structure_of(other)
        is_input = keras.layers.InputLayer
        own = [x.name for x in other.layers if not isinstance(x, is_input)]
        assert sorted(structure.part_of) == sorted(own)
        assert {*structure.places.values(), *structure.levels.values()} <= set(own)
        assert len(structure.places) == 9
        for layer, part in structure.part_of.items():
            # The layers that replace a gate are in its block.
            if layer.startswith("stage"):
                assert layer.startswith(part.name)


def test_a_gate_that_is_added_has_the_rate_of_its_stage():
    plain = create_model("resnet20", input_shape=SHAPE)
    added = add_squeeze_excite(plain, after=["stage2_block1_add"], attention="eca")
    distances = structure_of(added).distances()
    assert distances["stage2_block1_add_se"] == distances["stage2_block1_add"] == 2


# Networks that differ from another one only in what layers without weights do, or whose
# layers another one has, too.
RECOGNIZED = (
    "resnet18",
    "se_resnet18_caffe",
    "se_resnet20",
    "se_resnet32",
    "se_wrn_16_8",
)


@pytest.mark.parametrize("name", RECOGNIZED)
def test_a_plain_model_of_its_layers_is_recognized(name):
    network = create_model(name, input_shape=SHAPE)
    head = keras.layers.Dense(3, name="own")(network.layers[-2].output)
    model = keras.Model(network.input, head)
    assert known_structure(model) == outlines()[name].structure
    assert structure_of(model).part_of["own"].name == "head"
    outer = keras.Sequential([keras.Input(SHAPE), network])
    assert structure_of(outer) == network.structure


def test_a_larger_network_is_not_taken_for_one_of_the_registry():
    """Without what it declares, its first blocks are those of ResNet-18."""
    spec = ResNetSpec(block="basic", depths=(2, 2, 3, 2), attention=None)
    network = create_model(spec, input_shape=SHAPE)
    assert structure_of(network).stages == 4
    model = keras.Model(network.input, network.output)
    assert structure_of(model) is None
    with pytest.raises(ValueError, match="with layers of none of them"):
        add_squeeze_excite(model)


def test_another_model_is_not():
    image = keras.Input(SHAPE)
    model = keras.Model(image, keras.layers.Conv2D(8, 3, name="stem_conv")(image))
    assert structure_of(model) is None
    assert ImageModel(model.input, model.output).structure is None

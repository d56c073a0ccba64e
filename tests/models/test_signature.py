"""What images a model takes is read from its graph; compared with Keras's outputs."""

import gc

import keras
import numpy as np
import pytest

from se_keras import create_model
from se_keras.models import Preprocessing
from se_keras.models.preprocessing import IMAGENET
from se_keras.models.signature import images_of, returns_logits

SIZE = (16, 16)


@pytest.fixture(scope="module")
def base():
    return create_model(
        "se_resnet20", input_shape=(*SIZE, 3), include_top=False, pooling="avg"
    )


def around(base, *before):
    x = inputs = keras.Input((*SIZE, 3))
    for operation in before:
        x = operation(x)
    return keras.Model(inputs, keras.layers.Dense(2, "softmax")(base(x)))


def flips():
    return keras.Sequential(
        [keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)], name="augment"
    )


def adapted():
    normalization = keras.layers.Normalization(
        mean=[120.0, 110.0, 100.0], variance=[3600.0, 3500.0, 3400.0]
    )
    normalization.build((None, *SIZE, 3))
    return normalization


def caffe(x):
    return keras.applications.resnet50.preprocess_input(x)


def test_a_new_head_takes_the_images_of_its_network(base):
    model = keras.Model(base.input, keras.layers.Dense(2)(base.output))
    assert images_of(model).preprocessing == base.preprocessing
    assert not images_of(model).normalizes


def test_a_new_head_keeps_the_images_of_a_network_that_nobody_holds():
    def build():
        base = create_model("se_resnet20", input_shape=(*SIZE, 3), include_top=False)
        x = keras.layers.GlobalAveragePooling2D()(base.output)
        return keras.Model(base.input, keras.layers.Dense(2)(x)), base.preprocessing

    model, expected = build()
    gc.collect()
    assert images_of(model).preprocessing == expected


@pytest.mark.parametrize(
    "before",
    [
        [],
        [flips()],
        [keras.layers.RandomFlip(), keras.layers.GaussianNoise(1.0)],
    ],
    ids=["nothing", "submodel", "layers"],
)
def test_augmentation_leaves_images_normalized(base, before):
    images = images_of(around(base, *before))
    assert images.preprocessing == base.preprocessing
    assert not images.normalizes


@pytest.mark.parametrize(
    "before",
    [
        ["normalize"],
        [keras.layers.RandomFlip(), "normalize"],
        [flips(), "normalize"],
        [keras.layers.Rescaling(1 / 255)],
        [keras.layers.Rescaling(1 / 127.5, -1.0)],
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.Normalization(mean=0.5, variance=0.1),
        ],
        [adapted()],
        [caffe],
    ],
)
def test_a_model_that_normalizes_takes_pixels(base, before):
    before = [
        base.preprocessing.normalize if each == "normalize" else each for each in before
    ]
    images = images_of(around(base, *before))
    assert images.normalizes
    assert images.preprocessing.is_of_pixels
    assert images.preprocessing.crop == base.preprocessing.crop
    assert images.preprocessing.size == base.preprocessing.size


@pytest.mark.parametrize(
    "before",
    [
        keras.layers.Rescaling(2.0, -1.0),  # of 0..1 to -1..1
        keras.layers.Normalization(mean=0.5, variance=0.06),  # of 0..1, too
        lambda x: keras.ops.square(x),
    ],
)
def test_other_ranges_are_not_guessed(base, before):
    images = images_of(around(base, before))
    assert not images.normalizes


def test_a_model_that_normalizes_is_not_normalized_twice(base):
    model = around(base, base.preprocessing.normalize)
    same = images_of(model, base.preprocessing)
    assert same.normalizes
    assert same.preprocessing.is_of_pixels
    with pytest.raises(ValueError, match="normalizes as the model does"):
        images_of(model, IMAGENET)
    crop = Preprocessing.of_pixels(SIZE, crop=0.5)
    assert images_of(model, crop).preprocessing.crop == 0.5


def test_keras_applications_with_preprocessing_take_pixels():
    model = keras.applications.MobileNetV3Small(
        input_shape=(32, 32, 3), weights=None, classes=2
    )
    images = images_of(model)
    assert images.normalizes
    assert images.preprocessing is None  # its crop is not known


@pytest.mark.parametrize(
    ("layers", "logits"),
    [
        ([keras.layers.Dense(2)], True),
        ([keras.layers.Dense(2, "softmax")], False),
        ([keras.layers.Dense(2, "sigmoid")], False),
        ([keras.layers.Dense(2), keras.layers.Softmax()], False),
        ([keras.layers.Dense(2), keras.layers.Activation("softmax")], False),
        ([keras.layers.Dense(2), keras.layers.Activation("linear")], True),
        ([keras.layers.Dense(2), keras.layers.Dropout(0.1)], True),
        ([keras.layers.Dense(4, "softmax"), keras.layers.Reshape((4,))], False),
        ([keras.layers.GlobalAveragePooling1D()], None),
    ],
)
def test_logits_are_known_from_the_last_activation(layers, logits):
    shape = (3, 4) if logits is None else (4,)
    model = keras.Sequential([keras.Input(shape), *layers])
    assert returns_logits(model) is logits
    nested = keras.Sequential([keras.Input(shape), model])
    assert returns_logits(nested) is logits


def test_pixels_give_what_keras_predicts(base):
    model = around(base, keras.layers.RandomFlip(), base.preprocessing.normalize)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype("float32")
    prepared = images_of(model).preprocessing.normalize(pixels)
    np.testing.assert_array_equal(prepared, pixels)

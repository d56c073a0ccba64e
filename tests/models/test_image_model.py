import keras
import pytest

from se_keras.models import ImageModel, Preprocessing
from se_keras.models.preprocessing import CIFAR

FACTS = [
    (None, None),
    (CIFAR, None),
    (None, ("cat", "dog")),
    (Preprocessing(size=(4, 5), mean=(0.5,), std=(0.5,)), ("cat", "dog")),
]


def image_model(preprocessing, class_names):
    image = keras.Input((4, 5, 1), name="image")
    x = keras.layers.GlobalAveragePooling2D()(image)
    model = ImageModel(image, keras.layers.Dense(2)(x), name="tiny")
    model.preprocessing, model.class_names = preprocessing, class_names
    return model


def assert_same_facts(model, preprocessing, class_names):
    assert type(model) is ImageModel
    assert model.name == "tiny"
    assert model.preprocessing == preprocessing
    assert model.class_names == class_names


@pytest.mark.parametrize(("preprocessing", "class_names"), FACTS)
def test_facts_come_back(preprocessing, class_names, tmp_path):
    model = image_model(preprocessing, class_names)
    assert_same_facts(
        ImageModel.from_config(model.get_config()), preprocessing, class_names
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same_facts(loaded, preprocessing, class_names)


def test_facts_come_back_from_inside_another_model(tmp_path):
    preprocessing, class_names = FACTS[-1]
    model = image_model(preprocessing, class_names)
    outer = keras.Sequential([keras.Input((4, 5, 1)), model, keras.layers.Softmax()])
    outer.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same_facts(loaded.get_layer("tiny"), preprocessing, class_names)


def test_facts_belong_to_one_model():
    image_model(*FACTS[-1])
    assert_same_facts(image_model(*FACTS[0]), None, None)


def test_trains_like_any_model():
    model = image_model(*FACTS[-1])
    model.compile("sgd", "mse")
    x, y = keras.ops.ones((4, 4, 5, 1)), keras.ops.ones((4, 2))
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before

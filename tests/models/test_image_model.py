import subprocess
import sys

import keras
import numpy as np
import pytest

from se_keras.models import ImageModel, Preprocessing
from se_keras.models.preprocessing import CIFAR

FACTS = [
    (None, None),
    (CIFAR.with_input(4, 5, 1), None),
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


@pytest.mark.parametrize(("preprocessing", "class_names"), FACTS)
def test_facts_are_cloned(preprocessing, class_names):
    model = image_model(preprocessing, class_names)
    clone = keras.models.clone_model(model)
    assert_same_facts(clone, preprocessing, class_names)
    assert clone.layers[-1] is not model.layers[-1]


def test_a_call_of_a_model_is_no_clone():
    model = image_model(*FACTS[-1])
    image = keras.Input((4, 5, 1))
    other = ImageModel(image, model(image))
    assert other.preprocessing is None
    assert other.class_names is None


@pytest.mark.parametrize(("preprocessing", "class_names"), FACTS)
def test_facts_come_back_from_h5(preprocessing, class_names, tmp_path):
    model = image_model(preprocessing, class_names)
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5")
    assert_same_facts(loaded, preprocessing, class_names)
    x = keras.random.uniform((2, 4, 5, 1))
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_keras_model_of_it_needs_no_package(tmp_path):
    model = image_model(*FACTS[-1])
    plain = model.to_keras_model()
    assert (plain.preprocessing, plain.class_names) == FACTS[-1]
    path = tmp_path / "model.keras"
    plain.save(path)
    code = (
        "import sys, keras; m = keras.models.load_model(sys.argv[1]); "
        "assert 'se_keras' not in sys.modules; print(m.count_params())"
    )
    # From another directory: a checkout is importable from its root.
    result = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert int(result.stdout) == model.count_params()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("preprocessing", {"size": (4, 5)}, "se_keras.models.Preprocessing"),
        ("preprocessing", "imagenet", "Received: 'imagenet'"),
        ("preprocessing", CIFAR, "with 1 channels"),
        ("class_names", ("cat",), "each of the 2 classes. Received: 1 names"),
        ("class_names", ("cat", "dog", "cow"), "Received: 3 names"),
        ("class_names", "cd", "Received: class_names='cd'"),
        ("class_names", (1, 2), "sequence of strings"),
    ],
)
def test_wrong_facts_are_refused_when_they_are_set(attribute, value, message):
    model = image_model(*FACTS[-1])
    with pytest.raises(ValueError, match=message):
        setattr(model, attribute, value)
    assert_same_facts(model, *FACTS[-1])


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

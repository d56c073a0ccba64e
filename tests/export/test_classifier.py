import json
import zipfile

import keras
import numpy as np
import pytest

from se_keras.errors import UsageError
from se_keras.export import load_classifier, tflite
from se_keras.export.attachment import AfterFile
from se_keras.export.metadata import Metadata
from se_keras.models import ImageModel, Preprocessing

METADATA = [
    Metadata(None, None, False),
    Metadata(("a", "ü"), None, False),
    Metadata(("a", "ü"), Preprocessing((3, 4), mean=(0.5,), std=(0.25,)), True),
]


@pytest.mark.parametrize("metadata", METADATA)
def test_metadata_comes_back_from_json(metadata):
    text = metadata.to_json()
    assert Metadata.from_json(text) == metadata
    assert json.loads(text)["normalizes"] == metadata.normalizes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.keras", None, "there is no file"),
        ("model.keras", "text", "cannot be read"),
        ("model.tflite", "text", "a complete model"),
        ("model.tflite", "", "a complete model"),
        (
            "model.pb",
            "text",
            r"a .keras file or an export \(saved_model directory, \.tf",
        ),
        ("directory", "a directory", r"a .keras file or an export"),
    ],
)
def test_file_that_is_not_a_model(name, content, message, tmp_path):
    path = tmp_path / name
    if name == "directory":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=message) as error:
        load_classifier(path)
    assert f"Received: {str(path)!r}" in str(error.value)


def loss(labels, scores):
    return scores - labels


def test_a_loss_that_keras_does_not_know_is_ignored(tmp_path):
    image = keras.Input((4, 4, 1))
    model = ImageModel(image, keras.layers.Flatten()(image))
    model.preprocessing = Preprocessing((4, 4), 1.0, mean=(0.0,), std=(1.0,))
    model.compile(loss=loss)
    model.save(tmp_path / "model.keras")
    pixels = np.arange(16.0).reshape(1, 4, 4, 1)
    scores = load_classifier(tmp_path / "model.keras").predict(pixels)
    np.testing.assert_allclose(scores[0], np.arange(16) / 255, rtol=1e-6)


def test_model_without_preprocessing(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    model.save(tmp_path / "model.keras")
    with pytest.raises(UsageError, match="which images it expects"):
        load_classifier(tmp_path / "model.keras")


def saved(weight, path):
    """Saves a classifier of two classes, all of whose weights are `weight`."""
    image = keras.Input((4, 4, 1))
    dense = keras.layers.Dense(
        2, kernel_initializer=keras.initializers.Constant(weight)
    )
    model = ImageModel(image, dense(keras.layers.Flatten()(image)))
    model.preprocessing = Preprocessing((4, 4), 1.0, mean=(0.0,), std=(1.0,))
    model.save(path)
    return load_classifier(path)


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_scores_that_are_not_finite(weight, tmp_path):
    classifier = saved(weight, tmp_path / "model.keras")
    with pytest.raises(UsageError, match=r"finite scores\. Received: .*model\.keras"):
        classifier.predict(np.ones((1, 4, 4, 1)))


def test_fewer_names_than_scores(tmp_path):
    image = keras.Input((4, 4, 1))
    path = tmp_path / "model.tflite"
    tflite(keras.Model(image, keras.layers.Flatten()(image)), path)
    with zipfile.ZipFile(path) as archive:
        record = json.loads(archive.read("se_keras.json"))
    preprocessing = Preprocessing((4, 4), 1.0, mean=(0.0,), std=(1.0,))
    path.write_bytes(path.read_bytes()[: record["checksums"][0]["bytes"]])
    AfterFile().write(Metadata(("a", "b"), preprocessing, False), path)
    classifier = load_classifier(path)
    assert classifier.class_names == ("a", "b")
    with pytest.raises(UsageError, match=r"2 classes.*Received: .* 16 scores"):
        classifier.predict(np.ones((1, 4, 4, 1)))

"""Exports of a trained network in processes without its libraries."""

import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from se_keras.export import load_classifier

SERVE = pathlib.Path(__file__).with_name("serve.py")
FILES = ["model.keras", "saved_model", "model.tflite"]


@pytest.fixture(scope="module")
def keras_scores(digits_run, digits_test):
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    preprocessing = model.preprocessing
    images = (digits_test.pixels / 255 - preprocessing.mean) / preprocessing.std
    return model.predict(images, verbose=0)


@pytest.mark.parametrize(
    ("library", "file"),
    [("tensorflow", "saved_model"), ("ai_edge_litert", "model.tflite")],
)
def test_agrees_on_every_image(
    library, file, digits_run, digits_test, keras_scores, tmp_path
):
    np.save(tmp_path / "pixels.npy", digits_test.pixels)
    files = [
        digits_run.workdir / file,
        tmp_path / "pixels.npy",
        tmp_path / "scores.npy",
    ]
    run = subprocess.run(
        [sys.executable, "-I", SERVE, library, *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    scores = np.load(tmp_path / "scores.npy")
    assert scores.shape == (360, 10)
    np.testing.assert_array_equal(scores.argmax(-1), keras_scores.argmax(-1))
    np.testing.assert_allclose(scores, keras_scores, atol=1e-5)
    assert (scores.argmax(-1) == digits_test.labels).mean() > 0.9


@pytest.mark.parametrize("file", FILES)
def test_classifiers_agree(file, digits_run, digits_test, keras_scores):
    classifier = load_classifier(digits_run.workdir / file)
    scores = classifier.predict(digits_test.pixels)
    np.testing.assert_array_equal(scores.argmax(-1), keras_scores.argmax(-1))
    np.testing.assert_allclose(scores, keras_scores, atol=1e-5)
    assert classifier.name_of(7) == "7"


def test_labels_are_a_file_in_the_tflite_file(digits_run):
    with zipfile.ZipFile(digits_run.workdir / "model.tflite") as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode().split() == list("0123456789")


@pytest.mark.parametrize("name", ["saved_model", "tflite"])
def test_report(name, digits_run):
    report = digits_run.report["exports"][name]
    path = digits_run.workdir / {"tflite": "model.tflite"}.get(name, name)
    files = path.rglob("*") if path.is_dir() else [path]
    assert report["path"] == str(path)
    assert report["bytes"] == sum(f.stat().st_size for f in files if f.is_file())
    assert report["images"] == 64
    assert report["largest_difference"] < 1e-5
    assert report["top1_agreement"] == 1

"""What a user's keras.json or `keras.config` sets does not reach what is computed."""

import contextlib
import dataclasses

import keras
import numpy as np
import pytest

from se_keras import cli, export
from se_keras.backend import keras_defaults
from se_keras.models import Preprocessing

THEIRS = {
    "image_data_format": "channels_first",
    "floatx": "float16",
    "epsilon": 0.1,
    "dtype_policy": "mixed_bfloat16",
    "max_epochs": 1,
    "max_steps_per_epoch": 1,
}


def current():
    values = {name: getattr(keras.config, name)() for name in THEIRS}
    return {name: getattr(value, "name", value) for name, value in values.items()}


def set_all(values):
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)


@pytest.fixture
def defaults():
    """The defaults that Keras documents, to which a test returns."""
    values = current()
    yield values
    set_all(values)


def test_settings_are_those_of_keras_and_come_back(defaults):
    set_all(THEIRS)
    with contextlib.suppress(ZeroDivisionError), keras_defaults():
        inside = current()
        raise ZeroDivisionError
    assert inside == defaults
    assert current() == THEIRS


def test_commands(defaults, monkeypatch, capsys):
    command = dataclasses.replace(
        cli.COMMANDS["list"], run=lambda pattern: print(current()), uses_keras=True
    )
    monkeypatch.setitem(cli.COMMANDS, "list", command)
    set_all(THEIRS)
    cli.main(["list"])
    assert capsys.readouterr().out == f"{defaults}\n"
    assert current() == THEIRS


def test_exports_and_what_reads_them(defaults, tmp_path):
    image = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3)(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    pixels = np.random.default_rng(0).uniform(0, 255, (40, 8, 6, 3)).astype("float32")
    options = {
        "include_preprocessing": True,
        "preprocessing": Preprocessing(size=(8, 6)),
        "images": pixels,
    }
    scores = []
    for name, settings in (("ours", {}), ("theirs", THEIRS)):
        set_all(settings)
        export.tflite(model, tmp_path / f"{name}.tflite", **options)
        classifier = export.load_classifier(tmp_path / f"{name}.tflite")
        scores.append(classifier.predict(pixels))
    assert len(scores[1]) == 40
    np.testing.assert_array_equal(*scores)

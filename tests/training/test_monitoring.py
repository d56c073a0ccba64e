import csv
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras import create_model
from se_keras.layers import SqueezeExcite
from se_keras.training import make_recipe
from se_keras.training.monitoring import (
    AugmentedImages,
    EarlyStopping,
    GateHistograms,
    Speed,
    inputs_of_gates,
)


def summaries(folder):
    """Returns the summaries of a TensorBoard folder: pairs of tag, step to value."""
    found = {}
    for file in folder.glob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
    return found


def network(name="se_resnet20"):
    return create_model(name, input_shape=(16, 16, 3), classes=4)


def test_speed(monkeypatch):
    """Ten steps of 0.5 s after a first one of 60 s: 8 images in half a second."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    recipe = make_recipe("sample", batch_size=8, epochs=4, learning_rate=0.1)
    speed = Speed(recipe, steps_per_epoch=11)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1))
    speed.set_model(model)
    speed.on_epoch_begin(1)
    for step, seconds in enumerate([60, *[0.5] * 10]):
        clock[0] += seconds
        logs = {"loss": 1.0}
        speed.on_train_batch_end(step, logs)
    assert logs["images_per_second"] == pytest.approx(16)
    model.optimizer.iterations.assign(22)
    logs = {}
    speed.on_epoch_end(1, logs)
    assert logs["images_per_second"] == pytest.approx(16)
    # The rate of step 21 of 44, not of the next one.
    expected = 0.1 * (1 + np.cos(np.pi * 21 / 44)) / 2
    assert logs["learning_rate"] == pytest.approx(expected, rel=1e-5)
    # An epoch whose steps were all taken before the run was stopped.
    speed.on_epoch_begin(2)
    logs = {}
    speed.on_epoch_end(2, logs)
    assert "images_per_second" not in logs


def stopped_after(callback, values, first=0):
    """Returns the number of epochs after which a callback of Keras ends a run."""
    model = keras.Sequential()
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(first, len(values)):
        if model.stop_training:
            return epoch
        value = values[epoch]
        callback.on_epoch_end(epoch, {} if value is None else {"val_loss": value})
    return len(values)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_early_stopping_is_that_of_keras(epochs, seed):
    """And a run that continues after any epoch ends where Keras ends it."""
    values = np.random.default_rng(seed).integers(0, 6, 20).astype(float).tolist()
    keras_own = keras.callbacks.EarlyStopping("val_loss", patience=epochs, mode="min")
    expected = stopped_after(keras_own, values)
    recipe = make_recipe("sample")
    for first in range(expected + 1):
        task = types.SimpleNamespace(
            monitor="val_loss", monitor_mode="min", recipe=recipe
        )
        progress = types.SimpleNamespace(monitored=values[:first])
        trainer = types.SimpleNamespace(task=task, progress=progress)
        assert stopped_after(EarlyStopping(trainer, epochs), values, first) == expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("epochs", "expected"), [(1, 4), (2, 4), (3, 6), (4, 6)])
def test_early_stopping_counts_epochs_and_looks_at_evaluated_ones(epochs, expected):
    recipe = make_recipe("sample", validation_frequency=2)
    task = types.SimpleNamespace(monitor="val_loss", monitor_mode="min", recipe=recipe)
    progress = types.SimpleNamespace(monitored=())
    trainer = types.SimpleNamespace(task=task, progress=progress)
    values = [None, 1.0, None, 2.0, None, 3.0, None, 4.0]
    assert stopped_after(EarlyStopping(trainer, epochs), values) == expected


def test_augmented_images_are_pixels_again(tmp_path):
    preprocessing = network().preprocessing
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 16, 16, 3)).astype("float32")
    images = preprocessing.normalize(pixels)
    callback = AugmentedImages(tmp_path, lambda: images, preprocessing)
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
    (((tag, step), images),) = summaries(tmp_path / "images").items()
    assert (tag, step) == ("augmented", 0)
    width, height, *encoded = images
    assert (width, height, len(encoded)) == (b"16", b"16", 16)
    for image, expected in zip(encoded, pixels, strict=False):
        actual = tf.io.decode_png(image).numpy().astype("float32")
        assert np.abs(actual - expected).max() <= 1


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_gates_are_those_that_scale_the_features(precision):
    """From what goes into a gate comes what the features are multiplied by."""
    model = create_model(
        "se_resnet20", input_shape=(16, 16, 3), classes=4, dtype=precision
    )
    images = np.random.default_rng(0).normal(size=(5, 16, 16, 3)).astype("float32")
    maps = inputs_of_gates(model)(images)
    layers = [x.name for x in model.layers if isinstance(x, SqueezeExcite)]
    assert len(layers) == 9
    assert len(maps) == 6
    assert {layers[0], layers[-1]} < set(maps)
    for name, features in maps.items():
        layer = model.get_layer(name)
        scaled = np.asarray(keras.Model(model.input, layer.output)(images), "float32")
        values = np.asarray(layer.gate(features), "float32")
        features = np.asarray(features, "float32")
        assert values.shape == (5, features.shape[-1])
        np.testing.assert_allclose(
            scaled, features * values[:, None, None], rtol=2e-3, atol=1e-3
        )


def test_histograms_count_every_gate(tmp_path):
    model = network()
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype("float32")
    callback = GateHistograms(tmp_path, model, lambda: images)
    for epoch in range(2):
        callback.on_epoch_end(epoch, {})
    found = summaries(tmp_path / "gates")
    assert len(found) == 2 * 6
    for (tag, _), buckets in found.items():
        channels = model.get_layer(tag.removeprefix("gates/")).output.shape[-1]
        assert buckets[:, 2].sum() == 3 * channels
        assert 0 < buckets[:, 0].min() <= buckets[:, 1].max() < 1
    # Later gates, of more channels, are not all alike.
    assert buckets[:, 0].min() < buckets[:, 1].max()
    assert len(list((tmp_path / "gates").iterdir())) == 1


def test_network_without_gates(tmp_path):
    assert inputs_of_gates(network("resnet20")) is None
    GateHistograms(tmp_path, network("resnet20"), None).on_epoch_end(0, {})
    assert not list(tmp_path.iterdir())


def test_a_run_leaves_all_there_is_to_see(digits_run):
    with (digits_run.workdir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rates = [float(row["learning_rate"]) for row in rows]
    recipe, steps = digits_run.recipe, 1437 // digits_run.recipe.batch_size
    expected = [
        recipe.learning_rate * (1 + np.cos(np.pi * (e - 1 / steps) / 5)) / 2
        for e in range(1, 6)
    ]
    np.testing.assert_allclose(rates, expected, atol=1e-7)
    assert all(float(row["images_per_second"]) > 0 for row in rows)
    board = digits_run.workdir / "tensorboard"
    assert ("augmented", 0) in summaries(board / "images")
    assert {step for _, step in summaries(board / "gates")} == {0, 1, 2, 3, 4}
    lines = digits_run.output.splitlines()
    epochs = [line for line in lines if line.startswith("Epoch ")]
    assert len(epochs) == 5
    for line, row in zip(epochs, rows, strict=True):
        assert f"val_accuracy {float(row['val_accuracy']):.3f}" in line
        assert f"{float(row['images_per_second']):.0f} images/s" in line

"""Runs with everything on that a recipe can ask for."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest

from se_keras import training
from se_keras.data import evaluation_batches, open_source
from se_keras.training import make_recipe, read_config


@pytest.fixture
def demanding(recipe):
    """Every option at once, on the small network and the digits."""
    options = {
        "optimizer": "lamb",
        "learning_rate": 0.05,
        "loss": "binary_cross_entropy",
        "target_threshold": 0.2,
        "clip_norm": 1.0,
        "gradient_accumulation": 2,
        "drop_path": 0.5,
        "ema": 0.5,
        "evaluation_size": 12,
        "evaluation_crop": 0.9,
        "interpolation": "bicubic",
        "profile_steps": (2, 3),
        "augmentation.mixup": 0.2,
        "augmentation.cutmix": 1.0,
    }
    return make_recipe("sample", dataclasses.asdict(recipe), **options)


def recomputed_accuracy(path, data_dir):
    model = keras.models.load_model(path)
    source = open_source("digits", data_dir)
    data = evaluation_batches(source, model.preprocessing, batch_size=360)
    ((images, labels, _),) = data.as_numpy_iterator()
    return model, (model.predict(images, verbose=0).argmax(-1) == labels).mean()


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.slow
def test_all_options_together(demanding, precision):
    demanding = dataclasses.replace(demanding, precision=precision)
    report = training.train(demanding)
    workdir = pathlib.Path(demanding.runtime.workdir)
    model, accuracy = recomputed_accuracy(
        workdir / "model.keras", demanding.runtime.data_dir
    )
    assert report["accuracy"] == pytest.approx(accuracy, abs=0.01)
    assert model.input_shape == (None, 12, 12, 1)
    assert model.preprocessing.size == (12, 12)
    assert model.preprocessing.crop == 0.9
    assert model.preprocessing.interpolation == "bicubic"
    assert not any(layer.name.endswith("drop_path") for layer in model.layers)
    traces = (workdir / "tensorboard" / "train" / "plugins" / "profile").rglob("*.pb")
    assert any(trace.stat().st_size > 10_000 for trace in traces)
    assert make_recipe(config=read_config(workdir / "recipe.yaml")) == demanding


@pytest.mark.slow
def test_they_continue_where_they_stopped(demanding, monkeypatch):
    """Averages, slots, and the state of the random branches are in a checkpoint."""
    whole = demanding.replace(workdir=f"{demanding.runtime.workdir}-whole")
    training.train(whole)
    stopped = keras.callbacks.TensorBoard.on_epoch_end

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train(demanding)
    monkeypatch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", stopped)
    # Another seed of the process: nothing but the checkpoint may count.
    np.random.seed(5)
    training.train(demanding)
    weights = [
        keras.models.load_model(f"{r.runtime.workdir}/model.keras").get_weights()
        for r in (whole, demanding)
    ]
    for value, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)

"""Another task than classification goes through the same trainer and the same run."""

import csv
import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from se_keras import training
from se_keras.errors import InterruptionError, UsageError
from se_keras.training import run
from se_keras.training.checkpoints import Checkpoints
from se_keras.training.tasks import task_class
from tests.helpers import ROOT
from tests.training import boxes


@pytest.fixture
def recipe(tmp_path):
    return boxes.box_recipe(workdir=str(tmp_path / "run"), checkpoint_every=4, ema=0.5)


def rows_of(recipe):
    with open(f"{recipe.runtime.workdir}/metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_run_of_another_task(recipe, capsys):
    recipe = recipe.replace(ema=None)
    report = training.train(recipe)
    model = keras.models.load_model(f"{recipe.runtime.workdir}/model.keras")
    images, targets = boxes.draw(24, 0)
    truth = targets["boxes"][: boxes.EVALUATED, 0]
    outputs = model.predict(images[: boxes.EVALUATED], verbose=0)
    expected = boxes.mean_iou(None, outputs["box"], truth)
    assert report["iou"] == pytest.approx(expected, rel=1e-5)
    error = np.abs(outputs["box"] - truth).mean()
    assert report["box_loss"] == pytest.approx(error, rel=1e-5)
    total = report["box_loss"] + report["class_loss"]
    assert report["loss"] == pytest.approx(total, rel=1e-5)
    assert report["examples"] == boxes.EVALUATED
    assert report["exports"] == {}
    rows = rows_of(recipe)
    assert float(rows[-1]["val_iou"]) == report["iou"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    output = capsys.readouterr().out
    assert f"validation iou: {report['iou']:.4g} of 21 images" in output
    assert "Training small on squares: 48 training images." in output


def test_best_epoch_of_those_that_are_evaluated(recipe, monkeypatch, capsys):
    """And the same command with another `export` writes the other epoch."""
    scores = iter([0.3, 0.7, 0.7, 0.1, 0.7, 0.1, 0.7])
    monkeypatch.setattr(
        boxes.Boxes,
        "evaluate",
        lambda self, sums, predictions: {**self.logs(sums), "iou": next(scores)},
    )
    recipe = recipe.replace(
        ema=None, epochs=7, validation_frequency=2, export="best", keep_checkpoints=1
    )
    best = training.train(recipe)
    rows = rows_of(recipe)
    evaluated = [int(row["epoch"]) for row in rows if row["val_iou"]]
    assert evaluated == [2, 4, 6, 7]
    assert [row["val_loss"] == "" for row in rows] == [True, False] * 3 + [False]
    assert (best["export"], best["epoch"], best["epochs"]) == ("best", 4, 7)
    # Evaluated again, with the weights of that epoch.
    assert best["loss"] == pytest.approx(float(rows[3]["val_loss"]), rel=1e-6)
    lines = capsys.readouterr().out.splitlines()
    assert "val_iou 0.700" in next(x for x in lines if x.startswith("Epoch 4/7: "))
    assert not any("val_" in x for x in lines if x.startswith("Epoch 3/7: "))

    last = training.train(recipe.replace(export="last"))
    assert (last["export"], last["epoch"], last["epochs"]) == ("last", 7, 7)
    assert last["loss"] == pytest.approx(float(rows[6]["val_loss"]), rel=1e-6)
    again = training.train(recipe)
    assert again["loss"] == best["loss"]


def test_run_that_stops_early_has_ended(recipe, monkeypatch, capsys):
    scores = iter([0.5, 0.3, 0.4, 0.5, 0.5])
    monkeypatch.setattr(
        boxes.Boxes,
        "evaluate",
        lambda self, sums, predictions: {**self.logs(sums), "iou": next(scores)},
    )
    recipe = recipe.replace(epochs=9, early_stopping=2)
    for _ in range(2):
        report = training.train(recipe)
        assert (report["epochs"], report["epoch"]) == (3, 3)
        assert len(rows_of(recipe)) == 3
    assert "has not improved in 2 epochs" in capsys.readouterr().out


def test_learning_rate_range_test(recipe, capsys):
    found = training.find_learning_rate(recipe, lowest=1e-4, highest=1e3, steps=40)
    with open(found["csv"], newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == found["steps"] <= 40
    rates = 1e-4 * 1e7 ** (np.arange(len(rows)) / 39)
    np.testing.assert_allclose([row["learning_rate"] for row in rows], rates, rtol=1e-6)
    # The first steps change nothing: the loss is that of the network as it starts.
    task = boxes.Boxes(recipe)
    keras.utils.set_random_seed(recipe.seed)
    trainer = training.Trainer(task.create_model(), keras.optimizers.SGD(0.0), task)
    first = trainer.train_step(next(iter(task.training_batches(0))))
    assert rows[0]["loss"] == pytest.approx(float(first["loss"]) / boxes.BATCH, 1e-5)
    assert rates[0] < found["learning_rate"] <= found["lowest_loss_rate"] < rates[-1]
    assert str(found["learning_rate"]) in capsys.readouterr().out
    with open(found["png"], "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    # A run may use the directory afterwards.
    with pytest.raises(UsageError, match="lowest < highest"):
        training.find_learning_rate(recipe, lowest=1.0, highest=0.1)


class StoppedTrainer(training.Trainer):
    """Receives SIGTERM in step 3 of the second epoch."""

    def _train_step(self, batch):
        if (self.progress.epoch, self.progress.step) == (1, 2):
            os.kill(os.getpid(), signal.SIGTERM)
        return super()._train_step(batch)


@pytest.mark.parametrize("parts", [1, 2])
def test_stopped_run_of_another_task_continues_exactly(parts, recipe, monkeypatch):
    recipe = recipe.replace(gradient_accumulation=parts)
    whole = recipe.replace(workdir=f"{recipe.runtime.workdir}-whole")
    training.train(whole)
    with monkeypatch.context() as patch:
        patch.setattr(run, "Trainer", StoppedTrainer)
        with pytest.raises(InterruptionError, match="After step 3 of epoch 2"):
            training.train(recipe)
    training.train(recipe)
    weights = [
        keras.models.load_model(f"{r.runtime.workdir}/model.keras").get_weights()
        for r in (recipe, whole)
    ]
    for value, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)
    for row, expected in zip(rows_of(recipe), rows_of(whole), strict=True):
        for name in ("loss", "box_loss", "val_loss", "val_iou"):
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-6)


@pytest.mark.parametrize(("mode", "kept"), [("max", [2, 4]), ("min", [3, 4])])
def test_the_best_checkpoint_is_that_of_the_task(mode, kept, tmp_path):
    task = boxes.Boxes(boxes.box_recipe())
    trainer = training.Trainer(task.create_model(), keras.optimizers.SGD(0.1), task)
    checkpoints = Checkpoints(tmp_path, trainer.state, 1, "val_iou", mode)
    for epoch, value in enumerate([0.3, 0.9, 0.1, 0.5], 1):
        logs = {"val_iou": value, "val_accuracy": -value}
        checkpoints.save(training.Progress(epoch, logs=logs), 1.0)
    names = checkpoints.names()
    assert [int(name.split("-")[1]) for name in names] == kept


def test_tasks_by_name():
    assert task_class("classification") is training.Classification
    assert task_class("boxes") is boxes.Boxes
    with pytest.raises(UsageError, match=r"task.*Did you mean boxes.*'boxs'"):
        training.make_recipe(task="boxs")


@pytest.mark.slow
def test_predictions_of_two_devices_are_those_of_one():
    program = subprocess.run(
        [sys.executable, "-m", "tests.training.boxes"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert program.returncode == 0, program.stderr
    one, two = json.loads(program.stdout.splitlines()[-1])
    assert (one["replicas"], two["replicas"]) == (1, 2)
    assert set(one["history"]) == set(two["history"]) >= {"val_iou", "class_loss"}
    for name, values in one["history"].items():
        np.testing.assert_allclose(two["history"][name], values, rtol=1e-4)

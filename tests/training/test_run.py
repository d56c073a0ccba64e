import collections
import csv
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import se_keras
from se_keras import training
from se_keras.data import evaluation_batches, open_source
from se_keras.data.images import decode_image
from se_keras.errors import InterruptionError, StorageError, UsageError
from se_keras.export import load_classifier
from se_keras.training import run
from se_keras.training.checkpoints import Checkpoints
from se_keras.training.tasks import classification
from se_keras.training.tasks.classification import Classification
from se_keras.training.workdir import MetricsFile
from tests.helpers import ROOT, files_of_at_most


def workdir_of(recipe):
    return pathlib.Path(recipe.runtime.workdir)


def metrics(workdir):
    with (workdir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_accuracy_is_that_of_the_saved_model(digits_run, digits):
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    records = list(digits.records("test"))
    preprocessing = model.preprocessing
    pixels = np.stack([decode_image(encoded, preprocessing) for encoded, _ in records])
    labels = np.array([int(label) for _, label in records])
    images = (pixels / 255 - preprocessing.mean) / preprocessing.std
    scores = model.predict(images, verbose=0).astype("float64")

    report = digits_run.report
    assert report["examples"] == len(labels) == 360
    assert report["accuracy"] == pytest.approx((scores.argmax(-1) == labels).mean())
    chosen = scores[np.arange(360), labels]
    assert report["loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
    rank = (scores > chosen[:, None]).sum(-1)
    assert report["top5_accuracy"] == pytest.approx((rank < 5).mean())
    assert report["accuracy"] > 0.9
    np.testing.assert_allclose(scores.sum(-1), 1, atol=1e-5)


def test_report_is_in_the_work_directory(digits_run):
    report = json.loads((digits_run.workdir / "report.json").read_text())
    assert report == digits_run.report
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    trained = sum(np.size(w) for w in model.trainable_weights)
    assert report["parameters"] == trained
    assert report["epochs"] == 5
    assert (report["dataset"], report["evaluation_split"]) == ("digits", "test")
    assert 0 < report["training_seconds"] < report["seconds"]
    # All images by all the time: the epochs have equally many.
    rates = [float(row["images_per_second"]) for row in metrics(digits_run.workdir)]
    assert report["images_per_second"] == pytest.approx(5 / sum(1 / r for r in rates))
    assert (report["export"], report["epoch"]) == ("last", 5)


def test_every_figure_printed_is_in_the_report(digits_run):
    report, lines = digits_run.report, digits_run.output.splitlines()
    summary = lines[-7:]
    assert f"test accuracy: {report['accuracy']:.2%} of 360 images" in summary[1]
    for name, exported in report["exports"].items():
        (line,) = [line for line in summary if f"({name})" in line]
        assert line.split()[0] == exported["path"]
        assert f"{exported['largest_difference']:.1e}" in line
        assert f"{exported['bytes'] / 2**20:.2f} MiB" in line
    assert f"predict {digits_run.workdir / 'model.tflite'}" in summary[-1]
    assert "embedded sample" in digits_run.output
    assert "--dataset=imagenet2012" in digits_run.output


def test_work_directory_is_complete(digits_run):
    names = {path.name for path in digits_run.workdir.iterdir()}
    assert names == {
        "config.json",
        "recipe.yaml",
        "data.json",
        "metrics.csv",
        "curves.png",
        "evaluation",
        "tensorboard",
        "checkpoints",
        "model.keras",
        "saved_model",
        "model.tflite",
        "report.json",
    }
    names = {path.name for path in (digits_run.workdir / "checkpoints").iterdir()}
    assert {"epoch-00004-step-00000000", "epoch-00005-step-00000000"} <= names
    rows = metrics(digits_run.workdir)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert float(rows[-1]["val_accuracy"]) == digits_run.report["accuracy"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2


@pytest.mark.parametrize("part", ["train", "validation"])
def test_tensorboard_logs(part, digits_run):
    rows = metrics(digits_run.workdir)
    (file,) = (digits_run.workdir / "tensorboard" / part).glob("events.*")
    found = collections.defaultdict(list)
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            if value.HasField("tensor"):
                found[value.tag].append(tf.make_ndarray(value.tensor).item())
    prefix = {"train": "", "validation": "val_"}[part]
    for name in ("loss", "accuracy"):
        expected = [float(row[prefix + name]) for row in rows]
        assert found[f"epoch_{name}"] == pytest.approx(expected, rel=1e-6)
    if part == "train":
        for name in ("learning_rate", "images_per_second"):
            expected = [float(row[name]) for row in rows]
            assert found[f"epoch_{name}"] == pytest.approx(expected, rel=1e-6)


def test_names_and_images_travel(digits_run, digits):
    for file in ("model.keras", "saved_model", "model.tflite"):
        classifier = load_classifier(digits_run.workdir / file)
        assert classifier.class_names == digits.class_names
        assert classifier.preprocessing.size == (12, 12)
        assert classifier.preprocessing.channels == 1


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(precision, recipe):
    report = training.train(
        recipe.replace(precision=precision, exports=("saved_model", "tflite"))
    )
    workdir = workdir_of(recipe)
    losses = [float(row["loss"]) for row in metrics(workdir)]
    assert losses[1] < losses[0]
    assert np.isfinite(losses).all()
    model = keras.models.load_model(workdir / "model.keras")
    layers = model._flatten_layers(include_self=False)
    assert {layer.dtype_policy.name for layer in layers} == {"float32"}
    for exported in report["exports"].values():
        assert exported["largest_difference"] < 1e-4
        assert exported["top1_agreement"] == 1


@pytest.fixture
def quick(monkeypatch):
    """Takes the time out of a run: an epoch leaves a trace in one weight, no more."""
    seen = types.SimpleNamespace(epochs=[], trainer=None)

    def training_batches(self, epoch, first_step=0):
        seen.epochs.append(epoch)
        return tf.data.Dataset.range(1)

    class QuickTrainer(training.Trainer):
        def _train_epoch(self, batches, callbacks):
            seen.trainer = self
            bias = self.model.trainable_variables[-1]
            bias.assign(bias + seen.epochs[-1] + 1)
            return {"loss": 1 / (seen.epochs[-1] + 1)}

        def evaluate(self, data, callbacks=()):
            return {"loss": 1.0, "accuracy": 0.5, "examples": 360}

    monkeypatch.setattr(Classification, "training_batches", training_batches)
    monkeypatch.setattr(run, "Trainer", QuickTrainer)
    # There is nothing to see of it.
    monkeypatch.setattr(Classification, "tensorboard", lambda *_: [])
    monkeypatch.setattr(classification, "plot_curves", lambda *_, **__: None)
    return seen


def last_bias(workdir):
    return keras.models.load_model(workdir / "model.keras").get_weights()[-1]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (training.Trainer, "evaluate"),
        (Checkpoints, "save"),
        (MetricsFile, "on_epoch_end"),
        (keras.callbacks.TensorBoard, "on_epoch_end"),
        (Classification, "inference_model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_interrupted_run_continues(owner, name, recipe, quick, monkeypatch):
    """Wherever it was stopped, each epoch counts once, in weights and metrics."""
    recipe = dataclasses.replace(recipe, epochs=3)
    owner = run.Trainer if owner is training.Trainer else owner
    original = getattr(owner, name)

    def interrupted(*args, **kwargs):
        if quick.epochs[-1] > 0:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            training.train(recipe)
    assert not (workdir_of(recipe) / "report.json").exists()
    training.train(recipe)
    np.testing.assert_array_equal(last_bias(workdir_of(recipe)), np.full(10, 1 + 2 + 3))
    rows = metrics(workdir_of(recipe))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    losses = [float(row["loss"]) for row in rows]
    assert losses == pytest.approx([1, 1 / 2, 1 / 3])


def test_finished_run_does_not_train_again(recipe, quick):
    training.train(recipe)
    before = (workdir_of(recipe) / "metrics.csv").read_text()
    training.train(recipe)
    assert quick.epochs == [0, 1]
    assert (workdir_of(recipe) / "metrics.csv").read_text() == before
    np.testing.assert_array_equal(last_bias(workdir_of(recipe)), np.full(10, 1 + 2))


def test_finished_run_keeps_its_training_time(recipe, quick):
    first, second = training.train(recipe), training.train(recipe)
    assert 0 < first["training_seconds"] <= second["training_seconds"]
    # The earlier part counts in both.
    assert second["seconds"] > second["training_seconds"]


def test_precision_decides_how_to_compute(recipe, quick):
    for precision, dtypes in (
        ("mixed_float16", {"float16", "float32"}),
        ("float32", {"float32"}),
    ):
        workdir = f"{recipe.runtime.workdir}-{precision}"
        training.train(recipe.replace(precision=precision, workdir=workdir))
        layers = quick.trainer.model._flatten_layers(include_self=False)
        assert {layer.compute_dtype for layer in layers} == dtypes
        scaled = isinstance(
            quick.trainer.optimizer, keras.optimizers.LossScaleOptimizer
        )
        assert scaled == (precision == "mixed_float16")


@pytest.mark.parametrize("synchronized", [False, True])
def test_batch_norm_over_all_replicas(synchronized, recipe, quick):
    training.train(dataclasses.replace(recipe, sync_batch_norm=synchronized))
    norms = [
        layer.synchronized
        for layer in quick.trainer.model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms == [synchronized] * 7


def test_settings_reach_the_optimizer(recipe, quick):
    settings = {"momentum": 0.7, "nesterov": True, "learning_rate": 0.3, "epochs": 1}
    training.train(dataclasses.replace(recipe, warmup_epochs=0, **settings))
    optimizer = quick.trainer.optimizer
    assert (optimizer.momentum, optimizer.nesterov) == (0.7, True)
    assert float(optimizer.learning_rate) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "se_resnet8x"}, "name of a model.*Did you mean se_resnet8 .*"),
        ({"dataset": "digitz"}, "Did you mean digits"),
        ({"batch_size": 1438}, "at most 1437.*Received: batch_size=1438"),
        (
            {"gradient_accumulation": 3},
            "multiple of the 1 replicas times gradient_accumulation.*batch_size=128",
        ),
        (
            {"model": "se_bn_inception", "image_size": 64, "drop_path": 0.1},
            "no residual blocks.*drop_path=0.1",
        ),
    ],
)
def test_bad_input(settings, message, recipe):
    with pytest.raises(UsageError, match=message):
        training.train(dataclasses.replace(recipe, **settings))
    assert not workdir_of(recipe).exists()


def test_work_directory_of_another_run(recipe, quick):
    training.train(recipe)
    before = sorted(workdir_of(recipe).rglob("*"))
    with pytest.raises(UsageError, match=r"learning_rate: 0\.1 there, 0.3 here"):
        training.train(dataclasses.replace(recipe, learning_rate=0.3))
    assert sorted(workdir_of(recipe).rglob("*")) == before
    assert quick.epochs == [0, 1]


@pytest.fixture
def damaged(tmp_path):
    """A folder of images of two classes with a damaged one in each split."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("validation", 4)):
        for label in ("cat", "dog"):
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3)).astype("uint8")
                image = tf.io.encode_jpeg(pixels).numpy()
                (folder / f"{number}.jpg").write_bytes(image)
        (folder / "0.jpg").write_bytes(image[:80])
    return tmp_path / "images"


@pytest.mark.slow
def test_damaged_images(damaged, recipe):
    settings = {"dataset": f"folder:{damaged}", "epochs": 1, "batch_size": 8}
    recipe = dataclasses.replace(recipe, **settings)
    with pytest.raises(UsageError, match=r"dog/0\.jpg"):
        training.train(recipe)
    report = training.train(
        recipe.replace(on_bad_image="skip", workdir=f"{recipe.runtime.workdir}-skip")
    )
    assert report["bad_images"] == 2
    assert report["examples"] == 7


@pytest.fixture
def pictures(tmp_path):
    """A folder of images of two classes with three splits, and a file too many."""
    root = tmp_path / "pictures"
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype("uint8")
    image = tf.io.encode_png(pixels).numpy()
    for split, count in (("train", 8), ("valid", 4), ("Test", 3)):
        for label in ("cat", "dog"):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                (root / split / label / f"{number}.png").write_bytes(image)
    (root / "train" / "cat" / "notes.txt").touch()
    return root


def test_a_test_split_is_reported_once(pictures, recipe, capsys):
    recipe = recipe.replace(dataset=f"folder:{pictures}", epochs=1, batch_size=8)
    report = training.train(recipe)
    assert (report["evaluation_split"], report["examples"]) == ("validation", 8)
    assert (report["test"]["split"], report["test"]["examples"]) == ("test", 6)
    model = keras.models.load_model(workdir_of(recipe) / "model.keras")
    source = open_source(recipe.dataset)
    for split, figures in (("validation", report), ("test", report["test"])):
        batches = evaluation_batches(
            source, model.preprocessing, batch_size=6, split=split
        )
        correct = [
            (np.argmax(model.predict(images, verbose=0), -1) == labels)[weights > 0]
            for images, labels, weights in batches.as_numpy_iterator()
        ]
        assert figures["accuracy"] == pytest.approx(np.concatenate(correct).mean())
    output = capsys.readouterr().out
    assert "Images: train 16, validation 8 (valid), test 6 (Test).\n" in output
    assert "Left out 1 files: 1 .txt" in output
    assert f"test accuracy: {report['test']['accuracy']:.2%} of 6 images" in output
    rows = (workdir_of(recipe) / "left_out.csv").read_text().splitlines()
    assert rows == ["path", "train/cat/notes.txt"]


def test_a_run_with_other_data_is_refused(pictures, recipe, quick, capsys):
    recipe = recipe.replace(dataset=f"folder:{pictures}", epochs=1, batch_size=8)
    training.train(recipe)
    before = {path: path.read_bytes() for path in workdir_of(recipe).glob("*.*")}

    (pictures / "train" / "dog" / "7.png").unlink()
    with pytest.raises(UsageError, match=r"1 images removed: 'train/dog/7\.png'"):
        training.train(recipe.replace(allow_changed_data=True))
    for split in ("train", "valid", "Test"):
        (pictures / split / "dog").rename(pictures / split / "ant")
    with pytest.raises(UsageError, match="removed: 'dog'; classes added: 'ant'"):
        training.train(recipe)
    assert before == {path: path.read_bytes() for path in before}
    assert quick.epochs == [0]

    for split in ("train", "valid", "Test"):
        (pictures / split / "ant").rename(pictures / split / "dog")
    image = (pictures / "train" / "dog" / "6.png").read_bytes()
    for number in (7, 8):
        (pictures / "train" / "dog" / f"{number}.png").write_bytes(image)
    with pytest.raises(UsageError, match=r"1 images added.*--allow_changed_data"):
        training.train(recipe)
    training.train(recipe.replace(allow_changed_data=True))
    assert "1 images were added" in capsys.readouterr().out
    training.train(recipe)


class StoppedTrainer(training.Trainer):
    """Receives SIGTERM in its fifth step."""

    def _train_step(self, batch):
        if self.progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return super()._train_step(batch)


def test_stopped_run_continues(recipe, monkeypatch, capsys):
    recipe = dataclasses.replace(recipe, epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr(run, "Trainer", StoppedTrainer)
        with pytest.raises(InterruptionError, match="After step 5 of epoch 1"):
            training.train(recipe)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert not (workdir_of(recipe) / "model.keras").exists()
    (saved,) = (workdir_of(recipe) / "checkpoints").glob("epoch-*")
    assert saved.name == "epoch-00000-step-00000005"
    assert "Received SIGTERM" in capsys.readouterr().out
    training.train(recipe)
    assert "Continuing after epoch 0 of 1 and 5 steps." in capsys.readouterr().out
    # Steps 6 to 11, and the loss of all of them.
    assert len(metrics(workdir_of(recipe))) == 1


@pytest.mark.slow
def test_killed_runs_continue_exactly(digits_dir):
    command = ["-m", "tests.training.kill_test", "--runs=3", f"--data_dir={digits_dir}"]
    program = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert program.returncode == 0, program.stdout + program.stderr
    assert (
        "3 of 3 runs have the weights and metrics of the undisturbed" in program.stdout
    )


def weights_of(workdir):
    model = keras.models.load_model(workdir / "model.keras")
    return [w.tobytes() for w in model.get_weights()]


def test_settings_of_keras_do_not_reach_a_run(recipe, quick):
    """A user's keras.json sets these; Keras reads it when it is imported."""
    training.train(recipe)
    config = keras.config
    theirs = {
        (config.image_data_format, config.set_image_data_format): "channels_first",
        (config.floatx, config.set_floatx): "float16",
        (config.epsilon, config.set_epsilon): 0.1,
        (config.max_steps_per_epoch, config.set_max_steps_per_epoch): 1,
    }
    before = {setter: getter() for getter, setter in theirs}
    other = recipe.replace(workdir=f"{recipe.runtime.workdir}-other")
    try:
        for (_, setter), value in theirs.items():
            setter(value)
        config.set_dtype_policy("mixed_bfloat16")
        training.train(other)
        assert config.dtype_policy().name == "mixed_bfloat16"
        assert {getter(): value for (getter, _), value in theirs.items()} == {
            value: value for value in theirs.values()
        }
    finally:
        for setter, value in before.items():
            setter(value)
        config.set_dtype_policy("float32")
    assert weights_of(workdir_of(other)) == weights_of(workdir_of(recipe))
    model = keras.models.load_model(workdir_of(other) / "model.keras")
    assert model.input_shape == (None, 8, 8, 1)
    assert {layer.dtype for layer in model.layers} == {"float32"}


KERAS_JSON = {
    "image_data_format": "channels_first",
    "floatx": "float16",
    "epsilon": 0.1,
    "backend": "tensorflow",
}


@pytest.mark.slow
def test_a_run_is_the_same_with_a_keras_json(digits_dir, tmp_path):
    program = (
        "import sys\n"
        "from se_keras import training\n"
        "from tests.training.networks import SMALL, small_network\n"
        "with small_network():\n"
        "    training.train(training.make_recipe(\n"
        "        data_dir=sys.argv[1], workdir=sys.argv[2], model=SMALL, epochs=1,\n"
        "        image_size=8, batch_size=256, strategy='none', deterministic=True,\n"
        "        exports=('tflite',)))\n"
    )
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "keras.json").write_text(json.dumps(KERAS_JSON))
    for home in ("theirs", "none"):
        run_ = subprocess.run(
            [sys.executable, "-c", program, digits_dir, tmp_path / f"run-{home}"],
            cwd=ROOT,
            env={**os.environ, "KERAS_HOME": str(tmp_path / home)},
            capture_output=True,
            text=True,
        )
        assert run_.returncode == 0, run_.stderr
    assert weights_of(tmp_path / "run-theirs") == weights_of(tmp_path / "run-none")


@pytest.fixture
def from_weights(recipe, tmp_path):
    """A run from a file of weights, whose preprocessing is not that of the network."""
    model = se_keras.create_model(recipe.model, input_shape=(8, 8, 1), classes=10)
    model.preprocessing = dataclasses.replace(model.preprocessing, mean=(0.25,))
    model.save(tmp_path / "start.keras")
    return recipe.replace(weights=str(tmp_path / "start.keras"))


def test_run_continues_without_the_weights_it_started_from(
    from_weights, quick, monkeypatch, tmp_path
):
    def stopped(self, *_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "inference_model", stopped)
        with pytest.raises(KeyboardInterrupt):
            training.train(from_weights)
    (tmp_path / "start.keras").unlink()
    training.train(from_weights)
    assert quick.epochs == [0, 1]
    model = keras.models.load_model(workdir_of(from_weights) / "model.keras")
    assert model.preprocessing.mean == (0.25,)
    with pytest.raises(UsageError, match=r"start\.keras"):
        training.train(from_weights.replace(workdir=str(tmp_path / "new")))


def test_finished_run_gets_longer(recipe, quick, capsys):
    recipe = recipe.replace(schedule="step", boundaries=(1,))
    training.train(recipe)
    training.train(recipe.replace(epochs=4))
    assert quick.epochs == [0, 1, 2, 3]
    output = capsys.readouterr().out
    assert "epochs 3 to 4 have the learning rates of a run of that length, " in output
    assert "0.01 in epoch 3" in output
    rows = metrics(workdir_of(recipe))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    np.testing.assert_array_equal(last_bias(workdir_of(recipe)), np.full(10, 10))


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Classification, "export"), (keras.Model, "save"), (run, "write_json")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_full_disk_at_the_end_of_a_run(owner, name, recipe, quick, monkeypatch):
    original = getattr(owner, name)

    def on_a_full_disk(*args, **kwargs):
        with files_of_at_most(300):
            return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, on_a_full_disk)
    with pytest.raises(StorageError, match=r"could not be written: .*File too large"):
        training.train(recipe.replace(exports=("tflite",) if name == "export" else ()))
    assert not list(workdir_of(recipe).glob(".*"))


@pytest.mark.parametrize("name", ["two\nlines", "not utf-8: \udcff"])
def test_names_of_classes_that_exports_cannot_store(name, recipe, monkeypatch):
    source = types.SimpleNamespace(class_names=("cat", name))
    monkeypatch.setattr(classification, "open_source", lambda *_: source)
    with pytest.raises(UsageError, match=r"of one line each.*(two|not utf)"):
        training.train(recipe)
    assert not workdir_of(recipe).exists()


def test_signal_after_the_last_step_is_not_lost(recipe, quick, monkeypatch):
    fit = run.Trainer.fit

    def fit_and_receive(self, *args, **kwargs):
        fit(self, *args, **kwargs)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(run.Trainer, "fit", fit_and_receive)
    with pytest.raises(InterruptionError, match=r"After epoch 2, which is saved"):
        training.train(recipe)
    assert not (workdir_of(recipe) / "model.keras").exists()


class HungryTrainer(training.Trainer):
    """Asks for more memory than its device has."""

    def _train_step(self, batch):
        message = "OOM when allocating tensor with shape[64,64,9000,9000]"
        raise tf.errors.ResourceExhaustedError(None, None, message)


def test_step_that_does_not_fit_in_memory(recipe, monkeypatch):
    monkeypatch.setattr(run, "Trainer", HungryTrainer)
    with pytest.raises(UsageError, match=r"lower batch_size.*batch_size=128.*\(OOM"):
        training.train(recipe)

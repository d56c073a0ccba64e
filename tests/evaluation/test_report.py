"""`evaluate` of every kind of model against predictions made without it."""

import csv
import json
import os
import types

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from se_keras import evaluation, export, training
from se_keras.cli.splits import split_arguments, splits_of
from se_keras.data import Splits, open_source
from se_keras.errors import UsageError
from se_keras.evaluation.report import FILES, check_output
from se_keras.export.classifier import Classifier
from se_keras.models import ImageModel, Preprocessing
from se_keras.training.tasks import classification
from tests.data.images import decode, encode

MODELS = ["model.keras", "model.tflite", "saved_model"]
GRAY = Preprocessing((8, 8), 1.0, mean=(0.0,), std=(1.0,))
COLOR = Preprocessing((8, 8), 1.0, mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.fixture(scope="module")
def expected(digits_run, digits):
    """Labels and the probabilities of Keras's own `predict`, image by image."""
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    images, labels = [], []
    for encoded, label in digits.records("test").as_numpy_iterator():
        enlarged = Image.fromarray(decode(encoded)).resize((12, 12), Image.BILINEAR)
        images.append(np.asarray(enlarged, "float32")[..., None])
        labels.append(label)
    images = model.preprocessing.normalize(np.stack(images))
    return np.array(labels), model.predict(images, verbose=0).astype("float64")


@pytest.mark.parametrize("name", MODELS)
def test_a_run_and_its_files_agree(name, digits_run, digits):
    """The run's own accuracy is that of each of its files."""
    report = evaluation.evaluate(digits_run.workdir / name, digits, verbose=False)
    assert report["accuracy"] == digits_run.report["accuracy"]
    assert report["top5_accuracy"] == digits_run.report["top5_accuracy"]
    assert report["loss"] == pytest.approx(digits_run.report["loss"], rel=1e-4)
    assert report["examples"] == digits_run.report["examples"] == 360
    assert report["scores"] == "probabilities"


def test_figures_are_those_of_the_predictions(digits_run, digits, expected):
    """Pillow's resizing rounds to whole numbers; Keras predicts without this code."""
    labels, values = expected
    values = values / values.sum(-1, keepdims=True)
    predicted = values.argmax(-1)
    report = evaluation.evaluate(digits_run.workdir / "model.keras", digits)
    assert report["accuracy"] == pytest.approx(
        metrics.accuracy_score(labels, predicted), abs=2 / 360
    )
    assert report["loss"] == pytest.approx(metrics.log_loss(labels, values), rel=0.02)
    recall = metrics.recall_score(labels, predicted, average=None)
    found = [row["recall"] for row in report["classes"]]
    assert found == pytest.approx(recall.tolist(), abs=0.06)


def test_what_a_run_leaves(digits_run, digits):
    directory = digits_run.workdir / "evaluation"
    assert {path.name for path in directory.iterdir()} == set(FILES)
    report = json.loads((directory / "report.json").read_text())
    assert report["accuracy"] == digits_run.report["accuracy"]
    with (directory / "confusion.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["true", *"0123456789"]
    matrix = np.array([row[1:] for row in rows], int)
    assert matrix.sum() == 360
    assert matrix.trace() == round(report["accuracy"] * 360)
    with (directory / "mistakes.csv").open(newline="") as file:
        mistakes = list(csv.DictReader(file))
    assert len(mistakes) == 360 - matrix.trace()
    scores = [float(row["score"]) for row in mistakes]
    assert scores == sorted(scores, reverse=True)
    names = {
        name.decode(): str(label)
        for _, label, name in digits.named_records("test").as_numpy_iterator()
    }
    for row in mistakes:
        assert names[row["path"]] == row["true"] != row["predicted"]
    for name in ("confusion.png", "calibration.png", "mistakes.png"):
        Image.open(directory / name).verify()


def test_a_run_evaluates_its_test_split_too(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        classification,
        "evaluate",
        lambda model, source, **k: calls.append((model, k["split"], k["output"])),
    )
    task = classification.Classification(training.make_recipe("sample"))
    task.source = types.SimpleNamespace(evaluation_split="dev", test_split="held out")
    report = {"model": "m", "dataset": "d"}
    task.write_results(tmp_path, tmp_path / "metrics.csv", report)
    assert calls == [
        (tmp_path / "model.keras", "dev", tmp_path / "evaluation"),
        (tmp_path / "model.keras", "held out", tmp_path / "evaluation-test"),
    ]


# A classifier that is right where it is asked for it: the class is the gray level.


def gray_folder(root, names, counts, split="validation"):
    """Makes images of one gray for each class, 25 levels apart."""
    for label, (name, count) in enumerate(zip(names, counts, strict=True)):
        for part in ("train", split):
            for number in range(count):
                path = root / part / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                gray = np.full((8, 8, 3), 25 * label + number % 5, "uint8")
                path.write_bytes(encode(gray))
    return f"folder:{root}"


def by_gray(names, wrong=(), form="probabilities"):
    """A classifier of gray levels that takes the pairs in `wrong` for each other."""
    classes = len(names)
    answers = np.arange(classes)
    for true, predicted in wrong:
        answers[true] = predicted

    def predict(pixels):
        level = np.round(np.asarray(pixels)[:, 0, 0, 0]) // 25
        logits = np.full((len(pixels), classes), -2.0)
        answer = answers[np.clip(level, 0, classes - 1).astype(int)]
        logits[np.arange(len(pixels)), answer] = 2.0
        if form == "logits":
            return logits
        powers = np.exp(logits)
        return powers / powers.sum(-1, keepdims=True)

    return Classifier(predict, COLOR, tuple(names))


STRANGE = ("$a_1$, $b", "tab\t", "漢字", 'with , and "', "x" * 200)


def test_strange_names_of_classes(tmp_path, run, capsys):
    dataset = gray_folder(tmp_path / "m$_$x", sorted(STRANGE), [3] * 5)
    classifier = by_gray(sorted(STRANGE), wrong=[(0, 1)])
    report = evaluation.evaluate(classifier, dataset, output=tmp_path / "out")
    assert report["accuracy"] == 0.8
    assert [row["name"] for row in report["classes"]] == sorted(STRANGE)
    with (tmp_path / "out/confusion.csv").open(newline="", encoding="utf8") as file:
        header, *rows = csv.reader(file)
    assert header[1:] == [row[0] for row in rows] == sorted(STRANGE)
    from se_keras.cli.evaluate import lines_of

    lines = lines_of(report)
    assert not [line for line in lines if "\n" in line]
    assert max(map(len, lines[1:])) <= 80


def test_scores_are_reordered_by_name(tmp_path, capsys):
    dataset = gray_folder(tmp_path, "abc", [3, 4, 5])
    plain = by_gray("abc", wrong=[(0, 1)])
    rolled = Classifier(
        lambda pixels: np.roll(plain.predict(pixels), 1, -1), COLOR, ("c", "a", "b")
    )
    reports = [evaluation.evaluate(each, dataset) for each in (plain, rolled)]
    assert "reordered" in capsys.readouterr().out
    assert reports[0] == reports[1]
    assert reports[0]["accuracy"] == 9 / 12
    with pytest.raises(UsageError, match="only the model has 'd'"):
        evaluation.evaluate(by_gray("abd"), dataset)
    unnamed = Classifier(plain.predict, COLOR, None)
    assert evaluation.evaluate(unnamed, dataset)["accuracy"] == 9 / 12
    assert "no class names" in capsys.readouterr().out


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_every_image_counts_once_and_logits_get_a_softmax(batch_size, tmp_path):
    dataset = gray_folder(tmp_path, "abc", [3, 4, 5])
    report = evaluation.evaluate(
        by_gray("abc", [(1, 2)], "logits"), dataset, batch_size=batch_size
    )
    assert report["scores"] == "logits"
    assert report["examples"] == 12
    assert report["accuracy"] == 8 / 12
    right = np.exp(2) / (np.exp(2) + 2 * np.exp(-2))
    assert report["loss"] == pytest.approx(
        -(8 * np.log(right) + 4 * np.log((1 - right) / 2)) / 12
    )
    assert report["calibration"]["ece"] == pytest.approx(right - 8 / 12)
    paths = [mistake["path"] for mistake in report["mistakes"]]
    assert paths == [str(tmp_path / f"validation/b/{n}.png") for n in range(4)]


def test_splits(tmp_path):
    dataset = gray_folder(tmp_path, "ab", [2, 3])
    classifier = by_gray("ab")
    report = evaluation.evaluate(classifier, dataset, split="train")
    assert (report["evaluation_split"], report["examples"]) == ("train", 5)
    report = evaluation.evaluate(classifier, dataset, split="all")
    assert (report["evaluation_split"], report["examples"]) == ("all", 10)
    with pytest.raises(UsageError, match=r"a split of .*Received: split='nothing'"):
        evaluation.evaluate(classifier, dataset, split="nothing")


def test_bad_images(tmp_path):
    dataset = gray_folder(tmp_path / "data", "ab", [3, 3])
    damaged = tmp_path / "data/validation/a/1.png"
    damaged.write_bytes(b"no image")
    with pytest.raises(UsageError, match=str(damaged)):
        evaluation.evaluate(by_gray("ab"), dataset, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = evaluation.evaluate(by_gray("ab"), dataset, on_bad_image="skip")
    assert (report["examples"], report["bad_images"]) == (5, 1)
    assert report["accuracy"] == 1
    for path in (tmp_path / "data/validation").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UsageError, match="without any that can be read"):
        evaluation.evaluate(by_gray("ab"), dataset, on_bad_image="skip")


def test_scores_that_are_nan(tmp_path):
    dataset = gray_folder(tmp_path, "ab", [2, 3])
    broken = Classifier(lambda pixels: np.full((len(pixels), 2), np.nan), COLOR, None)
    with pytest.raises(UsageError, match="finite scores"):
        evaluation.evaluate(broken, dataset)


def test_a_model_of_keras(tmp_path):
    """The gray level of a pixel, from a model in memory."""
    image = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    dense = keras.layers.Dense(2, "softmax")
    model = ImageModel(image, dense(mean))
    dense.set_weights([np.array([[-9, 9], [0, 0], [0, 0]]), np.array([0.4, -0.4])])
    dataset = gray_folder(tmp_path, "ab", [2, 3])
    with pytest.raises(UsageError, match="which images it expects"):
        evaluation.evaluate(model, dataset)
    model.preprocessing = COLOR
    report = evaluation.evaluate(model, dataset)
    assert (report["accuracy"], report["scores"]) == (1, "probabilities")
    logits = ImageModel(image, keras.layers.Dense(2, name="logits")(mean))
    # They are in 0..1, and their sum is 1.7.
    logits.layers[-1].set_weights([dense.get_weights()[0] / 999, np.array([0.9, 0.8])])
    logits.preprocessing = COLOR
    report = evaluation.evaluate(logits, dataset)
    assert (report["accuracy"], report["scores"]) == (2 / 5, "logits")


def test_output_is_complete_or_not_there(tmp_path, monkeypatch):
    dataset = gray_folder(tmp_path / "data", "ab", [2, 3])
    output = tmp_path / "out"
    monkeypatch.setattr(evaluation.report.plots, "plot_mistakes", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluation.evaluate(by_gray("ab"), dataset, output=output)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_may_be_overwritten(tmp_path):
    output = tmp_path / "out"
    check_output(output, overwrite=False)
    output.mkdir()
    with pytest.raises(UsageError, match="--overwrite"):
        check_output(output, overwrite=False)
    check_output(output, overwrite=True)
    (output / "report.json").write_text("{}")
    check_output(output, overwrite=True)
    (output / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match="nothing but an earlier evaluation"):
        check_output(output, overwrite=True)
    with pytest.raises(UsageError, match="nothing but an earlier evaluation"):
        check_output(output / "thesis.txt", overwrite=True)
    with pytest.raises(UsageError, match="can be written"):
        check_output(output / "thesis.txt" / "out", overwrite=False)


def test_the_command(digits_run, digits_dir, tmp_path, run):
    arguments = [
        "evaluate",
        digits_run.workdir / "model.tflite",
        "--dataset=digits",
        f"--data_dir={digits_dir}",
        f"--output={tmp_path / 'out'}",
    ]
    code, output, error = run(*arguments)
    assert code == 0, error
    assert "digits, test: 360 images of 10 classes\n" in output
    accuracy = f"{digits_run.report['accuracy']:.2%}"
    assert f"accuracy {accuracy}" in " ".join(output.split())
    assert max(map(len, output.splitlines()[:-1])) <= 80
    assert "360 of 360 images" in error
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["accuracy"] == digits_run.report["accuracy"]
    code, output, error = run(*arguments)
    assert (code, output) == (1, "")
    assert "--overwrite" in error
    assert run(*arguments, "--overwrite")[0] == 0
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_other_formats(name, digits_run, digits, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip(f"{name}")
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    path = tmp_path / export.FORMATS[name].file_name()
    getattr(export, name)(model, path, include_preprocessing=True)
    report = evaluation.evaluate(path, digits, verbose=False)
    assert report["accuracy"] == digits_run.report["accuracy"]


@pytest.mark.slow
def test_another_process(digits_run, digits_dir, tmp_path):
    import subprocess
    import sys

    result = subprocess.run(
        [
            *(sys.executable, "-m", "se_keras.cli", "evaluate"),
            *(digits_run.workdir / "saved_model", "--dataset=digits"),
            *(f"--data_dir={digits_dir}", f"--output={tmp_path / 'out'}"),
        ],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert f"{digits_run.report['accuracy']:.2%}" in result.stdout
    assert open_source("digits", str(digits_dir)).num_examples("test") == 360


def test_splits_of_a_folder(tmp_path):
    """The drawn split of a run is evaluated with the settings of the run, or all."""
    dataset = gray_folder(tmp_path, "ab", [20, 20]) + "/train"
    drawn = Splits(evaluation_fraction=0.5, split_seed=3)
    expected = open_source(dataset, splits=drawn).num_examples("validation")
    assert expected > 12
    for settings, examples in (({"splits": drawn}, expected), ({"split": "all"}, 40)):
        report = evaluation.evaluate(by_gray("ab"), dataset, verbose=False, **settings)
        assert report["examples"] == examples


def test_settings_of_splits_from_flags():
    arguments = {name.removeprefix("--"): None for name in split_arguments()}
    assert splits_of(arguments) == Splits()
    arguments |= {"evaluation_fraction": "0.5", "split_seed": "3"}
    assert splits_of(arguments) == Splits(evaluation_fraction=0.5, split_seed=3)
    with pytest.raises(UsageError, match="evaluation_fraction=2"):
        splits_of({"evaluation_fraction": "2"})


@pytest.mark.parametrize("name", ["evaluate", "data"])
def test_help_of_splits(name, run):
    """argparse takes a percent sign for a format."""
    code, output, _ = run(name, "--help")
    assert (code, "train[:80%]" in output) == (0, True)

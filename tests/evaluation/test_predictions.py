"""Files, folders and bad files, against the pixels that Pillow reads."""

import collections
import csv
import io
import itertools
import json
import os
import sys
import types

import numpy as np
import pytest
from PIL import Image

from se_keras.errors import UsageError
from se_keras.evaluation import Prediction, predict
from se_keras.evaluation.predictions import image_files
from se_keras.export.classifier import Classifier
from se_keras.models import Preprocessing

PIXELS = Preprocessing((4, 4), 1.0, mean=(0.0,) * 3, std=(1.0,) * 3)


def gray_level(pixels):
    """Scores of 4 classes by the gray level: 0, 60, 120, 180."""
    level = np.asarray(pixels)[:, :1, 0, 0] / 60
    scores = np.exp(-((level - np.arange(4)) ** 2))
    return scores / scores.sum(-1, keepdims=True)


CLASSIFIER = Classifier(gray_level, PIXELS, ("zero", "one", "two", "three"))
SUFFIXES = (".png", ".jpg", ".bmp", ".gif")


def write(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), (60 * level + 9,) * 3).save(path)


@pytest.fixture
def photos(tmp_path):
    """A folder of 12 images at several depths, a damaged one, and other files."""
    root = tmp_path / "photos"
    for number in range(12):
        name = f"{number:02}{SUFFIXES[number % 4]}"
        folder = ("", "b/deep", "a, with comma")[number % 3]
        write(root / folder / name, number % 4)
    (root / "b/broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    (root / "b/notes.txt").write_text("text")
    (root / ".hidden").mkdir()
    write(root / ".hidden/1.png", 1)
    (root / "link").symlink_to(root)
    return root


def test_files_are_found_in_order(photos):
    left_out = collections.Counter()
    found = [os.path.relpath(p, photos) for p in image_files([photos], left_out)]
    assert found == [
        *(f"{n:02}{SUFFIXES[n % 4]}" for n in (0, 3, 6, 9)),
        *(f"a, with comma/{n:02}{SUFFIXES[n % 4]}" for n in (2, 5, 8, 11)),
        "b/broken.jpg",
        *(f"b/deep/{n:02}{SUFFIXES[n % 4]}" for n in (1, 4, 7, 10)),
    ]
    assert left_out == {".txt": 1}


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_every_file_has_its_classes(photos, batch_size):
    predictions = [*predict(CLASSIFIER, [photos], top=2, batch_size=batch_size)]
    assert [p.path for p in predictions] == [*image_files([photos])]
    names = np.array(CLASSIFIER.class_names)
    for prediction in predictions:
        if "broken" in prediction.path:
            assert "an image file" in prediction.error
            assert prediction.path in prediction.error
            assert (prediction.class_names, prediction.scores) == ((), ())
            continue
        with Image.open(prediction.path) as image:
            level = np.array([[[[image.convert("RGB").getpixel((0, 0))[0]]]]])
        scores = gray_level(level)[0]
        order = np.argsort(-scores)[:2]
        assert list(prediction.class_names) == list(names[order])
        np.testing.assert_allclose(prediction.scores, scores[order], atol=1e-2)
        assert prediction.error is None


def test_files_that_cannot_be_read(tmp_path):
    good = tmp_path / "good.png"
    write(good, 2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    paths = ["missing.png", "empty", "dangling.png", "good.png", "good.png"]
    predictions = [*predict(CLASSIFIER, [tmp_path / path for path in paths])]
    assert [p.error is None for p in predictions] == [False] * 3 + [True] * 2
    assert "No such file" in predictions[0].error
    assert "directory with image files" in predictions[1].error
    assert "No such file" in predictions[2].error
    assert predictions[3] == predictions[4]
    assert predictions[3].class_names[0] == "two"


def test_images_are_not_all_read_at_once(tmp_path):
    """An endless list of files gives its first results."""
    write(tmp_path / "1.png", 1)
    endless = itertools.repeat(tmp_path / "1.png")
    predictions = predict(CLASSIFIER, endless, batch_size=2)
    assert [p.class_names[0] for p in itertools.islice(predictions, 5)] == ["one"] * 5
    predictions.close()


def test_logits_and_classes_without_names(tmp_path):
    write(tmp_path / "3.png", 3)
    logits = Classifier(lambda pixels: 4 * gray_level(pixels) - 1, PIXELS, None)
    (prediction,) = predict(logits, [tmp_path / "3.png"], top=99)
    assert prediction.class_names[0] == "class 3"
    assert len(prediction.scores) == 4
    assert sum(prediction.scores) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("options", [{"top": 0}, {"batch_size": 0}, {"top": "3"}])
def test_bad_options(options):
    with pytest.raises(UsageError, match="to be positive"):
        predict(CLASSIFIER, [], **options)


def test_a_model_that_is_missing_is_an_error_at_once():
    with pytest.raises(UsageError, match="there is no file"):
        predict("nowhere.keras", [])


@pytest.fixture
def gray_model(monkeypatch):
    """The command finds the classifier of gray levels under any name."""
    from se_keras.evaluation import predictions

    monkeypatch.setattr(predictions, "as_classifier", lambda model: CLASSIFIER)


@pytest.mark.usefixtures("gray_model")
class TestCommand:
    def test_csv(self, photos, run):
        code, output, error = run("predict", "m.keras", photos, "--top=2")
        assert code == 65
        rows = [*csv.DictReader(io.StringIO(output))]
        expected = [*predict(CLASSIFIER, [photos], top=2)]
        columns = "path class_1 score_1 class_2 score_2 error"
        assert [*rows[0]] == columns.split()
        for row, each in zip(rows, expected, strict=True):
            assert row["path"] == each.path
            assert row["error"] == (each.error or "")
            names = (row["class_1"], row["class_2"])
            assert names == (each.class_names or ("", ""))
            if not each.error:
                assert float(row["score_1"]) == each.scores[0]
        assert "1 of 13 files" in error
        assert "1 other files are left out: 1 .txt" in error

    def test_json_lines(self, photos, run, tmp_path):
        file = tmp_path / "out.jsonl"
        code, output, _ = run(
            "predict", "m.keras", photos, "--format=jsonl", f"--output={file}"
        )
        assert (code, output) == (65, "")
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row, each in zip(rows, predict(CLASSIFIER, [photos]), strict=True):
            assert row["path"] == each.path
            assert row.get("error") == each.error
            pairs = [(c["name"], c["score"]) for c in row.get("classes", ())]
            assert pairs == [*zip(each.class_names, each.scores, strict=True)]

    def test_good_files_only(self, photos, run):
        code, output, error = run("predict", "m.keras", photos / "00.png", "--top=1")
        assert code == 0
        assert output.splitlines()[0] == "path,class_1,score_1,error"
        assert output.splitlines()[1].split(",")[1] == "zero"
        assert "1 images" in error

    def test_names_of_any_bytes(self, tmp_path, run, monkeypatch):
        """A name with a comma, a quote and a line end, and one that is not UTF-8."""
        names = [b'a,"b"\nc.png', b"\xff\xfe.png"]
        for name in names:
            path = os.path.join(os.fsencode(tmp_path), name)
            with open(path, "wb") as file:
                Image.new("RGB", (4, 4), (60, 60, 60)).save(file, "png")
        code, _, _ = run("predict", "m.keras", tmp_path, f"--output={tmp_path}/o.csv")
        assert code == 0
        with open(
            tmp_path / "o.csv", newline="", encoding="utf8", errors="surrogateescape"
        ) as file:
            rows = [*csv.DictReader(file)]
        found = {os.path.basename(os.fsencode(row["path"])) for row in rows}
        assert found == set(names)
        assert {row["class_1"] for row in rows} == {"one"}

    def test_a_list_on_the_standard_input(self, photos, run, monkeypatch):
        listed = b"".join(os.fsencode(photos / n) + b"\n" for n in ("00.png", "03.gif"))
        stdin = types.SimpleNamespace(buffer=io.BytesIO(listed))
        monkeypatch.setattr(sys, "stdin", stdin)
        code, output, _ = run("predict", "m.keras", "-", "--top=1")
        assert code == 0
        assert [line.split(",")[1] for line in output.splitlines()[1:]] == [
            "zero",
            "three",
        ]

    def test_output_that_cannot_be_written(self, photos, run):
        code, _, error = run(
            "predict", "m.keras", photos / "00.png", f"--output={photos}/00.png/x"
        )
        assert code == 1
        assert "can be written" in error


def test_prediction_of_a_run(digits_run, tmp_path):
    """An image of a digit, with a model from a file."""
    from sklearn.datasets import load_digits

    digit = (load_digits().images[3] * (255 / 16)).round().astype("uint8")
    Image.fromarray(digit).save(tmp_path / "3.png")
    (prediction,) = predict(digits_run.workdir / "model.tflite", [tmp_path / "3.png"])
    assert isinstance(prediction, Prediction)
    assert prediction.class_names[0] == "3"
    assert prediction.scores[0] > 0.5

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.datasets
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from se_keras.data import Augmentation, embedded, open_source, training_batches
from se_keras.data.pipeline import evaluation_batches
from se_keras.errors import UsageError
from se_keras.models.preprocessing import CIFAR, IMAGENET
from tests.data.images import decode, pillow_center_crop
from tests.helpers import ROOT


def state(folder):
    """Returns the files of a folder with their times and sizes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in files]


def test_digits_are_those_of_scikit_learn(digits):
    images, labels = load_digits(return_X_y=True)
    pixels = np.round(images * 255 / 16).astype("uint8")
    expected = {i.tobytes(): y for i, y in zip(pixels, labels, strict=True)}
    assert len(expected) == 1797

    found = {}
    for split, count in (("train", 1437), ("test", 360)):
        records = list(digits.records(split).as_numpy_iterator())
        assert len(records) == digits.num_examples(split) == count
        assert all(encoded.startswith(b"\x89PNG") for encoded, _ in records)
        found |= {decode(encoded).tobytes(): label for encoded, label in records}
    # 1437 + 360 different images: the splits have none in common.
    assert found == expected


def test_test_split_has_a_fifth_of_each_class(digits):
    test = [label for _, label in digits.records("test").as_numpy_iterator()]
    fractions = np.bincount(test) / np.bincount(load_digits().target)
    np.testing.assert_allclose(fractions, 0.2, atol=0.01)


def test_facts_of_the_digits(digits):
    assert digits.name == "digits"
    assert digits.class_names == tuple("0123456789")
    assert digits.image_shape == (8, 8, 1)
    assert (digits.train_split, digits.evaluation_split) == ("train", "test")


def test_digits_are_prepared_once(digits_dir):
    before = state(digits_dir)
    open_source("digits", str(digits_dir))
    assert len(before) >= 4
    assert state(digits_dir) == before


def test_two_threads_prepare_at_once(tmp_path, monkeypatch):
    """Both find nothing there and start."""
    barrier = threading.Barrier(2)

    def load_when_both_are_here(**kwargs):
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=5)
        return load_digits(**kwargs)

    monkeypatch.setattr(sklearn.datasets, "load_digits", load_when_both_are_here)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(embedded.prepare, [tmp_path] * 2))
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["1.0.0"]
    assert open_source("digits", str(tmp_path)).num_examples("train") == 1437


@pytest.mark.slow
def test_two_processes_prepare_at_once(tmp_path):
    program = (
        "import sys; from se_keras.data import open_source; print('ready', flush=True);"
        "sys.stdin.readline(); source = open_source('digits', sys.argv[1]);"
        "print(len(list(source.records('train'))), 'images')"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    for run in runs:
        output, errors = run.communicate()
        assert run.returncode == 0, errors
        assert "1437 images" in output
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["1.0.0"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_CACHE_HOME": "/a/cache"}, "/a/cache/se_keras"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/me"}, "/home/me/.cache/se_keras"),
    ],
)
def test_cache_dir(variables, expected, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert embedded.cache_dir() == pathlib.Path(expected)


def test_digits_are_in_the_cache_by_default(digits_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "se_keras").symlink_to(digits_dir)
    source = open_source("digits")
    assert source.builder.data_dir == os.fspath(tmp_path / "se_keras/digits/1.0.0")


def test_photographs(photos):
    assert photos.class_names == ("china", "flower")
    assert photos.image_shape == (None, None, 3)
    # Not the test split, which may have no labels.
    assert photos.evaluation_split == "validation"
    assert (photos.image_key, photos.label_key) == ("image", "label")
    encoded, label = next(iter(photos.records("train")))
    assert encoded.numpy().startswith(b"\xff\xd8")
    assert label.numpy() in (0, 1)


@pytest.mark.parametrize(
    ("name", "evaluation_split", "preprocessing", "shape", "classes"),
    [
        ("imagenet2012", "validation", IMAGENET, (None, None, 3), 1000),
        ("cifar10", "test", CIFAR, (32, 32, 3), 10),
    ],
)
def test_data_sets_of_tfds(
    name, evaluation_split, preprocessing, shape, classes, tmp_path
):
    """The same pipeline, on made-up images of the form that TFDS has for them."""
    builder = tfds.builder(name, data_dir=tmp_path)
    builder.info.set_splits(
        tfds.core.SplitDict(
            [
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[5],
                    num_bytes=5,
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=builder.data_path,
                        dataset_name=name,
                        filetype_suffix="tfrecord",
                    ),
                )
                for split in ("train", evaluation_split)
            ]
        )
    )
    builder.data_path.mkdir(parents=True)
    builder.info.write_to_directory(builder.data_path)

    with tfds.testing.mock_data(num_examples=5, data_dir=tmp_path):
        source = open_source(name, str(tmp_path))
        assert source.name == name
        assert source.image_shape == shape
        assert len(source.class_names) == classes
        assert source.evaluation_split == evaluation_split

        batches = training_batches(
            source, preprocessing, Augmentation(), batch_size=2, seed=0, epoch=0
        )
        parts = [(images.shape, labels.shape) for images, labels in batches]
        assert parts == [((2, *preprocessing.size, 3), (2,))] * 2

        (batch,) = evaluation_batches(source, preprocessing, batch_size=8)
        records = list(source.records(evaluation_split).as_numpy_iterator())
    images, labels, weights = (part.numpy() for part in batch)
    assert weights.tolist() == [1] * 5 + [0] * 3
    assert labels[:5].tolist() == [label for _, label in records]
    assert images.shape == (8, *preprocessing.size, 3)
    for image, (encoded, _) in zip(images, records, strict=False):
        pixels = pillow_center_crop(decode(encoded), preprocessing) / 255
        expected = (pixels - preprocessing.mean) / preprocessing.std
        assert np.abs(image - expected).mean() < 0.05


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cifar11", "Did you mean .*cifar10 or .*Received: 'cifar11'"),
        ("digitz", "Did you mean digits"),
        ("no such thing", "can be opened"),
        ("imagenet2012/no_such_config", "can be opened.*no_such_config"),
    ],
)
def test_unknown_name(name, hint, tmp_path):
    with pytest.raises(UsageError, match=f"(?s){hint}"):
        open_source(name, str(tmp_path))


def test_manual_download(tmp_path):
    place = re.escape(str(tmp_path / "downloads" / "manual"))
    hint = f"(?s)'imagenet2012'.*by hand into {place}.*ILSVRC2012_img_train.tar"
    with pytest.raises(UsageError, match=hint):
        open_source("imagenet2012", str(tmp_path))


def test_no_network(tmp_path, monkeypatch):
    def download(self):
        raise ConnectionError("no route")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download)
    hint = f"{tmp_path} and could not be downloaded: no route.*`tfds build cifar10`"
    with pytest.raises(UsageError, match=hint):
        open_source("cifar10", str(tmp_path))


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_data_dir_that_is_a_file(name, tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(UsageError, match=re.escape(str(file))):
        open_source(name, str(file))
    assert list(tmp_path.iterdir()) == [file]


IMAGE = tfds.features.Image(shape=(2, 2, 3))
LABEL = tfds.features.ClassLabel(num_classes=2)
PIXELS = np.zeros((2, 2, 3), "uint8")


@pytest.mark.parametrize(
    ("features", "splits", "message"),
    [
        ({"image": IMAGE}, ("train", "test"), r"one class each.*\['image'\]"),
        ({"label": LABEL}, ("train", "test"), r"one class each.*\['label'\]"),
        (
            {"image": IMAGE, "label": LABEL, "other": LABEL},
            ("train", "test"),
            "one class each.*'other'",
        ),
        ({"image": IMAGE, "label": LABEL}, ("train",), r"a split train.*\['train'\]"),
        ({"image": IMAGE, "label": LABEL}, ("test",), r"a split train.*\['test'\]"),
    ],
)
def test_other_kinds_of_data(features, splits, message, tmp_path):
    values = {"image": PIXELS, "label": 1, "other": 0}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="other_kind",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: [(0, {k: values[k] for k in features})] for split in splits
        },
        data_dir=tmp_path,
    )
    with pytest.raises(UsageError, match=f"(?s){message}|'other_kind'.*{message}"):
        open_source("other_kind", str(tmp_path))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_set_that_was_stored_in_an_order(tmp_path):
    """TFDS refuses to shuffle such a set unless it is told to."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="in_order",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(2, 2, 3)),
                "label": tfds.features.ClassLabel(num_classes=3),
            }
        ),
        split_datasets={
            split: [
                (i, {"image": np.full((2, 2, 3), i, "uint8"), "label": i % 3})
                for i in range(12)
            ]
            for split in ("train", "test")
        },
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    source = open_source("in_order", str(tmp_path))
    for seed in (None, 1):
        labels = [int(label) for _, label in source.records("train", seed)]
        assert sorted(labels) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]

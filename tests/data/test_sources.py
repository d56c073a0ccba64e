import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.datasets
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from se_keras.data import (
    Augmentation,
    Splits,
    embedded,
    open_source,
    tfds_source,
    training_batches,
)
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
    hint = f"(?s)'imagenet2012'.*put its files into {place}.*ILSVRC2012_img_train.tar"
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


@pytest.fixture(scope="module")
def in_order(tmp_path_factory):
    """Data sets that are stored by class, of 60 images each."""
    data_dir = tmp_path_factory.mktemp("in_order")

    def store(name, splits, labels=lambda i: i // 20):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            tfds.dataset_builders.store_as_tfds_dataset(
                name=name,
                version="1.0.0",
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(2, 2, 3)),
                        "label": tfds.features.ClassLabel(num_classes=3),
                    }
                ),
                split_datasets={
                    split: [
                        (
                            i,
                            {
                                "image": np.full((2, 2, 3), i, "uint8"),
                                "label": labels(i),
                            },
                        )
                        for i in range(60)
                    ]
                    for split in splits
                },
                data_dir=data_dir,
                disable_shuffling=True,
            )

    store("both", ("train", "test"))
    store("train_only", ("train",))
    store("three", ("train", "val", "test"))
    store("one_of_a_class", ("train",), lambda i: 2 if i == 59 else i % 2)
    store("none_of_a_class", ("train",), lambda i: i % 2)
    return str(data_dir)


def read(source, split, seed=None):
    """Returns pairs of the value that an image consists of, and its label."""
    records = source.records(split, seed).as_numpy_iterator()
    return [(int(decode(encoded)[0, 0, 0]), int(label)) for encoded, label in records]


def test_a_set_that_was_stored_in_an_order(in_order):
    """TFDS refuses to shuffle such a set by default."""
    source = open_source("both", in_order)
    for seed in (None, 1):
        labels = [label for _, label in read(source, "train", seed)]
        assert sorted(labels) == [0] * 20 + [1] * 20 + [2] * 20


def test_a_drawn_split_of_a_set_in_order(in_order):
    source = open_source("train_only", in_order)
    assert source.splits == ("train", "validation")
    assert source.summary() == [
        f"Images: train {source.num_examples('train')}, validation "
        f"{source.num_examples('validation')} (drawn from train)."
    ]
    stored, shuffled = (
        [read(source, split, seed) for split in source.splits] for seed in (None, 3)
    )
    assert [*map(len, stored)] == [*map(source.num_examples, source.splits)]
    assert sorted(stored[0] + stored[1]) == [(i, i // 20) for i in range(60)]
    assert [*map(sorted, shuffled)] == stored
    for of_split in stored:
        assert {label for _, label in of_split} == {0, 1, 2}
    again = open_source("train_only", in_order, Splits(split_seed=1))
    assert read(again, "validation") != stored[1]
    half = open_source("train_only", in_order, Splits(evaluation_fraction=0.5))
    assert half.num_examples("validation") > len(stored[1])


def test_a_drawn_split_in_batches(in_order):
    """Two workers together see each evaluation image once."""
    source = open_source("train_only", in_order)
    preprocessing = IMAGENET.with_input(4, 4, 3)
    seen = []
    for worker in range(2):
        batches = evaluation_batches(
            source, preprocessing, batch_size=8, shard=(worker, 2)
        )
        seen += [int(w) for _, _, weights in batches for w in weights]
    assert sum(seen) == source.num_examples("validation")
    assert len(seen) % 8 == 0
    batches = training_batches(
        source, preprocessing, Augmentation(), batch_size=10, seed=0, epoch=0
    )
    assert len([*batches]) == source.num_examples("train") // 10


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"train": (0, 60), "val": (0, 60), "test": (0, 60)}),
        (
            {"train_split": "train[:80%]", "evaluation_split": "train[80%:]"},
            {"train[:80%]": (0, 48), "train[80%:]": (48, 60), "test": (0, 60)},
        ),
        (
            {"train_split": "train[10:]", "test_split": "test[:10]+train[:10]"},
            {"train[10:]": (10, 60), "val": (0, 60), "test[:10]+train[:10]": (0, 10)},
        ),
    ],
)
def test_splits_of_tfds(settings, expected, in_order):
    source = open_source("three", in_order, Splits(**settings))
    assert source.splits == tuple(expected)
    for split, (start, end) in expected.items():
        values = {value for value, _ in read(source, split)}
        assert values == set(range(start, end))
    assert source.num_examples(source.train_split) == len(
        read(source, source.train_split)
    )


def test_a_test_split_without_labels(in_order, monkeypatch):
    """As in ImageNet, whose test labels are -1."""
    records = tfds_source.TfdsSource.records

    def unlabeled(self, split, shuffle_seed=None):
        found = records(self, split, shuffle_seed)
        return found.map(lambda image, label: (image, -1 if split == "test" else label))

    monkeypatch.setattr(tfds_source.TfdsSource, "records", unlabeled)
    assert open_source("three", in_order).splits == ("train", "val")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("three", {"train_split": "no"}, r"--train_split\. Received: 'no' of 'three'"),
        ("three", {"train_split": "train[:x%]"}, "split of TFDS.*train_split"),
        ("three", {"train_split": "train[:0]"}, "a split with images"),
        ("three", {"evaluation_split": "train[50:]"}, "separate images"),
        ("three", {"evaluation_split": "val", "test_split": "val"}, "separate images"),
        ("train_only", {"split_by": "parent"}, "split_by=file for a data set of TFDS"),
        ("one_of_a_class", {}, "Received: one of '2'"),
        ("none_of_a_class", {}, "of all 3 classes in 'train'.*without any of '2'"),
    ],
)
def test_splits_of_tfds_that_are_refused(name, settings, message, in_order):
    with pytest.raises(UsageError, match=message) as error:
        open_source(name, in_order, Splits(**settings))
    assert "\n" not in str(error.value)

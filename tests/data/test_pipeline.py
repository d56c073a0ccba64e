import collections
import dataclasses
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import (
    Augmentation,
    evaluation_batches,
    read_image,
    training_batches,
)
from se_keras.data.images import decode_image
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from se_keras.models.preprocessing import CIFAR, IMAGENET
from tests.data.images import decode, encode, photo
from tests.helpers import ROOT

# Nothing is done to an image: it can be recognized in a batch.
PIXELS = Preprocessing((8, 8), 1.0, mean=(0.0,), std=(1 / 255,))
UNTOUCHED = Augmentation(crop="padded", padding=0, flip=False)
MIXED = dataclasses.replace(UNTOUCHED, mixup=0.2, cutmix=1.0)


def training(
    source, preprocessing=PIXELS, config=UNTOUCHED, seed=0, epoch=0, batch_size=64
):
    return training_batches(
        source, preprocessing, config, batch_size=batch_size, seed=seed, epoch=epoch
    )


def arrays(batches):
    """Returns all images and labels of some batches."""
    images, labels, *_ = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def named(images, labels):
    """Returns a count of pairs of pixels and labels."""
    pixels = np.round(images).astype("uint8")
    return collections.Counter(
        (image.tobytes(), int(label))
        for image, label in zip(pixels, labels, strict=True)
    )


def stored(source, split):
    """Returns the same count of a split as it is stored."""
    records = list(source.records(split).as_numpy_iterator())
    return named([decode(encoded) for encoded, _ in records], [y for _, y in records])


@pytest.mark.parametrize(
    "config", [pytest.param(UNTOUCHED, marks=pytest.mark.slow), Augmentation()]
)
def test_training_batches_follow_from_seed_and_epoch(config, digits, monkeypatch):
    first = arrays(training(digits, config=config))
    for calls in (1, 7):
        monkeypatch.setattr(tf.data, "AUTOTUNE", calls)
        again = arrays(training(digits, config=config))
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
    for other in ({"seed": 1}, {"epoch": 1}):
        images, labels = arrays(training(digits, config=config, **other))
        assert (images != first[0]).any()
        assert (labels != first[1]).any()


EVERYTHING = Augmentation(
    rotation=10.0,
    jitter=20.0,
    operations=1,
    magnitude_std=0.5,
    erasing=0.5,
    mixup=0.2,
    cutmix=1.0,
    repeats=2,
)


@pytest.mark.slow
def test_an_epoch_from_a_step_on(digits, monkeypatch):
    """Bit for bit, whatever is drawn and whatever runs in parallel."""
    source = _Few(digits)

    def batches(**options):
        return list(
            training_batches(
                source, PIXELS, EVERYTHING, batch_size=8, seed=3, epoch=2, **options
            )
        )

    whole = batches()
    assert len(whole) == 5
    images, labels = whole[0]
    assert images.shape == (8, 8, 8, 1)
    assert (images.dtype, labels.dtype, labels.shape) == ("float32", "float32", (8, 10))
    monkeypatch.setattr(tf.data, "AUTOTUNE", 3)
    rest = batches(first_step=2)
    assert len(rest) == 3
    for expected, actual in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(expected[0], actual[0])
        np.testing.assert_array_equal(expected[1], actual[1])


class _Few:
    """The first 43 images of a data set."""

    def __init__(self, source):
        self._source = source

    def __getattr__(self, name):
        return getattr(self._source, name)

    def num_examples(self, _):
        return 43

    def named_records(self, split, shuffle_seed=None):
        return self._source.named_records(split).take(43)


@pytest.mark.parametrize(
    ("workers", "config"), [(2, MIXED), (4, MIXED), (4, UNTOUCHED)]
)
def test_shards_of_training(workers, config, digits):
    """Together they are the batches of one worker, mixtures included."""
    source = _Few(digits)

    def batches(**options):
        return list(
            training_batches(
                source, PIXELS, config, batch_size=8, seed=0, epoch=0, **options
            ).as_numpy_iterator()
        )

    whole = batches(first_step=1)
    shards = [batches(first_step=1, shard=(n, workers)) for n in range(workers)]
    for (images, labels), *parts in zip(whole, *shards, strict=True):
        assert {len(part[0]) for part in parts} == {8 // workers}
        together = [np.concatenate(part) for part in zip(*parts, strict=True)]
        expected, actual = (
            sorted((image.tobytes(), label.tobytes()) for image, label in pairs)
            for pairs in (
                zip(images, labels, strict=True),
                zip(*together, strict=True),
            )
        )
        assert actual == expected


@pytest.mark.parametrize(("workers", "batch_size"), [(4, 96), (3, 6)])
def test_shards_of_evaluation(workers, batch_size, digits):
    shards = [
        [
            np.concatenate(part)
            for part in zip(
                *evaluation_batches(
                    digits, PIXELS, batch_size=batch_size, shard=(worker, workers)
                ),
                strict=True,
            )
        ]
        for worker in range(workers)
    ]
    batches = -(-360 // batch_size)
    assert {len(images) for images, _, _ in shards} == {batches * batch_size // workers}
    images, labels, weights = (np.concatenate(p) for p in zip(*shards, strict=True))
    found = named(images[weights == 1], labels[weights == 1])
    assert found == stored(digits, "test")


@pytest.mark.parametrize("batch_size", [9, 10])
def test_batch_that_cannot_be_shared(batch_size, digits):
    message = r"a multiple of 4, twice the number of workers.*Received: .*=(9|10)"
    with pytest.raises(UsageError, match=message):
        evaluation_batches(digits, PIXELS, batch_size=batch_size, shard=(0, 2))


def test_repeated_augmentation(digits):
    """Three times as often, a third of the images, in the same number of steps."""
    config = dataclasses.replace(UNTOUCHED, repeats=3)
    plain, _ = arrays(training(digits))
    images, labels = arrays(training(digits, config=config))
    assert images.shape == plain.shape
    counts = named(images, labels)
    assert counts <= collections.Counter({k: 3 for k in stored(digits, "train")})
    assert sorted(counts.values())[1:] == [3] * (len(counts) - 1)
    # They follow each other, and each has its own crop.
    assert named(images[:3], labels[:3]).most_common()[0][1] == 3
    config = dataclasses.replace(config, padding=2)
    images, labels = arrays(training(digits, config=config))
    assert len(set(labels[:3])) == 1
    assert (images[0] != images[1]).any()
    # Another epoch takes others.
    others = named(*arrays(training(digits, config=config, epoch=1)))
    assert set(others) != set(named(images, labels))


def test_service(digits):
    """A dispatcher and two workers in this process."""
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    workers = [  # noqa: F841 (they live as long as they are known)
        service.WorkerServer(
            service.WorkerConfig(dispatcher.target.removeprefix("grpc://"))
        )
        for _ in range(2)
    ]
    batches = training_batches(
        digits,
        PIXELS,
        UNTOUCHED,
        batch_size=64,
        seed=0,
        epoch=0,
        first_step=2,
        service=dispatcher.target,
    )
    images, labels = arrays(batches)
    assert len(images) == (22 - 2) * 64
    assert set(named(images, labels)) <= set(stored(digits, "train"))
    assert len(set(named(images, labels))) > 600


@pytest.mark.slow
@pytest.mark.parametrize("mixing", ["plain", "mixed"])
def test_two_workers(mixing, digits_dir, tmp_path):
    """Two processes see together, bit for bit, the batches that one sees."""
    with socket.socket() as first, socket.socket() as second:
        for sock in (first, second):
            sock.bind(("localhost", 0))
        ports = [sock.getsockname()[1] for sock in (first, second)]
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    runs, files = [], []
    for task in (None, 0, 1):
        config = {"cluster": cluster, "task": {"type": "worker", "index": task}}
        files.append(tmp_path / f"{task}.npz")
        variables = {} if task is None else {"TF_CONFIG": json.dumps(config)}
        command = (sys.executable, "-m", "tests.data.one_worker")
        runs.append(
            subprocess.Popen(
                [*command, digits_dir, files[-1], mixing],
                cwd=ROOT,
                env=os.environ | variables,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
    alone, *parts = (np.load(file) for file in files)
    assert len(alone["train_0"]) == 17 * 64
    assert alone["evaluation_2"].sum() == 360
    for name in alone:
        expected = alone[name].reshape(-1, 64, *alone[name].shape[1:])
        halves = [p[name].reshape(-1, 32, *p[name].shape[1:]) for p in parts]
        np.testing.assert_array_equal(np.concatenate(halves, 1), expected)


def test_training_batches_can_be_read_twice(digits):
    batches = training(digits)
    np.testing.assert_array_equal(arrays(batches)[1], arrays(batches)[1])


def test_augmentation_changes_with_the_epoch(digits):
    """Also for one image: its place in the order is not all that decides."""
    config = Augmentation(crop="padded", padding=3, flip=False)
    source = _OneImage(digits)
    first, second = (
        arrays(training(source, config=config, epoch=epoch, batch_size=16))[0]
        for epoch in (0, 1)
    )
    assert (first != second).any()
    assert (first != first[:1]).any()


class _OneImage:
    """The first image of a data set, 16 times."""

    train_split = "train"

    def __init__(self, source):
        self._source = source
        self.class_names = source.class_names
        self.image_shape = source.image_shape

    def num_examples(self, _):
        return 16

    def read(self, stored, tolerant=False):
        return stored

    def named_records(self, split, shuffle_seed=None):
        return self._source.named_records(split).take(1).repeat(16)


def test_an_epoch_has_every_image_at_most_once(digits):
    images, labels = arrays(training(digits))
    assert len(images) == 1437 // 64 * 64
    found = named(images, labels)
    assert found <= stored(digits, "train")
    assert max(found.values()) == 1
    # In another order, which mixes the classes.
    assert (labels[:-1] != labels[1:]).mean() > 0.8
    order = [y for _, y in digits.records("train").as_numpy_iterator()]
    assert (labels != order[: len(labels)]).any()


@pytest.mark.parametrize("batch_size", [64, 90, 400])
def test_evaluation_has_every_image_once(batch_size, digits):
    batches = list(
        evaluation_batches(digits, PIXELS, batch_size=batch_size).as_numpy_iterator()
    )
    assert {images.shape for images, _, _ in batches} == {(batch_size, 8, 8, 1)}
    assert len(batches) == -(-360 // batch_size)
    images, labels, weights = (
        np.concatenate(part) for part in zip(*batches, strict=True)
    )
    assert weights.sum() == 360
    assert set(weights) <= {0, 1}
    assert not images[weights == 0].any()
    assert named(images[weights == 1], labels[weights == 1]) == stored(digits, "test")


@pytest.mark.parametrize("split", ["train", "test"])
def test_evaluation_of_a_split_with_names(digits, split):
    batches = evaluation_batches(
        digits, PIXELS, batch_size=500, split=split, with_names=True
    )
    images, labels, weights, names = (
        np.concatenate(part) for part in zip(*batches.as_numpy_iterator(), strict=True)
    )
    records = [*digits.named_records(split).as_numpy_iterator()]
    assert weights.sum() == len(records)
    for encoded, label, name in (records[0], records[-1]):
        (place,) = np.flatnonzero(names == name)
        assert labels[place] == label
        np.testing.assert_array_equal(images[place, ..., 0], decode(encoded))


@pytest.mark.parametrize("preprocessing", [IMAGENET, CIFAR])
def test_photographs(preprocessing, photos):
    images, labels = arrays(
        training(photos, preprocessing, Augmentation(), batch_size=10)
    )
    assert images.shape == (10, *preprocessing.size, 3)
    assert images.dtype == "float32"
    assert sorted(labels) == [0] * 5 + [1] * 5

    (batch,) = evaluation_batches(photos, preprocessing, batch_size=10)
    records = list(photos.records("validation"))
    assert len(records) == 10
    for image, label, (encoded, expected_label) in zip(
        *batch[:2], records, strict=True
    ):
        assert label == expected_label
        pixels = decode_image(encoded, preprocessing).numpy().astype("float64")
        expected = (pixels / 255 - preprocessing.mean) / preprocessing.std
        np.testing.assert_allclose(image, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_read_image_is_the_evaluation_image(suffix, tmp_path):
    path = tmp_path / "no suffix"
    path.write_bytes(encode(photo(40, 70), suffix))
    preprocessing = Preprocessing((16, 16))
    expected = decode_image(tf.constant(path.read_bytes()), preprocessing)
    for given in (path, str(path)):
        np.testing.assert_array_equal(read_image(given, preprocessing), expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image"),
        (b"seven", "not an image"),
        (encode(photo(9, 9))[:99], "damaged"),
        (encode(photo(9, 9), "jpeg")[:99], "damaged"),
        (None, "No such file"),
        ("folder", "Is a directory"),
    ],
    ids=["empty", "text", "half a png", "half a jpeg", "missing", "folder"],
)
def test_read_image_that_is_not_an_image(content, reason, tmp_path):
    path = tmp_path / "image.png"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"Received: '.*image\.png'.*{reason}"):
        read_image(path, IMAGENET)

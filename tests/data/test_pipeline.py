import collections

import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import (
    Augmentation,
    evaluation_batches,
    read_image,
    training_batches,
)
from se_keras.data.images import centre_crop
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from se_keras.models.preprocessing import CIFAR, IMAGENET
from tests.data.images import decode, encode, photo

# Nothing is done to an image: it can be recognised in a batch.
PIXELS = Preprocessing((8, 8), 1.0, mean=(0.0,), std=(1 / 255,))
UNTOUCHED = Augmentation(crop="padded", padding=0, flip=False)


def training(source, record=PIXELS, config=UNTOUCHED, seed=0, epoch=0, batch_size=64):
    return training_batches(
        source, record, config, batch_size=batch_size, seed=seed, epoch=epoch
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


@pytest.mark.parametrize("config", [UNTOUCHED, Augmentation()])
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


@pytest.mark.parametrize("record", [IMAGENET, CIFAR])
def test_photographs(record, photos):
    images, labels = arrays(training(photos, record, Augmentation(), batch_size=10))
    assert images.shape == (10, *record.size, 3)
    assert images.dtype == "float32"
    assert sorted(labels) == [0] * 5 + [1] * 5

    (batch,) = evaluation_batches(photos, record, batch_size=10)
    records = list(photos.records("validation"))
    assert len(records) == 10
    for image, label, (encoded, expected_label) in zip(
        *batch[:2], records, strict=True
    ):
        assert label == expected_label
        pixels = centre_crop(encoded, record).numpy().astype("float64")
        expected = (pixels / 255 - record.mean) / record.std
        np.testing.assert_allclose(image, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_read_image_is_the_evaluation_image(suffix, tmp_path):
    path = tmp_path / "no suffix"
    path.write_bytes(encode(photo(40, 70), suffix))
    record = Preprocessing((16, 16))
    expected = centre_crop(tf.constant(path.read_bytes()), record)
    for given in (path, str(path)):
        np.testing.assert_array_equal(read_image(given, record), expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "none"),
        (b"seven", "none"),
        (encode(photo(9, 9))[:99], "none"),
        (encode(photo(9, 9), "jpeg")[:99], "none"),
        (None, "No such file"),
        ("folder", "Is a directory"),
    ],
    ids=["empty", "text", "half a png", "half a jpeg", "missing", "folder"],
)
def test_read_image_that_is_none(content, reason, tmp_path):
    path = tmp_path / "image.png"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"Received: '.*image\.png'.*{reason}"):
        read_image(path, IMAGENET)

"""Damaged images and labels that are no class, in training and in evaluation."""

import itertools
import re

import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import (
    Augmentation,
    BadImages,
    evaluation_batches,
    open_source,
    training_batches,
)
from se_keras.data.bad_images import naming_bad_images
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from tests.data.images import encode, photo

COUNT = 12
PREPROCESSING = Preprocessing((8, 8), 1.0, mean=(0.0,) * 3, std=(1 / 255,) * 3)
UNTOUCHED = Augmentation(crop="padded", padding=0, flip=False)
JPEG = encode(photo(60, 90), "jpeg")
DAMAGED = {
    "empty": b"",
    "text": b"no image",
    "half a jpeg": JPEG[: len(JPEG) // 2],
    "head of a jpeg": JPEG[:20],
    "half a png": encode(photo(60, 90))[:999],
}


@pytest.fixture
def folder(tmp_path):
    """A folder in which every image is of one gray; 3 of each split are of class b."""
    for split in ("train", "val"):
        for number in range(COUNT):
            path = tmp_path / split / "ab"[number % 4 == 3] / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(np.full((8, 8, 3), 20 * number + 5, "uint8")))
    return tmp_path


def damage(folder, split, *numbers, content=None):
    """Damages some images, each in another way unless `content` is given."""
    contents, paths = itertools.cycle(DAMAGED.values()), []
    for number in numbers:
        (path,) = (folder / split).glob(f"*/{number:02}.png")
        path.write_bytes(next(contents) if content is None else content)
        paths.append(str(path))
    return tuple(paths)


def training(folder, batch_size=4, augmentation=UNTOUCHED, **options):
    source = open_source(f"folder:{folder}")
    return training_batches(
        source,
        PREPROCESSING,
        augmentation,
        batch_size=batch_size,
        seed=0,
        epoch=0,
        **options,
    )


def numbers(images):
    """Returns which image each is."""
    return ((np.asarray(images)[:, 0, 0, 0] - 5) / 20).round().astype(int)


@pytest.mark.parametrize(
    ("kind", "augmentation", "reason"),
    [
        ("empty", UNTOUCHED, "not an image of a format that is read"),
        ("half a jpeg", UNTOUCHED, "damaged"),
        ("head of a jpeg", Augmentation(), "damaged"),
        ("half a png", Augmentation(), "damaged"),
    ],
)
def test_fail_names_the_file(kind, augmentation, reason, folder):
    source = open_source(f"folder:{folder}")
    (path,) = damage(folder, "train", 7, content=DAMAGED[kind])
    message = rf"Received in folder:.*: {re.escape(path)} \({reason}\)$"
    with pytest.raises(UsageError, match=message), naming_bad_images(source):
        list(training(folder, augmentation=augmentation))


def unread(folder, number, kind):
    """Makes a file of the validation split unreadable after it was listed."""
    (path,) = (folder / "val").glob(f"*/{number:02}.png")
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere.png")
    return str(path)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("deleted", "No such file or directory"),
        ("link", "No such file or directory"),
        ("directory", "Is a directory"),
    ],
)
def test_files_that_cannot_be_read(kind, reason, folder):
    source = open_source(f"folder:{folder}")
    path = unread(folder, 7, kind)
    message = rf"Received in folder:.*: {re.escape(path)} \({reason}\)$"
    with pytest.raises(UsageError, match=message), naming_bad_images(source):
        list(evaluation_batches(source, PREPROCESSING, batch_size=5))
    bad = BadImages("skip")
    batches = evaluation_batches(source, PREPROCESSING, batch_size=5, bad_images=bad)
    seen = [n for images, _, good in batches for n in numbers(images[good == 1])]
    assert sorted(seen) == sorted(set(range(COUNT)) - {7})
    assert bad.names == (path,)


@pytest.mark.parametrize("kind", ["deleted", "directory"])
def test_training_without_a_file(kind, folder):
    source = open_source(f"folder:{folder}")
    (path,) = (folder / "train").glob("*/05.png")
    path.unlink()
    if kind == "directory":
        path.mkdir()
    options = {"batch_size": 4, "seed": 0, "epoch": 0}
    with pytest.raises(UsageError, match=re.escape(str(path))):  # noqa: SIM117
        with naming_bad_images(source):
            list(training_batches(source, PREPROCESSING, UNTOUCHED, **options))
    bad = BadImages("skip")
    batches = training_batches(
        source, PREPROCESSING, UNTOUCHED, **options, bad_images=bad
    )
    seen = [number for images, _ in batches for number in numbers(images)]
    assert len(seen) == COUNT
    assert set(seen) == set(range(COUNT)) - {5}
    assert bad.names == (str(path),)


def test_fail_names_more_than_one(folder):
    source = open_source(f"folder:{folder}")
    paths = damage(folder, "val", *range(6))
    batches = evaluation_batches(source, PREPROCESSING, batch_size=5)
    with (
        pytest.raises(UsageError, match="and perhaps more") as failure,
        naming_bad_images(source),
    ):
        list(batches)
    assert sum(path in str(failure.value) for path in paths) == 5


def test_fail_names_the_record_of_tfds(tmp_path):
    import tensorflow_datasets as tfds

    images = [encode(photo(8, 9))] * 2 + [b"no image"]
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["a", "b"]),
        }
    )
    examples = [(n, {"image": i, "label": n % 2}) for n, i in enumerate(images)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="broken",
        version="1.0.0",
        features=features,
        split_datasets={"train": examples, "test": examples[:1]},
        data_dir=tmp_path,
    )
    source = open_source("broken", str(tmp_path))
    names = [
        name.decode()
        for encoded, _, name in source.named_records("train").as_numpy_iterator()
        if encoded == b"no image"
    ]
    batches = training_batches(
        source, PREPROCESSING, UNTOUCHED, batch_size=3, seed=0, epoch=0
    )
    with pytest.raises(UsageError, match=rf"in broken: {names[0]} \(not an"):  # noqa: SIM117
        with naming_bad_images(source):
            list(batches)
    assert "train" in names[0]


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_pixels_of_tfds_that_are_not_bytes(dtype, tmp_path):
    """Floats are stored as the bytes of RGBA; 16 bits are read by their high byte."""
    import tensorflow_datasets as tfds

    shape = (4, 5, 1)
    pixels = (np.indices(shape).sum(0) * 1000).astype(dtype)
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=shape, dtype=np.dtype(dtype).type),
            "label": tfds.features.ClassLabel(names=["a", "b"]),
        }
    )
    examples = [(n, {"image": pixels, "label": n}) for n in range(2)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="other",
        version="1.0.0",
        features=features,
        split_datasets={"train": examples, "test": examples},
        data_dir=tmp_path,
    )
    if dtype == "float32":
        with pytest.raises(UsageError, match=r"uint8 or uint16.*'other'.*float32"):
            open_source("other", str(tmp_path))
        return
    preprocessing = Preprocessing(shape[:2], 1.0, mean=(0.0,), std=(1 / 255,))
    source = open_source("other", str(tmp_path))
    ((images, *_),) = evaluation_batches(source, preprocessing, batch_size=2)
    np.testing.assert_array_equal(images[0], pixels >> 8)


@pytest.mark.parametrize("message", ["something else", "{{node DecodeImage}}"])
def test_other_errors_pass(message, folder):
    """Those of other nodes at once, those of a decoder if nothing is found."""
    source = open_source(f"folder:{folder}")
    if "node" not in message:
        damage(folder, "train", 3)
    error = tf.errors.InvalidArgumentError(None, None, message)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:  # noqa: SIM117
        with naming_bad_images(source):
            raise error
    assert raised.value is error


def test_skip_in_training_takes_the_next_good_one(folder):
    before = [numbers(images) for images, _ in training(folder)]
    # Two in a row, and the last of a batch.
    lost = before[0][[1, 2]].tolist() + before[2][[3]].tolist()
    paths = damage(folder, "train", *lost)
    bad = BadImages("skip")
    after = list(training(folder, bad_images=bad))
    expected = [
        before[0][[0, 3, 3, 3]],
        before[1],
        before[2][[0, 1, 2, 0]],
    ]
    for (images, labels), which in zip(after, expected, strict=True):
        np.testing.assert_array_equal(numbers(images), which)
        np.testing.assert_array_equal(labels, which % 4 == 3)
    assert bad.names == tuple(sorted(paths))
    assert len(bad) == 3


def test_skip_changes_nothing_where_all_are_good(folder):
    config = Augmentation(erasing=0.5, mixup=0.2, cutmix=1.0)
    bad = BadImages("skip")
    plain, skipping = (
        list(training(folder, augmentation=config, **options))
        for options in ({}, {"bad_images": bad})
    )
    for one, other in zip(plain, skipping, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert len(bad) == 0


def test_a_batch_without_good_images(folder):
    source = open_source(f"folder:{folder}")
    damage(folder, "train", *range(COUNT))
    with pytest.raises(UsageError, match="a batch of bad ones"):  # noqa: SIM117
        with naming_bad_images(source):
            list(training(folder, bad_images=BadImages("skip")))


def test_skip_in_evaluation_gives_no_weight(folder):
    source = open_source(f"folder:{folder}")
    lost = {2, 4, 6, 7, 11}
    paths = damage(folder, "val", *lost)
    bad = BadImages("skip")
    batches = evaluation_batches(source, PREPROCESSING, batch_size=5, bad_images=bad)
    images, labels, weights = (
        np.concatenate(part) for part in zip(*batches, strict=True)
    )
    good = weights == 1
    assert set(weights) == {0, 1}
    seen = numbers(images[good])
    assert sorted(seen) == sorted(set(range(COUNT)) - lost)
    np.testing.assert_array_equal(labels[good], seen % 4 == 3)
    assert bad.names == tuple(sorted(paths))


def test_damage_among_the_batches_left_out(folder):
    """They are not decoded."""
    first, *_ = (numbers(images) for images, _ in training(folder))
    damage(folder, "train", *first.tolist())
    assert len(list(training(folder, first_step=1))) == 2


class _OtherLabels:
    """A data set with one class less than it has labels."""

    def __init__(self, source):
        self._source = source
        self.class_names = source.class_names[:1]

    def __getattr__(self, name):
        return getattr(self._source, name)


def test_labels_that_are_no_class(folder):
    source = _OtherLabels(open_source(f"folder:{folder}"))
    options = {"batch_size": 4, "seed": 0, "epoch": 0}
    for batches in (
        training_batches(source, PREPROCESSING, UNTOUCHED, **options),
        evaluation_batches(source, PREPROCESSING, batch_size=4),
    ):
        message = r"Received: .*/b/(03|07|11)\.png with the label 1$"
        with pytest.raises(UsageError, match=message):  # noqa: SIM117
            with naming_bad_images(source):
                list(batches)
    bad = BadImages("skip")
    skipping = training_batches(
        source, PREPROCESSING, UNTOUCHED, **options, bad_images=bad
    )
    assert {int(label) for _, labels in skipping for label in labels} == {0}
    assert len(bad) == 3


def test_unknown_policy():
    message = "on_bad_image to be one of fail, skip. Received: 'ignore'"
    with pytest.raises(UsageError, match=message):
        BadImages("ignore")

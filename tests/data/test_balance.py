"""Balanced sampling, and the first images of a data set."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import Augmentation, training_batches
from se_keras.data.balance import balanced
from se_keras.data.folder import open_folder
from se_keras.data.image_source import ImageSource
from se_keras.models import Preprocessing

COUNTS = (50, 7, 13)
BATCH = 10
PREPROCESSING = Preprocessing(size=(4, 4), mean=(0.0,) * 3, std=(1.0,) * 3)
PLAIN = Augmentation(crop="padded", padding=0, flip=False)


class Numbers(ImageSource):
    """Images whose pixels are their number, in a stored order that is not by class."""

    name, class_names, image_shape = "numbers", ("a", "b", "c"), (4, 4, 3)
    train_split, evaluation_split = "train", "test"

    def __init__(self):
        rng = np.random.default_rng(0)
        self._labels = rng.permutation(np.repeat(np.arange(3), COUNTS))

    def num_examples(self, split):
        return sum(COUNTS)

    def named_records(self, split, shuffle_seed=None):
        encoded = [
            tf.io.encode_png(np.full((4, 4, 3), number, "uint8")).numpy()
            for number in range(sum(COUNTS))
        ]
        names = [str(number) for number in range(sum(COUNTS))]
        data = tf.data.Dataset.from_tensor_slices((encoded, self._labels, names))
        return data.shuffle(100, shuffle_seed, False) if shuffle_seed else data


def epoch_of(epoch=0, **settings):
    """Returns the numbers and labels of the images of an epoch."""
    batches = training_batches(
        Numbers(),
        PREPROCESSING,
        settings.pop("augmentation", PLAIN),
        batch_size=settings.pop("batch_size", BATCH),
        seed=3,
        epoch=epoch,
        class_counts=COUNTS,
        **settings,
    )
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    numbers = np.round(np.concatenate(images)[:, 0, 0, 0] * 255).astype(int)
    return numbers, np.concatenate(labels)


@pytest.mark.parametrize("size", [70, 71, 9, 3])
def test_each_class_equally_often(size):
    labels = Numbers()._labels
    data = Numbers().named_records("train")
    for epoch in range(3):
        records = list(balanced(data, COUNTS, size, epoch).as_numpy_iterator())
        by_class = np.bincount([label for _, label, _ in records], minlength=3)
        assert by_class.sum() == size
        assert np.ptp(by_class) <= 1
        for name, count in collections.Counter(n for *_, n in records).items():
            label = labels[int(name)]
            # The images of a class are taken equally often, but for one time.
            assert abs(count - by_class[label] / COUNTS[label]) < 1
        if size % 3:
            # The class with one image more or less is another one in each epoch.
            odd = np.flatnonzero(by_class != np.median(by_class))
            assert len(odd) == 1


def test_epochs_differ_and_repeat():
    numbers, labels = epoch_of(0)
    np.testing.assert_array_equal(labels, Numbers()._labels[numbers])
    assert np.ptp(np.bincount(labels)) <= 1
    np.testing.assert_array_equal(numbers, epoch_of(0)[0])
    later, _ = epoch_of(1)
    assert set(later) != set(numbers)
    # Copies of the images of a rare class do not follow each other.
    repeated = numbers[:-1] == numbers[1:]
    assert repeated.mean() < 0.2


def test_continued_epoch():
    whole, _ = epoch_of(2)
    rest, _ = epoch_of(2, first_step=3)
    np.testing.assert_array_equal(rest, whole[3 * BATCH :])


def test_workers_share_an_epoch():
    whole, _ = epoch_of(1, batch_size=20)
    parts = [epoch_of(1, batch_size=20, shard=(i, 2))[0] for i in range(2)]
    for step in range(3):
        both = np.concatenate([part[10 * step :][:10] for part in parts])
        assert sorted(both) == sorted(whole[20 * step :][:20])


def test_repeated_augmentation_is_balanced():
    repeated = Augmentation(crop="padded", padding=0, flip=False, repeats=3)
    numbers, labels = epoch_of(augmentation=repeated)
    assert np.ptp(np.bincount(labels)) <= 4
    assert min(collections.Counter(numbers).values()) >= 1


@pytest.fixture
def folder(tmp_path):
    for split, counts in (("train", (40, 8, 2)), ("val", (6, 3, 1))):
        for name, count in zip("abc", counts, strict=True):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            for number in range(count):
                image = np.full((2, 2, 3), number, "uint8")
                data = tf.io.encode_png(image).numpy()
                (place / f"{number:03}.png").write_bytes(data)
    return open_folder(str(tmp_path))


@pytest.mark.parametrize(
    ("limit", "train", "evaluation"),
    [
        (3, [1, 1, 1], [1, 1, 1]),
        (10, [7, 2, 1], [6, 3, 1]),
        (25, [20, 4, 1], [6, 3, 1]),
        (1000, [40, 8, 2], [6, 3, 1]),
    ],
)
def test_folder_is_limited_in_proportion(limit, train, evaluation, folder):
    limited = folder.limited(limit)
    for split, expected in (("train", train), (folder.evaluation_split, evaluation)):
        assert np.bincount(limited.labels(split)).tolist() == expected
        assert limited.num_examples(split) == sum(expected)
        names = [
            n.decode() for *_, n in limited.named_records(split).as_numpy_iterator()
        ]
        firsts = [name[-7:] for name in names if name.split("/")[-2] == "a"]
        assert firsts == [f"{i:03}.png" for i in range(expected[0])]
    assert limited.class_names == folder.class_names


def test_other_sources_are_limited_to_their_first_records():
    source, limited = Numbers(), Numbers().limited(20)
    assert limited.num_examples("train") == 20
    np.testing.assert_array_equal(limited.labels("train"), source._labels[:20])
    shuffled = limited.named_records("train", shuffle_seed=5).as_numpy_iterator()
    names = [int(name) for *_, name in shuffled]
    assert sorted(names) == list(range(20)) != names
    assert limited.class_names == source.class_names
    assert source.limited(1000).num_examples("train") == 70

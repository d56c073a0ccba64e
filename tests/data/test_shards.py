"""The batches of several workers, compared with those of one."""

import itertools

import numpy as np
import pytest

from se_keras.data import Augmentation, evaluation_batches, training_batches
from se_keras.models.preprocessing import CIFAR

AUGMENTATION = Augmentation(crop="padded", padding=1, flip=False)


@pytest.fixture(scope="module")
def preprocessing():
    return CIFAR.with_input(8, 8, 1)


def arrays(batches):
    return [[part.numpy() for part in batch] for batch in batches]


def joined(shares):
    """Returns the images and labels of each batch of all workers, sorted."""
    return [in_order(map(np.concatenate, zip(*b, strict=True))) for b in shares]


def evaluated(batches):
    """Returns the images of weight 1 and their labels, sorted."""
    images, labels, weights = map(np.concatenate, zip(*batches, strict=True))
    return in_order([images[weights == 1], labels[weights == 1]])


def in_order(batch):
    """Returns images, labels and weights together, sorted."""
    rows = np.concatenate([part.reshape(len(part), -1) for part in batch], axis=1)
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize(
    ("batch_size", "workers", "first_step"),
    [(128, 2, 0), (360, 4, 1), (719, 1, 0), (478, 1, 1)],
)
def test_shares_make_up_the_batches(
    batch_size, workers, first_step, digits, preprocessing
):
    settings = {
        "batch_size": batch_size,
        "seed": 3,
        "epoch": 1,
        "first_step": first_step,
    }

    def batches(**shard):
        return arrays(
            training_batches(digits, preprocessing, AUGMENTATION, **settings, **shard)
        )

    shares = [batches(shard=(index, workers)) for index in range(workers)]
    whole = batches()
    assert len(whole) == 1437 // batch_size - first_step
    together = joined(zip(*shares, strict=True))
    for found, expected in zip(together, whole, strict=True):
        np.testing.assert_array_equal(found, in_order(expected))


@pytest.mark.parametrize(("batch_size", "workers"), [(128, 2), (360, 4), (96, 3)])
def test_every_evaluation_image_is_in_one_share(
    batch_size, workers, digits, preprocessing
):
    def batches(**shard):
        return arrays(
            evaluation_batches(digits, preprocessing, batch_size=batch_size, **shard)
        )

    shares = [batches(shard=(index, workers)) for index in range(workers)]
    assert {len(share) for share in shares} == {-(-360 // batch_size)}
    together = evaluated(itertools.chain(*shares))
    assert len(together) == 360
    np.testing.assert_array_equal(together, evaluated(batches()))

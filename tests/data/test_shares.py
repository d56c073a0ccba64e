"""The batches of several workers, beside those of one."""

import numpy as np
import pytest

from se_keras.data import Augmentation, evaluation_batches, training_batches
from se_keras.models.preprocessing import CIFAR

AUGMENTATION = Augmentation(crop="padded", padding=1, flip=False)


@pytest.fixture(scope="module")
def record():
    return CIFAR.with_input(8, 8, 1)


def arrays(batches):
    return [[part.numpy() for part in batch] for batch in batches]


def interleave(shares):
    """Returns whole batches of the shares of all workers."""
    return [
        [np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:]) for parts in batch]
        for batch in (zip(*each, strict=True) for each in zip(*shares, strict=True))
    ]


@pytest.mark.parametrize(
    ("batch_size", "workers", "first_step"),
    [(128, 2, 0), (360, 4, 1), (719, 1, 0), (478, 2, 0)],
)
def test_shares_make_up_the_batches(batch_size, workers, first_step, digits, record):
    settings = {
        "batch_size": batch_size,
        "seed": 3,
        "epoch": 1,
        "first_step": first_step,
    }

    def batches(**share):
        return arrays(
            training_batches(digits, record, AUGMENTATION, **settings, **share)
        )

    shares = [batches(share=(index, workers)) for index in range(workers)]
    whole = batches()
    assert len(whole) == 1437 // batch_size - first_step
    for found, expected in zip(interleave(shares), whole, strict=True):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("batch_size", "workers"), [(128, 2), (360, 4), (96, 3)])
def test_every_evaluation_image_is_in_one_share(batch_size, workers, digits, record):
    def batches(**share):
        return arrays(
            evaluation_batches(digits, record, batch_size=batch_size, **share)
        )

    shares = [batches(share=(index, workers)) for index in range(workers)]
    assert {len(share) for share in shares} == {-(-360 // batch_size)}
    for found, expected in zip(interleave(shares), batches(), strict=True):
        kept = found[2] == 1
        assert kept.sum() == (expected[2] == 1).sum()
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one[kept], other[expected[2] == 1])

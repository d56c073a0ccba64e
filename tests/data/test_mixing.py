import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from se_keras.data import Augmentation
from se_keras.data.mixing import mix

HEIGHT, WIDTH = 20, 30


def mixtures(config, count):
    """Mixes six images, each of one number, and labels of three classes."""
    images = np.arange(1.0, 7.0, dtype="float32")[:, None, None, None]
    images = np.broadcast_to(images, (6, HEIGHT, WIDTH, 2))
    labels = np.eye(3, dtype="float32")[[0, 1, 2, 1, 1, 0]]
    function = tf.function(lambda seed: mix(images, labels, seed, config))
    for step in range(count):
        mixed, mixed_labels = function(tf.constant([5, step]))
        yield images, labels, mixed.numpy(), mixed_labels.numpy()


def ratios(config, count=400):
    """Returns what is kept of the images of each batch, by their labels."""
    found = []
    for _, labels, _, mixed in mixtures(config, count):
        # The first image is of class 0, its partner too; the second has class 1 twice;
        # the third and fourth have the classes 2 and 1.
        np.testing.assert_allclose(mixed.sum(-1), 1, rtol=1e-6)
        np.testing.assert_allclose(mixed[[0, 1]], labels[[0, 1]], atol=1e-6)
        found.append(mixed[2, 2])
        np.testing.assert_allclose(mixed[2, 1], 1 - found[-1], atol=1e-6)
    return np.array(found)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0])
def test_mixup(alpha):
    config = Augmentation(mixup=alpha)
    for images, _, mixed, labels in mixtures(config, 5):
        ratio = labels[2, 2].astype("float64")
        expected = ratio * images + (1 - ratio) * images[::-1]
        np.testing.assert_allclose(mixed, expected, rtol=1e-5)
    found = ratios(config).astype("float64")
    # With a small alpha many draws are 1 or 0 in float32.
    drawn = np.random.default_rng(0).beta(alpha, alpha, 4000)
    assert scipy.stats.ks_2samp(found.round(4), drawn.round(4)).pvalue > 1e-4


def test_cutmix():
    config = Augmentation(cutmix=1.0)
    for images, _, mixed, labels in mixtures(config, 50):
        kept = mixed == images
        assert (kept | (mixed == images[::-1])).all()
        assert kept[2].mean() == pytest.approx(labels[2, 2], abs=1e-6)
        # What is cut is one box, and the same in all images and channels.
        assert (kept == kept[:1, ..., :1]).all()
        cut = ~kept[0, ..., 0]
        rows, columns = cut.any(1), cut.any(0)
        assert (cut == rows[:, None] & columns).all()
        assert np.abs(np.diff(rows.astype(int))).sum() <= 2
        assert np.abs(np.diff(columns.astype(int))).sum() <= 2

    # The ratios of the paper's algorithm, section 3.1 and its supplement.
    rng = np.random.default_rng(0)
    expected = []
    for _ in range(4000):
        ratio = np.sqrt(1 - rng.beta(1, 1))
        lengths = []
        for size in (HEIGHT, WIDTH):
            half, center = int(size * ratio) // 2, rng.integers(size)
            lengths.append(min(size, center + half) - max(0, center - half))
        expected.append(1 - np.prod(lengths) / (HEIGHT * WIDTH))
    found = ratios(config).round(4)
    assert scipy.stats.ks_2samp(found, np.round(expected, 4)).pvalue > 1e-4


@pytest.mark.parametrize("fraction", [0.25, 1.0])
def test_fraction_of_cutmix(fraction):
    config = Augmentation(mixup=5.0, cutmix=1.0, cutmix_fraction=fraction)
    cut = [
        ((mixed == images) | (mixed == images[::-1])).all()
        for images, _, mixed, _ in mixtures(config, 200)
    ]
    assert abs(np.mean(cut) - fraction) < 0.13


def test_a_seed_gives_one_mixture():
    config = Augmentation(mixup=0.4, cutmix=1.0)
    first, again = (list(mixtures(config, 4)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[2], other[2])
    assert (first[0][2] != first[1][2]).any()

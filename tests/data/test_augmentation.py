import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import Augmentation
from se_keras.data.augmentation import augment
from se_keras.models import Preprocessing
from tests.data.images import encode

GREY = {"mean": (0.0,), "std": (1.0,)}


def draw(pixels, config, record, count, seed=0, reverse=False):
    """Returns an image augmented with `count` seeds, drawn in some order."""
    encoded = tf.constant(encode(pixels))

    def sample(index):
        image_seed = tf.random.experimental.stateless_fold_in([seed, 0], index)
        return augment(encoded, image_seed, config, record)

    indices = np.arange(count)[:: -1 if reverse else 1]
    dataset = tf.data.Dataset.from_tensor_slices(indices)
    (images,) = dataset.map(sample).batch(count)
    return images.numpy()[:: -1 if reverse else 1]


def test_a_seed_gives_one_image():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), "uint8")
    record = Preprocessing((8, 8), 1.0)
    first, again, other = (
        draw(pixels, Augmentation(), record, 8, seed, reverse)
        for seed, reverse in ((0, False), (0, True), (1, False))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2, 3)).all()
    assert (first[0] != first[1]).any()


@pytest.mark.parametrize("flip", [False, True])
def test_padded_crops_are_shifts(flip):
    pixels = np.random.default_rng(0).integers(1, 256, (7, 6, 1), "uint8")
    padding, count = 1, 400
    config = Augmentation(crop="padded", padding=padding, flip=flip)
    record = Preprocessing((7, 6), 1.0, **GREY)
    drawn = draw(np.repeat(pixels, 3, -1), config, record, count)

    padded = np.pad(pixels.astype("float32"), ((padding,) * 2, (padding,) * 2, (0, 0)))
    shifts = {
        (top, left, step): padded[top : top + 7, left : left + 6][:, ::step].tobytes()
        for top in range(2 * padding + 1)
        for left in range(2 * padding + 1)
        for step in ((1, -1) if flip else (1,))
    }
    names = {image: name for name, image in shifts.items()}
    found = [names[image.tobytes()] for image in drawn]
    counts = [found.count(shift) for shift in shifts]
    # Each is equally likely: within five standard deviations.
    expected = count / len(shifts)
    assert np.abs(np.subtract(counts, expected)).max() < 5 * expected**0.5


def test_padded_crop_resizes_first():
    pixels = np.full((5, 11, 3), 7, "uint8")
    config = Augmentation(crop="padded", padding=0)
    (image,) = draw(pixels, config, Preprocessing((4, 4), 1.0, **GREY), 1)
    np.testing.assert_array_equal(image, np.full((4, 4, 1), 7.0))


@pytest.mark.parametrize(
    "config",
    [
        Augmentation(),
        Augmentation(flip=False),
        Augmentation(area=(0.3, 0.5), aspect=(1.5, 2.0)),
    ],
)
def test_resized_crops_are_in_range(config):
    side, size = 256, 8
    row, column = np.indices((side, side), "uint8")
    pixels = np.stack([row, column, column], -1)
    drawn = draw(pixels, config, Preprocessing((size, size)), 300).astype("float64")

    # The image tells where each pixel comes from: the ends of each crop follow from
    # its outermost pixels, whose centres lie half a pixel of the result inside.
    first = np.stack([drawn[:, 0, 0, 0], drawn[:, 0, 0, 1]], -1)
    last = np.stack([drawn[:, -1, -1, 0], drawn[:, -1, -1, 1]], -1)
    flipped = last[:, 1] < first[:, 1]
    extent = np.abs(last - first) * size / (size - 1)
    begin = np.minimum(first, last) + 0.5 - extent / size / 2
    assert (begin > -0.1).all()
    assert (begin + extent < side + 0.1).all()

    area, aspect = extent.prod(-1) / side**2, extent[:, 1] / extent[:, 0]
    for values, (low, high) in ((area, config.area), (aspect, config.aspect)):
        assert (values > low * 0.97).all()  # sides are whole pixels
        assert (values < high * 1.03).all()
        reach = (high - low) / 10
        assert values.min() < low + reach
        assert values.max() > high - reach
    assert begin.std(axis=0).min() > 10
    assert (0.4 < flipped.mean() < 0.6) if config.flip else not flipped.any()


def test_unknown_crop():
    with pytest.raises(ValueError, match=r"`crop`.*'padded'.*Received: crop='center'"):
        Augmentation(crop="center")

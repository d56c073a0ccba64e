import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import Augmentation
from se_keras.data.augmentation import augment, draw_hole, erase
from se_keras.models import Preprocessing
from tests.data.images import encode

GRAY = {"mean": (0.0,), "std": (1.0,)}


def draw(pixels, config, preprocessing, count, seed=0, reverse=False):
    """Returns an image augmented with `count` seeds, drawn in some order."""
    encoded = tf.constant(encode(pixels))

    def sample(index):
        image_seed = tf.random.experimental.stateless_fold_in([seed, 0], index)
        return augment(encoded, image_seed, config, preprocessing)

    indices = np.arange(count)[:: -1 if reverse else 1]
    dataset = tf.data.Dataset.from_tensor_slices(indices)
    (images,) = dataset.map(sample).batch(count)
    return images.numpy()[:: -1 if reverse else 1]


def test_a_seed_gives_one_image():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), "uint8")
    preprocessing = Preprocessing((8, 8), 1.0)
    first, again, other = (
        draw(pixels, Augmentation(), preprocessing, 8, seed, reverse)
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
    preprocessing = Preprocessing((7, 6), 1.0, **GRAY)
    drawn = draw(np.repeat(pixels, 3, -1), config, preprocessing, count)

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
    (image,) = draw(pixels, config, Preprocessing((4, 4), 1.0, **GRAY), 1)
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
    stored, size = 256, 8
    row, column = np.indices((stored, stored), "uint8")
    pixels = np.stack([row, column, column], -1)
    drawn = draw(pixels, config, Preprocessing((size, size)), 300).astype("float64")

    # The image shows where each pixel comes from: the ends of each crop follow from
    # its outermost pixels, whose centers lie half a pixel of the result inside.
    first = np.stack([drawn[:, 0, 0, 0], drawn[:, 0, 0, 1]], -1)
    last = np.stack([drawn[:, -1, -1, 0], drawn[:, -1, -1, 1]], -1)
    flipped = last[:, 1] < first[:, 1]
    extent = np.abs(last - first) * size / (size - 1)
    begin = np.minimum(first, last) + 0.5 - extent / size / 2
    assert (begin > -0.1).all()
    assert (begin + extent < stored + 0.1).all()

    area, aspect = extent.prod(-1) / stored**2, extent[:, 1] / extent[:, 0]
    for values, (low, high) in ((area, config.area), (aspect, config.aspect)):
        assert (values > low * 0.97).all()  # a size is an integer
        assert (values < high * 1.03).all()
        reach = (high - low) / 10
        assert values.min() < low + reach
        assert values.max() > high - reach
    assert begin.std(axis=0).min() > 10
    assert (0.4 < flipped.mean() < 0.6) if config.flip else not flipped.any()


def test_unknown_crop():
    with pytest.raises(ValueError, match=r"`crop`.*'padded'.*Received: crop='center'"):
        Augmentation(crop="center")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("padding", -1),
        ("rotation", 181.0),
        ("jitter", -1.0),
        ("operations", -1),
        ("magnitude", 11.0),
        ("erasing", 1.5),
        ("mixup", -0.1),
        ("cutmix", -0.1),
        ("cutmix_fraction", 2.0),
        ("repeats", 0),
    ],
)
def test_values_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"`{name}`.*Received: {name}={value}"):
        Augmentation(**{name: value})


WHOLE = {"crop": "padded", "padding": 0, "flip": False}


def test_jitter_adds_one_number_to_a_channel():
    pixels = np.full((4, 5, 3), (5, 120, 250), "uint8")
    config = Augmentation(**WHOLE, jitter=20.0)
    drawn = draw(pixels, config, Preprocessing((4, 5), 1.0), 500)
    assert (drawn == drawn[:, :1, :1]).all()
    added = drawn[:, 0, 0].astype("float64") - (5, 120, 250)
    assert added.min(0) == pytest.approx((-5, -20, -20), abs=0.5)
    assert added.max(0) == pytest.approx((20, 20, 5), abs=0.5)
    assert abs(np.corrcoef(added.T) - np.eye(3)).max() < 0.15
    # Uniform where nothing is cut off.
    assert added[:, 1].std() == pytest.approx(20 / 3**0.5, rel=0.1)


def test_rotation_is_in_range():
    """A line through the center shows the angle."""
    size = 65
    row, column = np.indices((size, size)) - size // 2
    pixels = np.repeat((abs(row) < 2)[..., None] * np.uint8(255), 3, -1)
    config = Augmentation(**WHOLE, rotation=10.0)
    drawn = draw(pixels, config, Preprocessing((size, size), 1.0), 200)[..., 0]
    # Pixels from outside of the image are gray.
    drawn[:, (abs(column) > 25) | (abs(row) > 15)] = 0
    slope = (drawn * row * column).sum((1, 2)) / (drawn * column**2).sum((1, 2))
    angles = np.degrees(np.arctan(slope))
    assert -10.2 < angles.min() < -9
    assert 9 < angles.max() < 10.2
    assert angles.std() == pytest.approx(10 / 3**0.5, rel=0.15)


def test_erasing():
    preprocessing = Preprocessing((30, 40))
    config = Augmentation(erasing=0.25)
    seeds = tf.data.Dataset.range(1000).map(lambda number: tf.stack([1, number]))
    holes = seeds.map(lambda seed: draw_hole(seed, config, preprocessing)).batch(1000)
    images = erase(tf.ones((1000, 30, 40, 2)), next(iter(holes))).numpy()
    assert set(np.unique(images)) == {0, 1}
    assert (images[..., 0] == images[..., 1]).all()
    erased = images[..., 0] == 0
    found = erased.any((1, 2))
    assert abs(found.mean() - 0.25) < 0.06
    heights, widths = erased.any(2).sum(1)[found], erased.any(1).sum(1)[found]
    np.testing.assert_array_equal(heights * widths, erased[found].sum((1, 2)))
    area, aspect = heights * widths / 1200, widths / heights
    for values, (low, high) in ((area, (0.02, 1 / 3)), (aspect, (0.3, 1 / 0.3))):
        assert values.min() > low * 0.7  # a size is an integer
        assert values.max() < high * 1.3
        assert values.min() < low + (high - low) / 4
        assert values.max() > high - (high - low) / 4


def test_nothing_is_erased_without_probability():
    hole = draw_hole(tf.constant([0, 0]), Augmentation(), Preprocessing((8, 8)))
    np.testing.assert_array_equal(hole, [0] * 4)


@pytest.mark.parametrize(
    "settings", [{"area": (0.5, 0.1)}, {"area": (0, 0)}, {"aspect": (0, 1)}]
)
def test_ranges_that_are_none(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"`{name}` must be two positive"):
        Augmentation(**settings)

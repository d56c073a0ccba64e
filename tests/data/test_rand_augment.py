import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from se_keras.data import rand_augment as module
from se_keras.data.rand_augment import OPERATIONS, draw_operations, rand_augment
from tests.data.images import photo

GRAY = (128,) * 3


def factor(level, sign):
    return max(0.1, 1 + sign * 0.9 * level)


def affine(image, *matrix):
    return image.transform(
        image.size, Image.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=GRAY
    )


def solarize_add(image, level, sign):
    return image.point(
        [min(255, v + int(110 * level)) if v < 128 else v for v in range(256)] * 3
    )


# The same by Pillow, with the strengths that timm gives its operations.
PILLOW = {
    "auto_contrast": lambda image, level, sign: ImageOps.autocontrast(image),
    "equalize": lambda image, level, sign: ImageOps.equalize(image),
    "invert": lambda image, level, sign: ImageOps.invert(image),
    "rotate": lambda image, level, sign: image.rotate(
        30 * level * sign, Image.Resampling.BILINEAR, fillcolor=GRAY
    ),
    "posterize": lambda image, level, sign: image.point(
        [v & (256 - 2 ** (8 - (4 - int(level * 4)))) for v in range(256)] * 3
    ),
    "solarize": lambda image, level, sign: ImageOps.solarize(
        image, 256 - int(level * 256)
    ),
    "solarize_add": solarize_add,
    "color": lambda image, level, sign: ImageEnhance.Color(image).enhance(
        factor(level, sign)
    ),
    "contrast": lambda image, level, sign: ImageEnhance.Contrast(image).enhance(
        factor(level, sign)
    ),
    "brightness": lambda image, level, sign: ImageEnhance.Brightness(image).enhance(
        factor(level, sign)
    ),
    "sharpness": lambda image, level, sign: ImageEnhance.Sharpness(image).enhance(
        factor(level, sign)
    ),
    "shear_x": lambda image, level, sign: affine(
        image, 1, 0.3 * level * sign, 0, 0, 1, 0
    ),
    "shear_y": lambda image, level, sign: affine(
        image, 1, 0, 0, 0.3 * level * sign, 1, 0
    ),
    "translate_x": lambda image, level, sign: affine(
        image, 1, 0, 0.45 * level * sign * image.width, 0, 1, 0
    ),
    "translate_y": lambda image, level, sign: affine(
        image, 1, 0, 0, 0, 1, 0.45 * level * sign * image.height
    ),
}
GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
DRAWS = [(0.0, 1.0), (0.35, -1.0), (0.7, 1.0), (1.0, -1.0), (1.0, 1.0)]


def batch_of(draws, number):
    """Returns draws `(batch, 1, 3)` of one operation at some levels and signs."""
    return tf.constant([[(number, *draw)] for draw in draws], tf.float32)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_of_pillow(name):
    # Of low contrast, so that something is left to stretch.
    pixels = np.stack([photo(40, 61, n) // 2 + 40 for n in ("china", "flower")] * 3)
    pixels = pixels[: len(DRAWS)]
    number = list(OPERATIONS).index(name)
    actual = rand_augment(tf.constant(pixels), batch_of(DRAWS, number))
    assert actual.dtype == "uint8"
    for image, result, draw in zip(pixels, actual.numpy(), DRAWS, strict=True):
        expected = np.asarray(PILLOW[name](Image.fromarray(image), *draw), "float64")
        difference = np.abs(result - expected)
        if name in GEOMETRIC:
            # Pillow does not blend with what is outside.
            assert (difference.max(-1) > 1.5).mean() < 0.05
        else:
            assert difference.max() <= 1  # Pillow rounds in between


def test_operations_in_a_batch_do_not_mix():
    pixels = np.stack([photo(20, 30, n) for n in ("china", "flower")] * 8)
    draws = np.zeros((16, 2, 3), "float32")
    draws[:, :, 0] = (
        np.random.default_rng(0).permuted(np.tile(np.arange(16), (2, 1)), axis=1).T
    )
    draws[:, :, 1:] = (0.5, 1)
    together = rand_augment(tf.constant(pixels), tf.constant(draws)).numpy()
    for image, draw, result in zip(pixels, draws, together, strict=True):
        alone = tf.constant(image[None])
        for number, level, sign in draw:
            if number < len(OPERATIONS):
                alone = module.rand_augment(
                    alone, tf.constant([[[number, level, sign]]], tf.float32)
                )
        np.testing.assert_array_equal(result, alone[0])


@pytest.mark.parametrize("name", OPERATIONS)
def test_gray_images(name):
    """One channel gives what three equal ones give."""
    gray = photo(20, 30)[None, ..., :1]
    draws = batch_of([(0.6, -1.0)], list(OPERATIONS).index(name))
    single, triple = (
        rand_augment(tf.constant(np.repeat(gray, count, -1)), draws).numpy()
        for count in (1, 3)
    )
    assert single.shape == gray.shape
    assert np.abs(triple - single.astype("float64")).max() <= 1


@pytest.mark.parametrize("std", [0.0, 4.0])
def test_draws(std):
    seeds = tf.data.Dataset.range(2000).map(lambda number: tf.stack([3, number]))
    draws = np.concatenate(
        list(seeds.map(lambda seed: draw_operations(seed, 2, 7.0, std)))
    )
    kinds, levels, signs = draws.T
    kept = kinds == len(OPERATIONS)
    assert abs(kept.mean() - 0.5) < 0.04
    chosen = np.bincount(kinds[~kept].astype(int), minlength=len(OPERATIONS))
    assert scipy.stats.chisquare(chosen).pvalue > 1e-4
    assert set(signs) == {-1, 1}
    assert abs(signs.mean()) < 0.08
    expected = np.clip(7 + std * np.random.default_rng(0).normal(size=9999), 0, 10) / 10
    if std:
        assert scipy.stats.ks_2samp(levels, expected).pvalue > 1e-4
    else:
        np.testing.assert_allclose(levels, 0.7, rtol=1e-6)
    again = draw_operations(tf.constant([3, 1999], tf.int64), 2, 7.0, std)
    np.testing.assert_array_equal(again, draws[-2:])

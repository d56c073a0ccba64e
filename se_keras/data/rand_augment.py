"""RandAugment, drawn without state: timm's operations and strengths.

keras-cv and Keras have layers of that name. Both keep the state of their generator
to themselves, so that an epoch cannot be taken up in the middle; and their strengths
are others than those that recipes mean: at 7 of 10 keras-cv shears by 0.7, timm by
0.21.
"""

import math

import tensorflow as tf

SHARE = 0.5  # of the chosen operations that are carried out
FILL = 128.0  # what comes in from outside the image


def rand_augment(
    image: tf.Tensor, seed: tf.Tensor, operations: int, magnitude: float, std: float
) -> tf.Tensor:
    """Applies operations drawn at random to an image, each with probability 0.5.

    Args:
        image: Pixels in 0..255, float32, `(height, width, 1 or 3)`.
        seed: Two integers. The same seed gives the same image.
        operations: How many are drawn, with replacement.
        magnitude: Their strength, in 0..10.
        std: Standard deviation of the strength, which stays in 0..10.

    Returns:
        Whole numbers in 0..255, float32, of the same shape.

    Reference:
        - [RandAugment](https://arxiv.org/abs/1909.13719)
        - [timm](https://github.com/huggingface/pytorch-image-models), the policy
          `rand-mMAGNITUDE-mstdSTD-inc1`
    """
    functions = tuple(OPERATIONS.values())
    image = tf.cast(tf.round(image), tf.uint8)
    for step in range(operations):
        step_seed = tf.random.experimental.stateless_fold_in(seed, step)
        uniform = tf.random.stateless_uniform((3,), step_seed)
        level = magnitude + std * tf.random.stateless_normal((), step_seed + 1)
        level = tf.clip_by_value(level, 0.0, 10.0) / 10
        sign = tf.where(uniform[1] < 0.5, -1.0, 1.0)
        chosen = tf.cast(uniform[0] * len(functions), tf.int32)
        # A number of its own for the image as it is.
        chosen = tf.where(uniform[2] < SHARE, chosen, len(functions))
        image = tf.switch_case(
            chosen,
            [_bind(function, image, level, sign) for function in functions]
            + [lambda image=image: image],
        )
    return tf.cast(image, tf.float32)


def _bind(function, image, level, sign):
    def branch():
        result = function(image, level, sign)
        if result.dtype != tf.uint8:
            result = tf.cast(tf.clip_by_value(tf.round(result), 0, 255), tf.uint8)
        return tf.ensure_shape(result, image.shape)

    return branch


# Each of the following takes an image of bytes, a level in 0..1 and a sign, -1 or 1.


def auto_contrast(image, level, sign):
    """Stretches each channel to 0..255."""
    pixels = tf.reshape(tf.cast(image, tf.int32), (-1, image.shape[-1]))
    low = tf.cast(tf.reduce_min(pixels, 0), tf.float32)[:, None]
    high = tf.cast(tf.reduce_max(pixels, 0), tf.float32)[:, None]
    values = tf.range(256, dtype=tf.float32)
    stretched = tf.floor((values - low) * (255 / tf.maximum(high - low, 1)) + 1e-3)
    return _look_up(image, tf.where(high > low, stretched, values))


def equalize(image, level, sign):
    """Makes all values of a channel equally frequent."""
    channels = image.shape[-1]
    counts = tf.math.bincount(
        _places(image), minlength=256 * channels, maxlength=256 * channels
    )
    counts = tf.reshape(counts, (channels, 256))
    last = tf.reduce_max(tf.where(counts > 0, tf.range(256), 0), 1)
    most = tf.reduce_sum(counts, 1) - tf.gather(counts, last, batch_dims=1)
    step = (most // 255)[:, None]
    before = tf.cumsum(counts, axis=1, exclusive=True)
    table = (before + step // 2) // tf.maximum(step, 1)
    return _look_up(image, tf.where(step > 0, table, tf.range(256)))


def invert(image, level, sign):
    """Returns the negative."""
    return 255 - image


def posterize(image, level, sign):
    """Keeps the 4 to 0 highest bits."""
    lost = 4 + tf.cast(level * 4, tf.int32)
    values = tf.range(256)
    return _point(image, values - values % tf.bitwise.left_shift(1, lost))


def solarize(image, level, sign):
    """Inverts the bright pixels."""
    threshold = 256 - tf.cast(level * 256, tf.int32)
    values = tf.range(256)
    return _point(image, tf.where(values < threshold, values, 255 - values))


def solarize_add(image, level, sign):
    """Makes the dark pixels brighter."""
    added = tf.cast(level * 110, tf.int32)
    values = tf.range(256)
    return _point(
        image, tf.where(values < 128, tf.minimum(values + added, 255), values)
    )


def color(image, level, sign):
    """Makes colours stronger or weaker."""
    factor = _enhancement(level, sign)
    channels = image.shape[-1]
    # Image and its grey mixed are one linear map of the channels.
    grey = tf.repeat(_luma(channels)[:, None], channels, axis=1)
    matrix = factor * tf.eye(channels) + (1 - factor) * grey
    pixels = tf.reshape(tf.cast(image, tf.float32), (-1, channels))
    return tf.reshape(tf.matmul(pixels, matrix), image.shape)


def contrast(image, level, sign):
    """Moves pixels away from the mean of the image's grey, or towards it."""
    factor = _enhancement(level, sign)
    channels = image.shape[-1]
    pixels = tf.cast(image, tf.float32)
    means = tf.reduce_mean(tf.reshape(pixels, (-1, channels)), 0)
    mean = tf.floor(tf.reduce_sum(means * _luma(channels)) + 0.5)
    return pixels * factor + mean * (1 - factor)


def brightness(image, level, sign):
    """Makes an image brighter or darker."""
    return tf.cast(image, tf.float32) * _enhancement(level, sign)


def sharpness(image, level, sign):
    """Makes an image sharper or smoother."""
    factor = _enhancement(level, sign)
    pixels = tf.cast(image, tf.float32)
    rows = pixels[:-2] + pixels[1:-1] + pixels[2:]
    inner = pixels[1:-1, 1:-1]
    smooth = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * inner) / 13
    change = tf.pad((1 - factor) * (smooth - inner), ((1, 1), (1, 1), (0, 0)))
    return pixels + change


def turn(image, level, sign):
    """Rotates by up to 30 degrees."""
    return rotate(image, sign * level * 30)


def shear_x(image, level, sign):
    """Shears along the rows."""
    return transform(image, [1.0, sign * level * 0.3, 0.0, 0.0, 1.0, 0.0])


def shear_y(image, level, sign):
    """Shears along the columns."""
    return transform(image, [1.0, 0.0, 0.0, sign * level * 0.3, 1.0, 0.0])


def translate_x(image, level, sign):
    """Moves to the left or right by up to 0.45 of the width."""
    shift = sign * level * 0.45 * image.shape[1]
    return transform(image, [1.0, 0.0, shift, 0.0, 1.0, 0.0])


def translate_y(image, level, sign):
    """Moves up or down by up to 0.45 of the height."""
    shift = sign * level * 0.45 * image.shape[0]
    return transform(image, [1.0, 0.0, 0.0, 0.0, 1.0, shift])


OPERATIONS = {
    "auto_contrast": auto_contrast,
    "equalize": equalize,
    "invert": invert,
    "rotate": turn,
    "posterize": posterize,
    "solarize": solarize,
    "solarize_add": solarize_add,
    "color": color,
    "contrast": contrast,
    "brightness": brightness,
    "sharpness": sharpness,
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
}


def rotate(image: tf.Tensor, degrees: tf.Tensor) -> tf.Tensor:
    """Turns an image around its centre, counter-clockwise."""
    angle = degrees * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    bottom, right = image.shape[0] - 1, image.shape[1] - 1
    left = (right - (cos * right - sin * bottom)) / 2
    top = (bottom - (sin * right + cos * bottom)) / 2
    return transform(image, [cos, -sin, left, sin, cos, top])


def transform(image: tf.Tensor, matrix: list) -> tf.Tensor:
    """Returns the image whose pixel at `(x, y)` was at `matrix @ (x, y, 1)`.

    Args:
        image: Pixels `(height, width, channels)`, bytes or float32.
        matrix: The six numbers of two rows.
    """
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=[[*matrix, 0.0, 0.0]],
        output_shape=image.shape[:2],
        fill_value=FILL,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]


def _luma(channels):
    """Returns the share of each channel in the grey of an image: ITU-R 601."""
    return tf.constant([0.299, 0.587, 0.114] if channels == 3 else [1.0])


def _enhancement(level, sign):
    """Returns a factor in 0.1..1.9; 1 changes nothing."""
    return tf.maximum(0.1, 1 + sign * level * 0.9)


def _point(image, table):
    """Replaces each value by that of one table `(256,)`."""
    return tf.gather(tf.cast(table, tf.uint8), tf.cast(image, tf.int32))


def _look_up(image, tables):
    """Replaces each value by that of its channel's table `(channels, 256)`."""
    table = tf.cast(tf.clip_by_value(tables, 0, 255), tf.uint8)
    return tf.reshape(tf.gather(tf.reshape(table, (-1,)), _places(image)), image.shape)


def _places(image):
    """Returns values and channels as one index, `256 * channel + value`, in rows."""
    height, width, channels = image.shape
    # By rows, and not by pixels: see `images.normalize`.
    rows = tf.reshape(tf.cast(image, tf.int32), (height, width * channels))
    return rows + tf.tile(256 * tf.range(channels), (width,))

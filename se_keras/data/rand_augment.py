"""RandAugment, drawn without state: timm's operations and strengths.

keras-cv and Keras have layers of that name. The state of their generators cannot be
set, so that an epoch cannot be continued in the middle, and their strengths are not
those of published recipes: at 7 of 10 keras-cv shears by 0.7, timm by 0.21.

Each operation is applied at once to all images of a batch for which it was drawn. To
choose one of fifteen operations for a single image takes TensorFlow longer than to
apply it.
"""

import math

import tensorflow as tf

PROBABILITY = 0.5  # that a drawn operation is applied
FILL = 128.0  # value of pixels from outside of the image


def draw_operations(
    seed: tf.Tensor, operations: int, magnitude: float, std: float
) -> tf.Tensor:
    """Draws the operations for one image.

    Args:
        seed: Two integers. The same seed draws the same operations.
        operations: Number of operations that are drawn, with replacement. Each is
            applied with a probability of 0.5.
        magnitude: Their strength, in 0..10.
        std: Standard deviation of the strength, which is clipped to 0..10.

    Returns:
        `(operations, 3)`, float32: the number of each operation, its strength in 0..1
        and its sign, 1 or -1.
    """
    kind_seed, level_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    uniform = tf.random.stateless_uniform((3, operations), kind_seed)
    kinds = tf.floor(uniform[0] * len(OPERATIONS))
    # A separate number for no change of the image.
    kinds = tf.where(uniform[1] < PROBABILITY, kinds, float(len(OPERATIONS)))
    levels = magnitude + std * tf.random.stateless_normal((operations,), level_seed)
    levels = tf.clip_by_value(levels, 0.0, 10.0) / 10
    signs = tf.where(uniform[2] < 0.5, -1.0, 1.0)
    return tf.stack([kinds, levels, signs], -1)


def rand_augment(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Applies to each image of a batch the operations that were drawn for it.

    Args:
        images: Pixels `(batch, height, width, 1 or 3)`, uint8.
        draws: What `draw_operations` returned for each, `(batch, operations, 3)`.

    Returns:
        Pixels of the same shape, uint8.

    Reference:
        - [RandAugment](https://arxiv.org/abs/1909.13719)
        - [timm](https://github.com/huggingface/pytorch-image-models), the policy
          `rand-mMAGNITUDE-mstdSTD-inc1`
    """
    for step in range(draws.shape[1]):
        kinds, levels, signs = tf.unstack(draws[:, step], axis=-1)
        kinds = tf.cast(kinds, tf.int32)
        groups = len(OPERATIONS) + 1
        places = tf.dynamic_partition(tf.range(tf.size(kinds)), kinds, groups)
        parts = [tf.gather(images, place) for place in places]
        for number, function in enumerate(OPERATIONS.values()):
            level = tf.gather(levels, places[number])
            sign = tf.gather(signs, places[number])
            parts[number] = _apply(function, parts[number], level, sign)
        images = tf.ensure_shape(tf.dynamic_stitch(places, parts), images.shape)
    return images


def _apply(function, images, level, sign):
    """Applies an operation to the images for which it was drawn, if any."""

    def apply():
        result = function(images, level, sign)
        if result.dtype != tf.uint8:
            result = tf.cast(tf.clip_by_value(tf.round(result), 0, 255), tf.uint8)
        return tf.reshape(result, tf.shape(images))

    return tf.cond(tf.size(level) > 0, apply, lambda: images)


# Each of the following takes images `(count, height, width, channels)`, uint8, and for
# each of them a level in 0..1 and a sign, -1 or 1. It returns uint8, or float32 that is
# rounded to uint8; the shape may be flat.


def auto_contrast(images, level, sign):
    """Stretches each channel to 0..255."""
    pixels = _rows(images)
    low, high = _channelwise(tf.reduce_min, images), _channelwise(tf.reduce_max, images)
    span = tf.where(high > low, high - low, 255.0)
    low = tf.where(high > low, low, 0.0)
    scale = tf.tile(255 / span, (1, images.shape[2]))[:, None]
    low = tf.tile(low, (1, images.shape[2]))[:, None]
    # Rounded down to integers, as in Pillow's table.
    return tf.floor((pixels - low) * scale + 1e-3)


def equalize(images, level, sign):
    """Makes all values of a channel equally frequent."""
    _, height, width, channels = images.shape
    count = tf.shape(images)[0]
    # Every channel of every image has a part of one long table.
    first = 256 * tf.reshape(tf.range(count * channels), (count, 1, channels))
    places = tf.reshape(tf.cast(images, tf.int32), (count, height, width * channels))
    places += tf.tile(first, (1, 1, width))
    size = 256 * channels * count
    counts = tf.math.bincount(places, minlength=size, maxlength=size)
    counts = tf.reshape(counts, (-1, 256))
    last = tf.reduce_max(tf.where(counts > 0, tf.range(256), 0), 1)
    others = tf.reduce_sum(counts, 1) - tf.gather(counts, last, batch_dims=1)
    step = (others // 255)[:, None]
    before = tf.cumsum(counts, axis=1, exclusive=True)
    table = tf.minimum((before + step // 2) // tf.maximum(step, 1), 255)
    table = tf.where(step > 0, table, tf.range(256))
    return tf.gather(tf.cast(tf.reshape(table, (-1,)), tf.uint8), places)


def invert(images, level, sign):
    """Inverts all pixels."""
    return 255 - images


def posterize(images, level, sign):
    """Keeps the 4 to 0 highest bits."""
    unit = 2.0 ** tf.floor(4 + level * 4)[:, None]
    return tf.floor(_flat(images) / unit) * unit


def solarize(images, level, sign):
    """Inverts the bright pixels."""
    pixels = _flat(images)
    bright = tf.cast(pixels >= 256 - tf.floor(level * 256)[:, None], tf.float32)
    return pixels + bright * (255 - 2 * pixels)


def solarize_add(images, level, sign):
    """Makes the dark pixels brighter."""
    pixels = _flat(images)
    dark = tf.cast(pixels < 128, tf.float32)
    return pixels + dark * tf.floor(level * 110)[:, None]


def color(images, level, sign):
    """Makes colors stronger or weaker."""
    factor = _enhancement(level, sign)[:, None, None]
    channels = images.shape[-1]
    # The mixture of an image and its gray version is linear in the channels.
    gray = tf.repeat(_luma(channels)[:, None], channels, axis=1)
    matrix = factor * tf.eye(channels) + (1 - factor) * gray
    pixels = tf.reshape(_flat(images), (tf.shape(images)[0], -1, channels))
    return tf.matmul(pixels, matrix)


def contrast(images, level, sign):
    """Moves pixels away from the mean of the image's gray, or toward it."""
    factor = _enhancement(level, sign)[:, None]
    means = _channelwise(tf.reduce_mean, images)
    mean = tf.floor(tf.reduce_sum(means * _luma(images.shape[-1]), 1) + 0.5)
    return _flat(images) * factor + mean[:, None] * (1 - factor)


def brightness(images, level, sign):
    """Makes images brighter or darker."""
    return _flat(images) * _enhancement(level, sign)[:, None]


def sharpness(images, level, sign):
    """Makes images sharper or smoother."""
    factor = _enhancement(level, sign)[:, None, None, None]
    pixels = tf.cast(images, tf.float32)
    rows = pixels[:, :-2] + pixels[:, 1:-1] + pixels[:, 2:]
    inner = pixels[:, 1:-1, 1:-1]
    smooth = (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner) / 13
    change = (1 - factor) * (smooth - inner)
    return pixels + tf.pad(change, ((0, 0), (1, 1), (1, 1), (0, 0)))


def turn(images, level, sign):
    """Rotates by up to 30 degrees."""
    return rotate(images, sign * level * 30)


def shear_x(images, level, sign):
    """Shears along the rows."""
    return transform(images, 1.0, sign * level * 0.3, 0.0, 0.0, 1.0, 0.0)


def shear_y(images, level, sign):
    """Shears along the columns."""
    return transform(images, 1.0, 0.0, 0.0, sign * level * 0.3, 1.0, 0.0)


def translate_x(images, level, sign):
    """Moves to the left or right by up to 0.45 of the width."""
    shift = sign * level * 0.45 * images.shape[2]
    return transform(images, 1.0, 0.0, shift, 0.0, 1.0, 0.0)


def translate_y(images, level, sign):
    """Moves up or down by up to 0.45 of the height."""
    shift = sign * level * 0.45 * images.shape[1]
    return transform(images, 1.0, 0.0, 0.0, 0.0, 1.0, shift)


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


def rotate(images: tf.Tensor, degrees: tf.Tensor) -> tf.Tensor:
    """Turns images around their centers, counter-clockwise; see `transform`."""
    angle = degrees * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    y, x = images.shape[1] / 2, images.shape[2] / 2
    left, top = x - (cos * x - sin * y), y - (sin * x + cos * y)
    return transform(images, cos, -sin, left, sin, cos, top)


def transform(images: tf.Tensor, *matrix: tf.Tensor | float) -> tf.Tensor:
    """Returns images whose pixel at `(x, y)` was at `matrix @ (x, y, 1)`.

    As in Pillow, the center of the first pixel is at (0.5, 0.5).

    Args:
        images: Pixels `(count, height, width, channels)`, uint8 or float32.
        *matrix: The six numbers of the two rows, each a number for all images or
            `(count,)`.
    """
    a, b, left, c, d, top = matrix
    # In TensorFlow the first pixel is at 0.
    left, top = left + (a + b - 1) / 2, top + (c + d - 1) / 2
    count = tf.shape(images)[:1]
    numbers = [
        tf.broadcast_to(number, count) for number in (a, b, left, c, d, top, 0.0, 0.0)
    ]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(numbers, -1),
        output_shape=images.shape[1:3],
        fill_value=FILL,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _enhancement(level, sign):
    """Returns factors in 0.1..1.9; 1 changes nothing."""
    return tf.maximum(0.1, 1 + sign * level * 0.9)


def _luma(channels):
    """Returns the weight of each channel in the gray version of an image: ITU-R 601."""
    return tf.constant([0.299, 0.587, 0.114] if channels == 3 else [1.0])


def _flat(images):
    """Returns images as float32, `(count, pixels)`."""
    return tf.cast(tf.reshape(images, (tf.shape(images)[0], -1)), tf.float32)


def _rows(images):
    """Returns images as float32, `(count, height, width * channels)`.

    See `images.normalize`: operations by channel are fast on rows.
    """
    _, height, width, channels = images.shape
    return tf.cast(tf.reshape(images, (-1, height, width * channels)), tf.float32)


def _channelwise(reduce, images):
    """Reduces each channel of each image to one number, `(count, channels)`."""
    rows = reduce(_rows(images), 1)
    return reduce(tf.reshape(rows, (-1, *images.shape[2:])), 1)

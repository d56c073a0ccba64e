"""MixUp and CutMix: a batch of images mixed with itself, drawn without state."""

import tensorflow as tf

from se_keras.data.augmentation import Augmentation


def mix(
    images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, config: Augmentation
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes every image with the one at the mirrored position of the batch.

    A batch is mixed by MixUp or by CutMix, with one ratio for all of its images.

    Args:
        images: Images `(batch, height, width, channels)`, float32.
        labels: One-hot labels `(batch, classes)`, float32.
        seed: Two integers. The same seed gives the same mixture.
        config: The augmentation.

    Returns:
        The mixed images and labels, of the same shapes.

    Reference:
        - [mixup](https://arxiv.org/abs/1710.09412)
        - [CutMix](https://arxiv.org/abs/1905.04899)
    """
    choice, ratio_seed, box_seed = tf.unstack(
        tf.random.experimental.stateless_split(seed, 3)
    )
    cuts = tf.random.stateless_uniform((), choice) < _probability_of_cutmix(config)
    size, channels = tf.shape(images)[1:3], images.shape[-1]
    kept = tf.cond(
        cuts,
        lambda: _outside_box(box_seed, size, 1 - _beta(ratio_seed, config.cutmix)),
        lambda: tf.fill(size, _beta(ratio_seed, config.mixup)),
    )
    # A part of a box that is outside of the image does not count for the labels.
    ratio = tf.reduce_mean(kept)
    mixed_labels = ratio * labels + (1 - ratio) * labels[::-1]
    # As one row: as fast as the memory, unlike masks of other shapes.
    kept = tf.reshape(tf.repeat(kept[..., None], channels, axis=-1), (-1,))
    flat = tf.reshape(images, (tf.shape(images)[0], -1))
    partners = tf.gather(flat, tf.range(tf.shape(flat)[0])[::-1])
    mixed = kept * flat + (1 - kept) * partners
    return tf.reshape(mixed, tf.shape(images)), mixed_labels


def _probability_of_cutmix(config):
    if config.mixup and config.cutmix:
        return config.cutmix_fraction
    return 1.0 if config.cutmix else 0.0


def _beta(seed, alpha):
    """Draws from Beta(alpha, alpha); 1 if `alpha` is 0, which is never used."""
    if not alpha:
        return tf.ones(())
    first, second = tf.unstack(tf.random.stateless_gamma((2,), seed, alpha))
    # With a small alpha both can be 0 in float32.
    return tf.math.divide_no_nan(first, first + second)


def _outside_box(seed, size, area):
    """Returns a mask `(height, width)`: 0 in a box of relative `area`, else 1."""
    place = tf.random.stateless_uniform((2,), seed)
    inside = []
    for axis in (0, 1):
        length = tf.cast(size[axis], tf.float32)
        half = tf.cast(length * tf.sqrt(area), tf.int32) // 2
        center = tf.cast(length * place[axis], tf.int32)
        index = tf.range(size[axis])
        inside.append((index >= center - half) & (index < center + half))
    return 1 - tf.cast(inside[0][:, None] & inside[1][None], tf.float32)

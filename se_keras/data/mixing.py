"""MixUp and CutMix: a batch of images mixed with itself, by draws without state."""

import tensorflow as tf

from se_keras.data.augmentation import Augmentation


def mix(
    images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, config: Augmentation
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes every image with the one at the mirrored place of the batch.

    A batch is mixed by MixUp or by CutMix, with one ratio for all of it.

    Args:
        images: Images `(batch, height, width, channels)`, float32.
        labels: One-hot labels `(batch, classes)`, float32.
        seed: Two integers. The same seed gives the same mixture.
        config: What to do.

    Returns:
        The mixed images and labels, of the same shapes.

    Reference:
        - [mixup](https://arxiv.org/abs/1710.09412)
        - [CutMix](https://arxiv.org/abs/1905.04899)
    """
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    choice, ratio_seed, box_seed = seeds
    cuts = tf.random.stateless_uniform((), choice) < _share_of_cutmix(config)

    def mixup():
        kept = _beta(ratio_seed, config.mixup)
        return kept * images + (1 - kept) * images[::-1], kept

    def cutmix():
        size = tf.shape(images)[1:3]
        inside = _box(box_seed, size, 1 - _beta(ratio_seed, config.cutmix))
        # A box at the border is cut off: the labels get what is left of it.
        kept = 1 - tf.reduce_mean(tf.cast(inside, tf.float32))
        return tf.where(inside[..., None], images[::-1], images), kept

    mixed, kept = tf.cond(cuts, cutmix, mixup)
    return mixed, kept * labels + (1 - kept) * labels[::-1]


def _share_of_cutmix(config):
    if config.mixup and config.cutmix:
        return config.cutmix_share
    return 1.0 if config.cutmix else 0.0


def _beta(seed, alpha):
    """Draws from Beta(alpha, alpha); 1 where `alpha` is 0, which is never used."""
    if not alpha:
        return tf.ones(())
    first, second = tf.unstack(tf.random.stateless_gamma((2,), seed, alpha))
    # With a small alpha both can be 0 in float32.
    return tf.math.divide_no_nan(first, first + second)


def _box(seed, size, area):
    """Returns a mask `(height, width)`, true in a box of a share of the area."""
    place = tf.random.stateless_uniform((2,), seed)
    inside = []
    for axis in (0, 1):
        side = tf.cast(size[axis], tf.float32)
        half = tf.cast(side * tf.sqrt(area), tf.int32) // 2
        centre = tf.cast(side * place[axis], tf.int32)
        index = tf.range(size[axis])
        inside.append((index >= centre - half) & (index < centre + half))
    return inside[0][:, None] & inside[1][None]

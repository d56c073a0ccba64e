import types

import numpy as np
import pytest
import tensorflow as tf

from se_keras.data.images import decode_image
from se_keras.models import Preprocessing


@pytest.fixture(scope="session")
def digits_test(digits):
    """The whole test split, as pixels that the network of `digits_run` expects."""
    preprocessing = Preprocessing((12, 12), 1.0, mean=(0.0,), std=(1.0,))
    examples = [
        (decode_image(tf.constant(encoded), preprocessing), label)
        for encoded, label in digits.records("test").as_numpy_iterator()
    ]
    pixels, labels = (np.stack(part) for part in zip(*examples, strict=True))
    return types.SimpleNamespace(pixels=pixels, labels=labels)

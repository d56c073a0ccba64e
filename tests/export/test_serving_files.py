"""The `classify` of a SavedModel on files as people have them."""

import numpy as np
import tensorflow as tf
from PIL import Image

from se_keras.data import read_image
from se_keras.export.metadata import Metadata
from se_keras.export.serving import of_encoded_images
from se_keras.models import Preprocessing
from tests.data.images import photo


def test_files_are_read_as_by_read_image(tmp_path):
    """After saving and loading: turned, thin, and of other formats."""
    preprocessing = Preprocessing((16, 16))
    image = Image.fromarray(photo(60, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    paths = [tmp_path / name for name in ("turned.jpg", "thin.png", "x.webp", "x.bmp")]
    image.save(paths[0], exif=exif)
    Image.new("RGB", (8000, 1), (10, 200, 30)).save(paths[1])
    image.save(paths[2], lossless=True)
    image.quantize(16).save(paths[3])

    module = tf.Module()
    module.classify = of_encoded_images(
        # The sum of the upper half, and of the lower: an image that is not turned has
        # others.
        lambda pixels: tf.reduce_sum(tf.reshape(pixels, (-1, 2, 8 * 16 * 3)), -1),
        Metadata(None, preprocessing, normalizes=True),
    )
    tf.saved_model.save(module, str(tmp_path / "model"))
    classify = tf.saved_model.load(str(tmp_path / "model")).classify
    scores = classify(tf.constant([path.read_bytes() for path in paths]))["scores"]

    pixels = np.stack([read_image(path, preprocessing) for path in paths])
    expected = pixels.reshape(4, 2, -1).sum(-1)
    np.testing.assert_allclose(scores, -np.sort(-expected), rtol=1e-5)
    stored = np.asarray(image.resize((16, 16)), "float32").reshape(2, -1).sum(-1)
    assert abs(expected[0] - stored).max() > 1000

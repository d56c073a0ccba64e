"""A contact sheet of augmented training images, and the speed of the pipeline."""

import math
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

from se_keras.data.augmentation import Augmentation
from se_keras.data.bad_images import BadImages, naming_bad_images
from se_keras.data.image_source import ImageSource
from se_keras.data.pipeline import training_batches
from se_keras.errors import UsageError
from se_keras.files import replacing
from se_keras.models.preprocessing import Preprocessing

GAP = 2  # white pixels between the images of a sheet


def contact_sheet(images: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Arranges normalized images in a square.

    Args:
        images: Normalized images `(count, height, width, channels)`.
        preprocessing: How they were normalized.

    Returns:
        Pixels `(sheet height, sheet width, channels)`, uint8.
    """
    pixels = preprocessing.denormalize(np.asarray(images, "float64"))
    pixels = np.clip(np.round(pixels), 0, 255).astype("uint8")
    count, height, width, channels = pixels.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows, height + GAP, columns, width + GAP, channels), 255, "uint8")
    for index, image in enumerate(pixels):
        sheet[index // columns, :height, index % columns, :width] = image
    return sheet.reshape(rows * (height + GAP), columns * (width + GAP), channels)


def write_contact_sheet(
    path: str | pathlib.Path,
    source: ImageSource,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    count: int = 36,
    seed: int = 0,
    bad_images: BadImages | None = None,
) -> int:
    """Writes the first training images of a run as a PNG file.

    Args:
        path: The file.
        source: Where the images come from.
        preprocessing: The images that the network expects.
        augmentation: The augmentation of the training images.
        count: How many images; fewer if the data set has fewer.
        seed: Seed of the run.
        bad_images: See `training_batches`.

    Returns:
        The number of images in it.

    Raises:
        UsageError: If the suffix is not `.png`, the file cannot be written, or an image
            is damaged.
    """
    if pathlib.Path(path).suffix.lower() != ".png":
        raise UsageError(
            f"Expected a path with the suffix .png. Received: {str(path)!r}"
        )
    count = min(count, source.num_examples(source.train_split))
    batches = training_batches(
        source,
        preprocessing,
        augmentation,
        batch_size=count,
        seed=seed,
        epoch=0,
        bad_images=bad_images,
    )
    with naming_bad_images(source):
        images, _ = next(iter(batches))
    try:
        with replacing(path) as temporary:
            encoded = tf.io.encode_png(contact_sheet(images, preprocessing))
            temporary.write_bytes(encoded.numpy())
    except OSError as error:
        raise UsageError(
            f"Expected a path that can be written. Received: {str(path)!r} ({error})"
        ) from error
    return count


def measure(
    source: ImageSource,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int = 0,
    seconds: float = 10.0,
    bad_images: BadImages | None = None,
) -> dict:
    """Measures the speed of the pipeline alone, with a progress bar.

    Args:
        source: Where the images come from.
        preprocessing: The images that the network expects.
        augmentation: The augmentation of the training images.
        batch_size: Images of a batch.
        seed: Seed of the run.
        seconds: Time after which to stop, if the epoch has not ended before.
        bad_images: See `training_batches`.

    Returns:
        `images_per_second`, without the first batch, which waits for the pipeline to
        fill; `images`, their number; and `bad_images`, the names of those that were
        skipped.

    Raises:
        UsageError: If there are fewer than two batches, or an image is damaged.
    """
    examples = source.num_examples(source.train_split)
    if examples < 2 * batch_size:
        raise UsageError(
            f"Expected a batch_size of at most {examples // 2}, half of the training "
            f"images. Received: batch_size={batch_size}"
        )
    bad_images = BadImages() if bad_images is None else bad_images
    batches = training_batches(
        source,
        preprocessing,
        augmentation,
        batch_size=batch_size,
        seed=seed,
        epoch=0,
        bad_images=bad_images,
    )
    progress = keras.utils.Progbar(
        examples // batch_size * batch_size,
        stateful_metrics=["images/s"],
        unit_name="image",
    )
    images = 0
    with naming_bad_images(source):
        iterator = iter(batches)
        next(iterator)
        started = time.monotonic()
        for _ in iterator:
            images += batch_size
            elapsed = time.monotonic() - started
            rate = images / elapsed
            ends = elapsed > seconds or images + batch_size == progress.target
            progress.update(images + batch_size, [("images/s", rate)], finalize=ends)
            if ends:
                break
    return {
        "images_per_second": rate,
        "images": images + batch_size,
        "bad_images": bad_images.names,
    }

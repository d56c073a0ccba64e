"""A contact sheet of augmented training images, and the speed of the pipeline."""

import pathlib
import time
from collections.abc import Sequence

import keras
import numpy as np

from se_keras.data.augmentation import Augmentation
from se_keras.data.bad_images import BadImages, naming_bad_images
from se_keras.data.image_source import ImageSource
from se_keras.data.pipeline import training_batches
from se_keras.errors import UsageError
from se_keras.evaluation.text import shortened
from se_keras.files import replacing
from se_keras.models.preprocessing import Preprocessing

COUNTED = 100_000  # images; of a larger data set, the labels are not read
LISTED = 30  # classes; of more, the largest and the smallest are listed
ENDS = 5  # how many of each


def first_images(
    source: ImageSource,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    count: int = 36,
    seed: int = 0,
    bad_images: BadImages | None = None,
) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Returns the first training images of a run, and the names of their classes.

    Args:
        source: Where the images come from.
        preprocessing: The images that the network expects.
        augmentation: The augmentation of the training images.
        count: How many images; fewer if the data set has fewer.
        seed: Seed of the run.
        bad_images: See `training_batches`.

    Returns:
        Pixels `(count, height, width, channels)`, uint8, and for each image the names
        of its classes: one, or where images are mixed two, with their fractions.

    Raises:
        UsageError: If an image is damaged.
    """
    batches = training_batches(
        source,
        preprocessing,
        augmentation,
        batch_size=min(count, source.num_examples(source.train_split)),
        seed=seed,
        epoch=0,
        bad_images=bad_images,
    )
    with naming_bad_images(source):
        images, labels = next(iter(batches))
    pixels = preprocessing.denormalize(np.asarray(images, "float64"))
    pixels = np.clip(np.round(pixels), 0, 255).astype("uint8")
    return pixels, [_names(label, source.class_names) for label in labels.numpy()]


def _names(label, class_names):
    if not np.ndim(label):
        return (class_names[label],)
    largest = np.argsort(-label, kind="stable")[:2]
    return tuple(f"{label[i]:.0%} {class_names[i]}" for i in largest if label[i] > 0)


def write_contact_sheet(
    path: str | pathlib.Path,
    pixels: np.ndarray,
    names: Sequence[Sequence[str]],
    title: str = "",
) -> None:
    """Writes images, with the names of their classes below, as a PNG file.

    Args:
        path: The file.
        pixels: The images, as `first_images` returns them.
        names: The names of their classes.
        title: Title of the picture.

    Raises:
        UsageError: If the suffix is not `.png`, or the file cannot be written.
    """
    from se_keras.evaluation import plots

    check_path(path)
    plots.require_matplotlib()
    try:
        with replacing(path) as temporary:
            plots.plot_images([*pixels], names, temporary, title)
    except OSError as error:
        raise UsageError(
            f"Expected a path that can be written. Received: {str(path)!r} ({error})"
        ) from error


def check_path(path: str | pathlib.Path) -> None:
    """Raises `UsageError` if the suffix of a path is not `.png`."""
    if pathlib.Path(path).suffix.lower() != ".png":
        raise UsageError(
            f"Expected a path with the suffix .png. Received: {str(path)!r}"
        )


def images_per_class(source: ImageSource) -> list[str]:
    """Returns lines about how many images each class has in each split.

    Args:
        source: The data set. Of one with more than 100,000 images the labels are not
            read.
    """
    images = {split: source.num_examples(split) for split in source.splits}
    if sum(images.values()) > COUNTED:
        return [f"Images per class: not counted, more than {COUNTED:,} images"]
    classes = len(source.class_names)
    counts = np.stack(
        [np.bincount(source.labels(split), minlength=classes) for split in images], 1
    )
    lines = [f"Images per class ({', '.join(images)}):"]
    shown = [*range(classes)]
    if classes > LISTED:
        order = np.argsort(-counts[:, 0], kind="stable")
        shown = [*order[:ENDS], *order[-ENDS:]]
        lines[0] = f"{lines[0][:-1]}, the {ENDS} largest and smallest of {classes}:"
    names = [shortened(source.class_names[index], 40) for index in shown]
    width = max(map(len, names))
    for name, index in zip(names, shown, strict=True):
        numbers = "".join(f"{number:8}" for number in counts[index])
        lines.append(f"  {name:{width}}{numbers}")
    return lines


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

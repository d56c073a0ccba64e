"""Opening a data set by name: one of TFDS, the embedded one, or a folder."""

import os

from se_keras.data.folder import FOLDER, open_folder
from se_keras.data.image_source import ImageSource
from se_keras.data.splits import Splits, listed
from se_keras.errors import UsageError


def open_source(
    name: str, data_dir: str | None = None, splits: Splits | None = None
) -> ImageSource:
    """Opens a data set, and prepares it first if necessary and possible.

    Args:
        name: An image-classification data set of TFDS (`"imagenet2012"`,
            `"cifar10"`, ...); `"digits"`, the embedded sample; or `"folder:PATH"`, a
            folder with one subfolder of images for each class, or with such folders
            `train`, `val` and `test`.
        data_dir: Directory of TFDS data sets. Defaults to that of TFDS; for the
            embedded sample, to a cache directory.
        splits: Where the training, evaluation and test images come from. Defaults to
            `Splits()`, which recognizes them by their names or draws them.

    Returns:
        An `ImageSource`.

    Raises:
        UsageError: If there is no such data set, it has no images or labels, its splits
            are not clear, or it is not prepared and cannot be, or a package is missing.

    Example:

    ```python
    source = open_source("folder:flowers")
    source.class_names
    ```
    """
    source = _open(name, data_dir, splits or Splits())
    broken = [n for n in source.class_names if len(n.splitlines()) != 1]
    if broken:
        raise UsageError(
            "Expected names of classes that are one line each. "
            f"Received: {listed(broken)} in {name!r}"
        )
    return source


def _open(name, data_dir, splits):
    if name.startswith(FOLDER):
        return open_folder(name.removeprefix(FOLDER), splits)
    if os.path.isdir(os.path.expanduser(name)) and os.sep in name:
        raise UsageError(
            f"Expected {FOLDER}PATH for a folder of images. "
            f"Did you mean {FOLDER}{name}? Received: {name!r}"
        )
    try:
        from se_keras.data import embedded, tfds_source
    except ImportError as error:
        raise UsageError(
            "Expected the package tensorflow_datasets for this data set: "
            f"pip install 'se-keras[train]'. Received: {name!r} ({error})"
        ) from error
    if name == embedded.NAME:
        data_dir = data_dir or str(embedded.cache_dir())
        try:
            embedded.prepare(data_dir)
        except OSError as error:
            raise UsageError(
                "Expected a directory that can be written for the embedded sample, "
                f"with --data_dir. Received: {data_dir} ({error})"
            ) from error
    return tfds_source.open_tfds(name, data_dir, splits)

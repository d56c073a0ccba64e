"""Opening a data set by name: of TFDS, the embedded one, or a folder."""

from se_keras.data import embedded
from se_keras.data.folder import FOLDER, open_folder
from se_keras.data.image_source import ImageSource
from se_keras.data.tfds_source import open_tfds
from se_keras.errors import UsageError


def open_source(name: str, data_dir: str | None = None) -> ImageSource:
    """Opens a data set, and prepares it first if that is possible.

    Args:
        name: Any image-classification data set of TFDS (`"imagenet2012"`,
            `"cifar10"`, ...); `"digits"`, the embedded sample; or `"folder:PATH"`,
            a folder of images by class, see `folder.open_folder`.
        data_dir: Where TFDS data sets are, as TFDS means it. Defaults to TFDS's own
            default; for the embedded sample, to a cache folder.

    Raises:
        UsageError: If there is no such data set, it has no images or labels, or it
            is not there and cannot be prepared.
    """
    if name.startswith(FOLDER):
        return open_folder(name.removeprefix(FOLDER))
    if name == embedded.NAME:
        data_dir = data_dir or embedded.cache_dir()
        try:
            embedded.prepare(data_dir)
        except OSError as error:
            raise UsageError(
                f"The embedded sample cannot be prepared in {data_dir}: {error}. "
                "Give a folder that can be written with --data_dir"
            ) from error
    return open_tfds(name, data_dir)

import numpy as np
import pytest
import tensorflow_datasets as tfds

from se_keras.data import open_source
from tests.data.images import PHOTOS, encode, photo

# Odd sizes, landscape and portrait, larger and smaller than any crop.
SIZES = [(31, 47), (90, 41), (63, 63), (200, 301), (24, 25)]


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A data set of TFDS with JPEGs of many sizes, and a test split that is no use."""
    data_dir = tmp_path_factory.mktemp("photos")

    def examples(added):
        return [
            (
                f"{name} {height} x {width}",
                {
                    "file_name": name,
                    "image": encode(photo(height, width, name), "jpeg"),
                    "label": label,
                },
            )
            for label, name in enumerate(PHOTOS)
            for height, width in np.add(SIZES, added).tolist()
        ]

    tfds.dataset_builders.store_as_tfds_dataset(
        name="photos",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "file_name": tfds.features.Text(),
                "image": tfds.features.Image(shape=(None, None, 3)),
                "label": tfds.features.ClassLabel(names=list(PHOTOS)),
            }
        ),
        split_datasets={
            "train": examples(0),
            "validation": examples(3),
            "test": examples(5)[:1],
        },
        data_dir=data_dir,
    )
    return open_source("photos", str(data_dir))

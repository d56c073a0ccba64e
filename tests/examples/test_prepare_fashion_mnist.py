"""The preparation of Fashion-MNIST, on files of the same form."""

import gzip
import struct

import numpy as np
import pytest

from se_keras.data import open_source
from tests.data.images import decode


def idx(array):
    """Returns a compressed IDX file, as its format is defined."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)  # tests are named by it


@pytest.fixture
def source(tmp_path):
    """A directory of the four files, and what is in them."""
    rng = np.random.default_rng(0)
    directory, content = tmp_path / "source", {}
    directory.mkdir()
    for name, count in (("train", 20), ("t10k", 12)):
        images = rng.integers(0, 256, (count, 28, 28), "uint8")
        labels = rng.integers(0, 10, count, "uint8")
        (directory / f"{name}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (directory / f"{name}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
        content[name] = {i.tobytes(): y for i, y in zip(images, labels, strict=True)}
    return directory, content


def test_the_data_set_is_found_by_its_name(source, example, tmp_path, capsys):
    directory, content = source
    flags = f"--source={directory}", f"--data_dir={tmp_path / 'tfds'}"
    example("prepare_fashion_mnist", *flags)
    printed = capsys.readouterr().out.splitlines()[-1]
    assert printed == f"Prepared: {tmp_path}/tfds/fashion_mnist/3.0.1"

    data = open_source("fashion_mnist", str(tmp_path / "tfds"))
    assert data.image_shape == (28, 28, 1)
    assert data.class_names[::9] == ("T-shirt/top", "Ankle boot")
    assert (data.train_split, data.evaluation_split) == ("train", "test")
    for split, name in (("train", "train"), ("test", "t10k")):
        found = {
            decode(encoded).tobytes(): label
            for encoded, label in data.records(split).as_numpy_iterator()
        }
        assert found == content[name]

    # Again, it is there.
    example("prepare_fashion_mnist", f"--source={tmp_path}", flags[1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-labels-idx1-ubyte.gz", None, "dataset-fashion-mnist"),
        ("train-images-idx3-ubyte.gz", b"no gzip", "cannot be read"),
        (
            "t10k-labels-idx1-ubyte.gz",
            gzip.compress(b"\0\0", mtime=0),
            "cannot be read",
        ),
        ("t10k-labels-idx1-ubyte.gz", idx(np.zeros(9, "uint8"))[:-9], "cannot"),
        (
            "t10k-labels-idx1-ubyte.gz",
            idx(np.zeros(9, "uint8"))[:10] + b"\xff" * 9,
            "cannot be read",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            idx(np.zeros(3, "uint8")),
            "a label for each image.* 3 labels",
        ),
    ],
)
def test_files_that_cannot_be_read(name, content, message, source, example, tmp_path):
    directory, _ = source
    (directory / name).unlink()
    if content is not None:
        (directory / name).write_bytes(content)
    with pytest.raises(SystemExit, match=f"^error: .*{message}") as failure:
        example(
            "prepare_fashion_mnist",
            f"--source={directory}",
            f"--data_dir={tmp_path}/tfds",
        )
    assert name in str(failure.value)
    assert not (tmp_path / "tfds").exists()

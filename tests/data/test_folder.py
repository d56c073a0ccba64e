import hashlib
import os
import re

import pytest

from se_keras.data import Augmentation, open_source, training_batches
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from tests.data.images import encode, photo

JPEG = encode(photo(20, 30), "jpeg")
PNG = encode(photo(30, 20, "flower"))


def fill(root, *names):
    """Writes images; the suffix decides the kind."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG if name.lower().endswith("png") else JPEG)


def names_of(source, split):
    """Returns pairs of path and label."""
    return {
        (name.decode(), int(label))
        for _, label, name in source.named_records(split).as_numpy_iterator()
    }


@pytest.mark.parametrize(
    ("folder", "split"),
    [("val", "validation"), ("validation", "validation"), ("test", "test")],
)
def test_stored_splits(folder, split, tmp_path):
    fill(
        tmp_path, "train/b/2.jpg", "train/b/1.JPEG", "train/a/x.png", "train/b/c/0.jpg"
    )
    fill(tmp_path, f"{folder}/a/x.jpg", f"{folder}/b/y.png", "other/c/z.png")
    (tmp_path / "train/b/notes.txt").write_text("no image")
    (tmp_path / "train/b/.hidden.jpg").write_text("no image")
    (tmp_path / "train/empty").mkdir()
    source = open_source(f"folder:{tmp_path}")
    assert source.name == f"folder:{tmp_path}"
    assert source.class_names == ("a", "b")
    assert source.image_shape == (None, None, 3)
    assert (source.train_split, source.evaluation_split) == ("train", split)
    assert source.num_examples("train") == 4
    assert names_of(source, "train") == {
        (f"{tmp_path}/train/{name}", label)
        for name, label in (("a/x.png", 0), ("b/1.JPEG", 1), ("b/2.jpg", 1))
    } | {(f"{tmp_path}/train/b/c/0.jpg", 1)}
    assert {name for name, _ in names_of(source, split)} == {
        f"{tmp_path}/{folder}/a/x.jpg",
        f"{tmp_path}/{folder}/b/y.png",
    }
    for encoded, _, name in source.named_records("train").as_numpy_iterator():
        assert encoded == (PNG if name.endswith(b"png") else JPEG)


def test_validation_goes_before_test(tmp_path):
    for split in ("train", "test", "val"):
        fill(tmp_path, f"{split}/a/{split}.png", f"{split}/b/{split}.png")
    source = open_source(f"folder:{tmp_path}")
    assert all("/val/" in name for name, _ in names_of(source, "validation"))


def test_drawn_splits(tmp_path):
    for root in ("one", "two"):
        fill(tmp_path / root, *(f"{c}/{c}{n}.jpg" for c in "xyz" for n in range(40)))
    first, second = (
        open_source(f"folder:{tmp_path / root}") for root in ("one", "two")
    )
    train, evaluation = (
        {name.rsplit("/", 1)[1] for name, _ in names_of(first, split)}
        for split in ("train", "validation")
    )
    assert not train & evaluation
    assert len(train | evaluation) == 120
    expected = {
        name
        for name in train | evaluation
        if int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) < 0.2 * 2**64
    }
    assert evaluation == expected
    assert 10 < len(evaluation) < 40
    # Another place, the same split.
    assert evaluation == {
        name.rsplit("/", 1)[1] for name, _ in names_of(second, "validation")
    }


def test_order_of_a_seed(tmp_path):
    for split in ("train", "val"):
        fill(tmp_path, *(f"{split}/{c}/{n}.jpg" for c in "ab" for n in range(30)))
    source = open_source(f"folder:{tmp_path}")

    def order(seed):
        records = source.named_records("train", seed).as_numpy_iterator()
        return [name for _, _, name in records]

    assert order(None) == sorted(order(None))
    assert order(1) == order(1)
    assert sorted(order(1)) == order(None)
    assert len({tuple(order(seed)) for seed in (None, 1, 2)}) == 3


def test_training(tmp_path):
    for split in ("train", "val"):
        fill(tmp_path, *(f"{split}/{c}/{n}.jpg" for c in "ab" for n in range(4)))
    batches = training_batches(
        open_source(f"folder:{tmp_path}"),
        Preprocessing((16, 16)),
        Augmentation(),
        batch_size=4,
        seed=0,
        epoch=0,
    )
    assert [images.shape for images, _ in batches] == [(4, 16, 16, 3)] * 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "Expected a folder of images"),
        ([], "without any"),
        (["1.jpg", "2.jpg"], "without any"),
        (["a/1.txt"], "without any"),
        (["a/1.jpg", "a/2.jpg"], "with the class 'a' only"),
        (["train/a/1.jpg", "val/a/1.jpg"], "with the class 'a' only"),
        (
            ["train/a/1.jpg", "train/b/1.jpg"],
            "one of the folders val, validation, test",
        ),
        (
            ["train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg"],
            "where validation has no images of 'b'",
        ),
        (
            ["train/a/1.jpg", "val/b/1.jpg", "val/a/1.jpg"],
            "where train has no images of 'b'",
        ),
        (["a/1.jpg", "b/1.jpg"], "where (train|validation) has no images of 'a', 'b'"),
    ],
)
def test_folders_that_are_no_use(files, message, tmp_path):
    root = tmp_path / "images"
    if files is not None:
        root.mkdir()
        fill(root, *files)
    with pytest.raises(UsageError, match=f"{message}|{re.escape(message)}"):
        open_source(f"folder:{root}")


def test_hidden_folders_are_no_classes(tmp_path):
    fill(tmp_path, *(f"{c}/{i}.jpg" for c in "ab" for i in range(20)))
    fill(tmp_path, *(f".cache/{i}.jpg" for i in range(20)), "a/.thumbs/x.jpg")
    source = open_source(f"folder:{tmp_path}")
    assert source.class_names == ("a", "b")
    assert sum(map(source.num_examples, ("train", "validation"))) == 40


def test_a_link_back_counts_nothing_twice(tmp_path):
    fill(tmp_path, *(f"{c}/{i}.jpg" for c in "ab" for i in range(20)))
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    source = open_source(f"folder:{tmp_path}")
    assert sum(map(source.num_examples, ("train", "validation"))) == 40


def test_a_name_that_is_not_utf8(tmp_path):
    fill(tmp_path, *(f"{c}/{i}.jpg" for c in "ab" for i in range(20)))
    (tmp_path / "a" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(JPEG)
    with pytest.raises(UsageError, match=r"UTF-8\. Received: b'.*caf\\xe9\.jpg'"):
        open_source(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    "settings", [{"area": (0.5, 0.1)}, {"area": (0, 0)}, {"aspect": (0, 1)}]
)
def test_ranges_that_are_none(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"`{name}` must be two positive"):
        Augmentation(**settings)

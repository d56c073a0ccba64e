import base64
import os

import numpy as np
import pytest
import tensorflow as tf

from se_keras.data import Augmentation, Splits, open_source, training_batches
from se_keras.data.layout import SUFFIXES
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from tests.data.images import decode, encode, photo

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


def test_stored_splits(tmp_path):
    fill(
        tmp_path, "train/b/2.jpg", "train/b/1.JPEG", "train/a/x.png", "train/b/c/0.jpg"
    )
    fill(tmp_path, "valid/a/x.jpg", "valid/b/y.png", "other/c/z.png", "test/a/1.jpg")
    (tmp_path / "train/b/notes.txt").write_text("no image")
    (tmp_path / "train/b/.hidden.jpg").write_text("no image")
    source = open_source(f"folder:{tmp_path}")
    assert source.name == f"folder:{tmp_path}"
    assert source.class_names == ("a", "b")
    assert source.image_shape == (None, None, 3)
    assert source.splits == ("train", "validation", "test")
    assert (source.train_split, source.evaluation_split) == source.splits[:2]
    assert source.num_examples("train") == 4
    assert names_of(source, "train") == {
        (f"{tmp_path}/train/{name}", label)
        for name, label in (("a/x.png", 0), ("b/1.JPEG", 1), ("b/2.jpg", 1))
    } | {(f"{tmp_path}/train/b/c/0.jpg", 1)}
    assert {name for name, _ in names_of(source, "validation")} == {
        f"{tmp_path}/valid/a/x.jpg",
        f"{tmp_path}/valid/b/y.png",
    }
    assert {name for name, _ in names_of(source, "test")} == {
        f"{tmp_path}/test/a/1.jpg"
    }
    for stored, _, name in source.named_records("train"):
        suffix = name.numpy()[-3:]
        assert source.read(stored).numpy() == (PNG if suffix == b"png" else JPEG)
    assert source.left_out == ("other/c/z.png", "train/b/notes.txt")
    assert source.summary() == [
        "Images: train 4, validation 2 (valid), test 1.",
        "Left out 2 files: 1 .png, 1 .txt (a run lists them in left_out.csv).",
        "test has no images of 'b'.",
    ]


def test_a_drawn_split_moves_with_its_folder(tmp_path):
    for root in ("one", "two/three"):
        fill(tmp_path / root, *(f"{c}/{n}/x.jpg" for c in "xyz" for n in range(40)))
    parts = [
        {
            split: {name.removeprefix(f"{tmp_path}/{root}/") for name, _ in names}
            for split in source.splits
            for names in [names_of(source, split)]
        }
        for root in ("one", "two/three")
        for source in [open_source(f"folder:{tmp_path / root}")]
    ]
    assert parts[0] == parts[1]
    assert not parts[0]["train"] & parts[0]["validation"]
    assert len(parts[0]["train"] | parts[0]["validation"]) == 120
    assert 10 < len(parts[0]["validation"]) < 40
    drawn = open_source(
        f"folder:{tmp_path / 'one'}", splits=Splits(evaluation_fraction=0.5)
    )
    assert 40 < drawn.num_examples("validation") < 80


# A JPEG XL file of four pixels, from the reference encoder.
JXL = base64.b64decode("/woIEBAJCAABAEgASxiLFcJJI1i+QAQAaEUxAPQg")
KINDS = {
    "JPEG": ("jpg", "JPEG", "jpe", "jfif", "pjpeg", "pjp"),
    "PNG": ("png",),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "WEBP": ("webp", "WebP"),
}


def test_every_suffix_is_read(tmp_path):
    """TensorFlow decodes what Pillow wrote, in each form that counts as an image."""
    pixels, expected = photo(20, 30), {}
    for kind, suffixes in KINDS.items():
        for suffix in suffixes:
            for label in "ab":
                name = f"{label}/{suffix}.{suffix}"
                fill(tmp_path, name)
                (tmp_path / name).write_bytes(encode(pixels, kind))
                expected[name] = decode(encode(pixels, kind))
    (tmp_path / "a/x.jxl").write_bytes(JXL)
    expected["a/x.jxl"] = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]]
    assert {f".{s.lower()}" for ss in KINDS.values() for s in ss} | {".jxl"} == {
        *SUFFIXES
    }
    source = open_source(f"folder:{tmp_path}")
    assert source.left_out == ()
    found = {}
    for split in source.splits:
        for path, _, name in source.named_records(split).as_numpy_iterator():
            encoded = source.read(path)
            image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
            found[name.decode().removeprefix(f"{tmp_path}/")] = image.numpy()
    assert found.keys() == expected.keys()
    for name, image in found.items():
        if name.endswith("gif"):
            continue  # Pillow keeps a palette
        difference = np.abs(image.astype(int) - np.asarray(expected[name], int))
        assert difference.mean() < 2, name


@pytest.mark.parametrize(
    "name", ["m$_$x", "two words", "gr\u00fc\u00df", "line\nbreak"]
)
def test_places_of_any_name(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / name, *(f"{c} $1/{n}.jpg" for c in "ab" for n in range(5)))
    for path in (f"~/{name}", name, f"./{name}/", str(tmp_path / name)):
        source = open_source(f"folder:{path}")
        assert source.class_names == ("a $1", "b $1")
        records = [*source.records("train").as_numpy_iterator()]
        assert len(records) == source.num_examples("train")
        assert all(encoded == JPEG for encoded, _ in records)


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
    ("name", "message"),
    [
        ("folder:", "Expected a folder of images. Received: ''"),
        ("folder:/no/such/folder", "Expected a folder of images"),
        ("{tmp}/images", "Did you mean folder:{tmp}/images"),
        ("folder:{tmp}/images", r"one line each. Received: 'a\\nb' in"),
    ],
)
def test_refused(name, message, tmp_path):
    fill(tmp_path / "images", *(f"{c}/{n}.jpg" for c in ("a\nb", "c") for n in "123"))
    with pytest.raises(UsageError, match=message.format(tmp=tmp_path)):
        open_source(name.format(tmp=tmp_path))


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

"""What folders of images mean; the files are empty, since none is read here."""

import pytest

import se_keras.data.layout as layout_module
from se_keras.data.layout import count_suffixes, find_layout, is_image, read_folder
from se_keras.data.splits import Splits
from se_keras.errors import UsageError


def images(*folders, count=3):
    return [f"{folder}/{n}.jpg" for folder in folders for n in range(count)]


@pytest.fixture
def layout(tmp_path):
    def find(paths, **settings):
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return find_layout(read_folder(tmp_path), Splits(**settings), str(tmp_path))

    return find


def folders_of(layout):
    """Returns by split the folders that have its images."""
    return {
        split: sorted({p.rpartition("/")[0] for paths in of.values() for p in paths})
        for split, of in layout.images.items()
    }


@pytest.mark.parametrize(
    ("paths", "evaluation", "test"),
    [
        (images("train/a", "train/b", "val/a", "val/b"), "val", None),
        (images("Training/a", "Training/b", "Testing/a", "Testing/b"), "Testing", None),
        (images("TRAIN/a", "TRAIN/b", "Valid/a", "Valid/b"), "Valid", None),
        (
            images("train/a", "train/b", "dev/a", "dev/b", "test/a", "test/b"),
            "dev",
            "test",
        ),
        # A test without all classes is a test, without any it is not.
        (images("train/a", "train/b", "val/a", "val/b", "test/b"), "val", "test"),
        (images("train/a", "train/b", "val/a", "val/b", "test"), "val", None),
        (images("train/a", "train/b", "val/a", "val/b", "test/all"), "val", None),
        # Other folders are no splits.
        (images("train/a", "train/b", "val/a", "val/b", "extra/c"), "val", None),
        (
            [*images("train/a", "train/b", "val/a", "val/b"), "train/x.txt", "x.jpg"],
            "val",
            None,
        ),
        # Files of classes may be at any depth.
        (images("train/a/x", "train/b/y/z", "val/a", "val/b/q"), "val", None),
    ],
)
def test_stored_splits(paths, evaluation, test, layout):
    found = layout(paths)
    assert found.class_names == ("a", "b")
    named = {"train": paths[0].split("/")[0], found.evaluation_split: evaluation}
    if test:
        named[found.test_split] = test
    assert found.places == named
    for split, of_split in folders_of(found).items():
        assert {path.split("/")[0] for path in of_split} == {named[split]}
        assert {path.split("/")[1] for path in of_split} <= {"a", "b"}
    expected = "test" if evaluation.lower().startswith("test") else "validation"
    assert (found.evaluation_split, found.test_split) == (expected, test)


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (images("bus", "car", "train"), ("bus", "car", "train")),
        (images("dev", "car"), ("car", "dev")),
        (images("bus", "car", "__MACOSX", ".cache", "@eaDir/x"), ("bus", "car")),
        (images("a/part0", "a/part1", "b/part2", "b"), ("a", "b")),
        # Different kinds of a class.
        (images("bird/eagle", "bird/hawk", "dog/lab", "dog/pug"), ("bird", "dog")),
        # Only a folder of training images.
        (images("train/a", "train/b"), ("a", "b")),
        (images("Train/a", "Train/b", "test"), ("a", "b")),
    ],
)
def test_classes(paths, classes, layout):
    found = layout(paths)
    assert found.class_names == classes
    assert (found.evaluation_split, found.test_split) == ("validation", None)
    assert found.places["validation"].startswith("drawn from ")
    for by_class in found.images.values():
        assert tuple(by_class) == classes
        assert all(by_class.values())


def test_samples_of_several_images(layout):
    views = ("front.jpg", "back.jpg", "top.jpg")
    paths = [f"{c}/part{n}/{v}" for c in "ab" for n in range(12) for v in views]
    by_file = layout(paths)
    assert any("--split_by=parent" in note for note in by_file.notes)
    drawn = [p for of in by_file.images["validation"].values() for p in of]
    assert {path.rsplit("/", 1)[1] for path in drawn} == set(views)
    by_parent = layout(paths, split_by="parent")
    train, evaluation = (
        {path.split("/")[1] for of in by_parent.images[split].values() for path in of}
        for split in ("train", "validation")
    )
    # A part that two classes share is in one of the two only.
    assert not train & evaluation
    assert len(train | evaluation) == 12
    assert not by_parent.notes


def test_parents_and_single_images(layout):
    paths = images("a", "b", count=9) + images("a/x", "a/y", "b/x", "b/z")
    found = layout(paths, split_by="parent")
    for split in found.images:
        for folder in ("a/x", "a/y", "b/x", "b/z"):
            inside = [p for of in found.images[split].values() for p in of]
            assert sum(p.startswith(f"{folder}/") for p in inside) in (0, 3)


@pytest.mark.parametrize(
    ("paths", "settings", "evaluation", "test"),
    [
        (
            images("images/train/a", "images/train/b", "images/val/a", "images/val/b"),
            {"train_split": "images/train", "evaluation_split": "images/val/"},
            "images/val",
            None,
        ),
        (
            images("learn/a", "learn/b", "Val/a", "Val/b", "test/a", "test/b"),
            {"train_split": "learn"},
            "Val",
            "test",
        ),
        # Not the test: the user has named it.
        (
            images("train/a", "train/b", "test/a", "test/b"),
            {"test_split": "test"},
            "drawn from train",
            "test",
        ),
        (
            images("train/a", "train/b", "test/a", "test/b", "holdout/a", "holdout/b"),
            {"evaluation_split": "holdout"},
            "holdout",
            "test",
        ),
    ],
)
def test_splits_by_flags(paths, settings, evaluation, test, layout):
    found = layout(paths, **settings)
    assert found.class_names == ("a", "b")
    assert found.places[found.evaluation_split] == evaluation
    assert found.places.get("test") == test


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (images("train", "test"), ("test", "train")),
        (images("train/steam", "train/diesel", "bus", "car"), ("bus", "car", "train")),
        (images("a/left", "a/right", "b/left", "b/right"), ("a", "b")),
    ],
)
def test_a_flag_decides(paths, classes, layout):
    """Each of these is refused without the flag, and the error names it."""
    with pytest.raises(UsageError, match=r"--train_split=\.|--train_split decides"):
        layout(paths)
    assert layout([], train_split=".").class_names == classes


@pytest.mark.parametrize(
    ("paths", "settings", "message"),
    [
        # Unknown names of splits, or a level too high.
        (images("fold1/a", "fold1/b", "fold2/a", "fold2/b"), {}, "all of .* have 'a'"),
        (images("fold1/a", "fold1/b", "fold2/a"), {}, "all of .* have 'a'"),
        (images("a/train", "a/val", "b/train", "b/val"), {}, "'train', 'val'"),
        (images("archive/train/a", "archive/val/a"), {}, "Did you mean .*/archive"),
        (images("archive/a", "archive/b"), {}, "Did you mean .*/archive"),
        (images("val/a", "val/b"), {}, "--train_split decides"),
        (images("val/a", "val/b", "learn/a", "learn/b"), {}, "--train_split decides"),
        # Images where classes are expected.
        (images("train", "val"), {}, "'train', 'val' have images and no classes"),
        (
            images("train/a", "train/b", "val"),
            {},
            "class in 'val'.*--evaluation_split.*outside of classes",
        ),
        (images("train", "val/a", "val/b"), {}, "class in 'train'"),
        # Two folders for one split.
        (images("train/a", "Train/a", "val/a"), {}, "one folder of train images"),
        (images("train/a", "val/a", "dev/a"), {}, "--evaluation_split"),
        # Splits that do not go together.
        (
            images("train/a", "train/b", "val/a"),
            {},
            "where validation has no images of 'b'",
        ),
        (images("train/a", "val/a", "val/b"), {}, "where train has no images of 'b'"),
        (
            images("train/a", "train/b", "val/a", "val/b", "test/b", "test/c"),
            {},
            "where test has images of 'c'",
        ),
        # Flags.
        (images("a", "b"), {"train_split": "no"}, "'no', which is not there"),
        (images("a", "b"), {"test_split": "../x"}, "which is not there"),
        (
            images("train/a", "train/b"),
            {"evaluation_split": "train"},
            "train_split decides",
        ),
        (
            images("t/a", "t/b"),
            {"train_split": "t", "evaluation_split": "t/a"},
            "separate",
        ),
        (
            images("t/a", "t/b"),
            {"train_split": ".", "evaluation_split": "t"},
            "separate",
        ),
        (images("a", "b"), {"split_by": "parent"}, "Expected subfolders"),
        # Classes without an image that can be read, or with one only.
        ([*images("a", "b"), "c/1.heic", "c/2.tif"], {}, "'c' has 1 .heic, 1 .tif"),
        ([*images("a", "b"), "c/1"], {}, "'c' has 1 without suffix"),
        ([*images("a", "b"), "c/.hidden.jpg"], {}, "'c' has no files"),
        ([*images("a", "b"), "c/1.jpg"], {}, "one of 'c'"),
        (images("a", "b", count=1), {}, "one of 'a', 'b'"),
        ([], {}, "without any"),
        (["1.jpg", "2.jpg"], {}, "without any"),
        (["a/1.txt", "b/1.txt"], {}, "without any"),
        (images("a"), {}, "with the class 'a' only"),
        (images("train/a", "val/a"), {}, "with the class 'a' only"),
    ],
)
def test_refused(paths, settings, message, layout):
    with pytest.raises(UsageError, match=message) as error:
        layout(paths, **settings)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("Expected ")
    assert "Received: " in text


def test_errors_are_bounded(layout):
    long = [f"{'x' * 200}{n}" for n in range(30)]
    with pytest.raises(UsageError) as error:
        layout([f"{name}/1.jpg" for name in long])
    assert len(str(error.value)) < 1000


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    for path in images("a", "b"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    # The superuser may read everything.
    scandir = layout_module.os.scandir

    def denied(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(layout_module.os, "scandir", denied)
    with pytest.raises(UsageError, match=r"can be read\. Received: .*/b' \(Permission"):
        read_folder(tmp_path)


def test_suffixes():
    names = ["a/1.TXT", "2.txt", "3", "x.tar.gz", *(f"{n}.{n}" for n in "abcdef")]
    assert count_suffixes(names, 2) == "2 .txt, 1 without suffix, 7 others"
    assert all(map(is_image, ("a.JPG", "b.webp", "c.jfif", "d.jxl", ".x.Png")))
    assert not any(map(is_image, ("a.tif", "b.heic", "c.avif", "d.txt", "jpg", "e.")))

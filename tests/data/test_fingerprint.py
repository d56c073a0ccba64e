import csv
import dataclasses
import gzip
import json
import os

import pytest

from se_keras.data.fingerprint import Fingerprint
from se_keras.errors import UsageError

FILES = [("cat/1.jpg", "train", 0, 10), ("dog/1.jpg", "train", 1, 20)]
FILES += [("cat/2.jpg", "validation", 0, 30), ("dog/2.jpg", "validation", 1, 40)]


def fingerprint(files=FILES, classes=("cat", "dog"), **settings):
    images = {
        split: sum(s == split for _, s, _, _ in files)
        for split in ("train", "validation")
    }
    return Fingerprint(tuple(classes), images, files=tuple(files), **settings)


def test_what_is_written(tmp_path):
    name = os.fsdecode(b"caf\xe9.txt")
    fingerprint(left_out=("x.txt", "line\nbreak.csv", name)).write(tmp_path)
    with gzip.open(tmp_path / "files.csv.gz", "rt", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert rows[0] == {
        "path": "cat/1.jpg",
        "split": "train",
        "class": "cat",
        "bytes": "10",
    }
    assert len(rows) == 4
    with (tmp_path / "left_out.csv").open(newline="") as file:
        rows = [*csv.reader(file)]
    assert rows == [["path"], ["x.txt"], ["line\nbreak.csv"], ["caf\\udce9.txt"]]
    facts = json.loads((tmp_path / "data.json").read_text())
    assert facts["class_names"] == ["cat", "dog"]
    assert facts["images"] == {"train": 2, "validation": 2}


def test_the_same_data(tmp_path):
    assert fingerprint().check(tmp_path) is None  # a new directory
    fingerprint().write(tmp_path)
    written = (tmp_path / "files.csv.gz").stat().st_mtime_ns
    assert fingerprint().check(tmp_path) is None
    fingerprint(left_out=("new.txt",)).write(tmp_path)
    assert (tmp_path / "files.csv.gz").stat().st_mtime_ns == written
    assert "new.txt" in (tmp_path / "left_out.csv").read_text()


CHANGES = {
    "2 images removed: 'dog/1.jpg', 'cat/2.jpg'": fingerprint([FILES[0], FILES[3]]),
    "1 images of another size: 'dog/1.jpg'": fingerprint(
        [FILES[0], ("dog/1.jpg", "train", 1, 21), *FILES[2:]]
    ),
    "1 images of another class: 'dog/1.jpg'": fingerprint(
        [FILES[0], ("dog/1.jpg", "train", 0, 20), *FILES[2:]]
    ),
    "1 images that were trained on, now for evaluation: 'dog/1.jpg'": fingerprint(
        [FILES[0], ("dog/1.jpg", "validation", 1, 20), *FILES[2:]]
    ),
    "classes removed: 'dog'; classes added: 'wolf'": fingerprint(
        classes=("cat", "wolf")
    ),
    "classes added: 'ant'": fingerprint(classes=("ant", "cat", "dog")),
    "classes in another order": fingerprint(classes=("dog", "cat")),
    "version: '1' there, '2' here": fingerprint(facts={"version": "2"}),
}


@pytest.mark.parametrize("allow_added", [False, True])
@pytest.mark.parametrize("difference", CHANGES)
def test_other_data_is_refused(difference, allow_added, tmp_path):
    facts = {"version": "1"}
    changed = CHANGES[difference]
    dataclasses.replace(fingerprint(), facts=facts).write(tmp_path)
    changed = dataclasses.replace(changed, facts=changed.facts or facts)
    with pytest.raises(UsageError, match=difference) as error:
        changed.check(tmp_path, allow_added)
    assert "allow_changed_data" not in str(error.value)


def test_images_that_are_added(tmp_path):
    fingerprint().write(tmp_path)
    # An evaluation image may be trained on from now on, but not the other way.
    more = [("cat/0.jpg", "validation", 0, 5), *FILES[:2]]
    more += [("cat/2.jpg", "train", 0, 30), FILES[3]]
    added = fingerprint(more)
    message = "1 images added: 'cat/0.jpg'.*or --allow_changed_data"
    with pytest.raises(UsageError, match=message):
        added.check(tmp_path)
    assert added.check(tmp_path, allow_added=True).startswith("1 images were added")
    added.write(tmp_path)
    assert added.check(tmp_path) is None
    with pytest.raises(UsageError, match=r"1 images removed: 'cat/0\.jpg'"):
        fingerprint().check(tmp_path, allow_added=True)


def test_a_data_set_with_a_version(tmp_path):
    """There is no list of files that could be compared."""
    Fingerprint(("a", "b"), {"train": 5}).write(tmp_path)
    other = Fingerprint(("a", "b"), {"train": 6})
    with pytest.raises(UsageError, match=r"images: {'train': 5} there, {'train': 6}"):
        other.check(tmp_path, allow_added=True)


@pytest.mark.parametrize("name", ["data.json", "files.csv.gz"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 9, b"[1]", b"\x1f\x8b\x08\x00"])
def test_damaged_files(name, content, tmp_path):
    fingerprint().write(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=f"can be read. Received: .*{name}"):
        fingerprint(FILES[:3]).check(tmp_path)


def test_many_differences_make_one_short_line(tmp_path):
    fingerprint().write(tmp_path)
    files = [(f"cat/{'x' * 90}{n}.jpg", "train", 0, 1) for n in range(1000)]
    with pytest.raises(UsageError, match="and 997 more") as error:
        fingerprint(files).check(tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000

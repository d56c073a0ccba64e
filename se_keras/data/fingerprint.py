"""What a run was trained on, in its work directory: to compare when it continues."""

import csv
import dataclasses
import functools
import gzip
import hashlib
import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from se_keras.data.splits import TRAIN, listed
from se_keras.errors import UsageError
from se_keras.files import replacing, write_json

FACTS = "data.json"
FILES = "files.csv.gz"
LEFT_OUT = "left_out.csv"
COLUMNS = ("path", "split", "class", "bytes")


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """What identifies the images of a run.

    Attributes:
        class_names: Names of the classes in the order of the labels.
        images: Number of images by split.
        facts: What else identifies the data set, values that JSON represents.
        files: Of each image its path, which does not depend on where the data set is,
            its split, its label and its size in bytes. Empty where a data set has a
            version.
        left_out: Paths of the files that are not used. They are listed, not compared.
    """

    class_names: tuple[str, ...]
    images: dict[str, int]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    files: Sequence[tuple[str, str, int, int]] = ()
    left_out: tuple[str, ...] = ()

    def write(self, directory: pathlib.Path) -> None:
        """Writes `data.json`, and the lists of the files where there are any.

        Args:
            directory: The work directory.
        """
        facts = directory / FACTS
        known = facts.exists() and _read_facts(facts) == self._summary
        if self.files and not known:
            rows = (
                (path, split, self.class_names[label], size)
                for path, split, label, size in self.files
            )
            with (
                replacing(directory / FILES) as path,
                gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as compressed,
                io.TextIOWrapper(compressed, "utf8", newline="") as file,
            ):
                _write(file, COLUMNS, rows)
        if self.left_out:
            with (
                replacing(directory / LEFT_OUT) as path,
                # A name that is not UTF-8 is listed, too.
                path.open(
                    "w", encoding="utf8", errors="backslashreplace", newline=""
                ) as file,
            ):
                _write(file, ("path",), zip(self.left_out, strict=True))
        # Last: without it, the others are not compared.
        if not known:
            write_json(facts, self._summary)

    def check(self, directory: pathlib.Path, allow_added: bool = False) -> str | None:
        """Compares this with what an earlier part of a run wrote.

        Args:
            directory: The work directory.
            allow_added: Whether images of known classes may have been added.

        Returns:
            A line for the user if images have been added, else `None`.

        Raises:
            UsageError: If anything else differs, with the first differences.
        """
        if not (directory / FACTS).exists():
            return None
        earlier = _read_facts(directory / FACTS)
        now = self._summary
        if earlier == now:
            return None
        differences = [
            *_class_differences(earlier, now),
            *(
                f"{name}: {earlier.get(name)!r:.100} there, {now.get(name)!r:.100} here"
                for name in sorted(
                    {*earlier, *now} - {"class_names", "images", "files"}
                )
                if earlier.get(name) != now.get(name)
            ),
        ]
        added: list[str] = []
        if not differences and self.files:
            differences, added = self._file_differences(directory / FILES)
        if not (differences or added):
            differences = [f"images: {earlier.get('images')} there, {self.images} here"]
        if differences or not allow_added:
            named = f"{len(added)} images added: {listed(added)}" if added else ""
            raise UsageError(
                f"Expected the data set with which the run in {directory} started. "
                f"Received: {'; '.join([*differences, *filter(None, [named])])}. "
                "Give another --workdir, or the same data"
                + ("" if differences else ", or --allow_changed_data")
            )
        return f"{len(added)} images were added since the run started."

    @functools.cached_property
    def _summary(self):
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(repr(file).encode("utf8", "surrogateescape"))
        summary = {
            "class_names": self.class_names,
            "images": self.images,
            **self.facts,
            "files": digest.hexdigest() if self.files else None,
        }
        # Through JSON, so that tuples compare with lists.
        return json.loads(json.dumps(summary))

    def _file_differences(self, path):
        """Returns what differs from a list of files, and the files that were added."""
        earlier = _read_files(path)
        added, resized, relabeled, moved = [], [], [], []
        for name, split, label, size in self.files:
            if name not in earlier:
                added.append(name)
                continue
            old_split, old_class, old_size = earlier.pop(name)
            if old_class != self.class_names[label]:
                relabeled.append(name)
            elif old_size != str(size):
                resized.append(name)
            elif old_split != split and old_split == TRAIN:
                # The other way an image was not trained on: it may be from now on.
                moved.append(name)
        kinds = {
            "removed": [*earlier],
            "of another class": relabeled,
            "of another size": resized,
            "that were trained on, now for evaluation": moved,
        }
        return [
            f"{len(names)} images {kind}: {listed(names)}"
            for kind, names in kinds.items()
            if names
        ], added


def _write(file, columns, rows):
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def _read_facts(path):
    try:
        facts = json.loads(path.read_text())
        if not isinstance(facts, dict):
            raise ValueError("no mapping")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return facts


def _read_files(path):
    try:
        with gzip.open(path, "rt", encoding="utf8", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError("other columns")
            return {name: tuple(rest) for name, *rest in rows}
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path, error):
    return UsageError(
        "Expected a description of the data set that can be read. "
        f"Received: {str(path)!r} ({str(error)[:200]})"
    )


def _class_differences(earlier, now):
    there, here = earlier.get("class_names") or [], now["class_names"]
    if there == here:
        return []
    removed = [name for name in there if name not in here]
    added = [name for name in here if name not in there]
    return [
        f"classes {kind}: {listed(names)}"
        for kind, names in (("removed", removed), ("added", added))
        if names
    ] or ["classes in another order"]

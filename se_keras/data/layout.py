"""What a folder of images holds: its splits, its classes, and other files."""

import collections
import dataclasses
import os
import unicodedata
from collections.abc import Collection, Iterator

from se_keras.data.splits import (
    NAMES,
    TEST,
    TRAIN,
    VALIDATION,
    Splits,
    draw_evaluation,
    flags,
    listed,
    split_called,
)
from se_keras.errors import UsageError

# Of files that TensorFlow decodes: BMP, GIF, JPEG, JPEG XL, PNG and WebP.
SUFFIXES = (
    *(".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".jxl"),
    *(".pjp", ".pjpeg", ".png", ".webp"),
)
# Folders that programs leave among a user's: macOS in archives, file servers, Windows.
SYSTEM_FOLDERS = frozenset(
    ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found")
)
ITSELF = "."  # as `train_split`: the folder of the data set, which has the classes


class Folder:
    """The visible files and folders within a folder.

    Attributes:
        path: Path of the folder, relative to the root, with `/`; `""` for the root.
        files: Names of the files in it, sorted.
        folders: The folders in it by name, sorted.
    """

    def __init__(self, path: str = ""):
        self.path = path
        self.files: list[str] = []
        self.folders: dict[str, Folder] = {}

    def all_files(self) -> Iterator[str]:
        """Yields the paths of all files at any depth, relative to the root."""
        prefix = f"{self.path}/" if self.path else ""
        for name in self.files:
            yield prefix + name
        for folder in self.folders.values():
            yield from folder.all_files()

    def images(self) -> list[str]:
        """Returns the sorted paths of all images at any depth."""
        return sorted(filter(is_image, self.all_files()))

    @property
    def has_images(self) -> bool:
        """Whether there is an image at any depth."""
        return any(map(is_image, self.all_files()))

    @property
    def has_own_images(self) -> bool:
        """Whether there is an image that is not in a subfolder."""
        return any(map(is_image, self.files))

    @property
    def has_classes(self) -> bool:
        """Whether there are images, all of them in subfolders."""
        return self.has_images and not self.has_own_images

    def find(self, path: str) -> "Folder | None":
        """Returns the folder at a path relative to this one."""
        found: Folder | None = self
        for name in path.replace(os.sep, "/").strip("/").split("/"):
            if found and name != ITSELF:
                found = found.folders.get(name)
        return found


def is_image(path: str) -> bool:
    """Returns whether a file is of a kind that TensorFlow decodes, by its suffix."""
    return path.lower().endswith(SUFFIXES)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Attributes:
        class_names: Names of the classes, sorted.
        images: By split, the paths of the images of each class, relative to the root.
        evaluation_split: Name of the evaluation split.
        test_split: Name of the test split, if there is one in addition.
        places: By split, where its images are, for messages.
        notes: What the user should know of what is not used.
    """

    class_names: tuple[str, ...]
    images: dict[str, dict[str, list[str]]]
    evaluation_split: str
    test_split: str | None
    places: dict[str, str]
    notes: tuple[str, ...]


def read_folder(root: str | os.PathLike) -> Folder:
    """Reads the names of all visible files and folders within a folder.

    Links are followed, except those to a folder that they are in.

    Args:
        root: The folder.

    Raises:
        UsageError: If a folder cannot be read, or the name of an image or of a folder
            is not UTF-8.
    """
    return _read(os.fspath(root), "", ())


def _read(place, path, above):
    folder, real = Folder(path), os.path.realpath(place)
    if real in above:
        return folder
    try:
        with os.scandir(place) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError as error:
        raise UsageError(
            f"Expected folders that can be read. Received: {place!r} ({error.strerror})"
        ) from error
    for name, is_folder in found:
        if name.startswith(".") or name in SYSTEM_FOLDERS:
            continue
        inner = f"{path}/{name}" if path else name
        if is_folder or is_image(name):
            _check_encoding(inner)
        if is_folder:
            folder.folders[name] = _read(
                os.path.join(place, name), inner, (*above, real)
            )
        else:
            folder.files.append(name)
    return folder


def _check_encoding(path):
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"Expected file names in UTF-8. Received: {os.fsencode(path)!r}"
        ) from error


def find_layout(tree: Folder, splits: Splits, root: str) -> Layout:
    """Finds the splits, the classes and their images in a folder.

    Args:
        tree: The folder.
        splits: What the user states about it.
        root: Its path, for messages.

    Raises:
        UsageError: As `open_folder`.
    """
    places, notes = _find_splits(tree, splits, root)
    if TRAIN not in splits.given and splits.split_by == "file":
        _check_level(places[TRAIN], root)
    images = {split: _by_class(folder, root) for split, folder in places.items()}
    shown = {split: folder.path or split for split, folder in places.items()}
    if VALIDATION not in places and TEST in places and TEST not in splits.given:
        evaluation, test = TEST, None
    else:
        evaluation, test = VALIDATION, TEST if TEST in places else None
    classes = sorted(
        {name for s in {TRAIN, evaluation} & {*images} for name in images[s]}
    )
    _check_classes(classes, tree, root)
    if evaluation not in places:
        images |= _drawn(images[TRAIN], places[TRAIN], splits)
        shown[VALIDATION] = f"drawn from {shown[TRAIN]}"
        if splits.split_by == "file" and _has_samples(places[TRAIN]):
            notes.append(
                "The images of one subfolder may be in both: --split_by=parent keeps "
                "them together."
            )
    _check_splits(classes, images, root, test)
    if test and (lacking := [name for name in classes if name not in images[test]]):
        notes.append(f"{shown[test]} has no images of {listed(lacking)}.")
    order = (TRAIN, evaluation, *([test] if test else ()))
    return Layout(
        tuple(classes),
        {split: images[split] for split in order},
        evaluation,
        test,
        {split: shown[split] for split in order},
        tuple(notes),
    )


def _find_splits(tree, splits, root):
    """Returns by split the folder that has its classes, and notes."""
    places = {split: _given(tree, split, splits, root) for split in splits.given}
    _check_apart(places, splits)
    if places.get(TRAIN) is tree:
        return places, []
    named = collections.defaultdict(list)
    for name, folder in tree.folders.items():
        split = split_called(name)
        if split and split not in places and folder not in places.values():
            named[split].append(folder)
    found = [folder for folders in named.values() for folder in folders]
    if not places and not any(folder.has_classes for folder in found):
        _check_not_splits(found, root)
        return {TRAIN: tree}, []
    for split, folders in named.items():
        if len(folders) > 1:
            raise UsageError(
                f"Expected one folder of {split} images, or {flags(split)}. "
                f"Received: {root!r} with {listed([f.path for f in folders])}"
            )
    return _stored_splits(tree, places, {s: f for s, (f,) in named.items()}, root)


def _given(tree, split, splits, root):
    path = splits.given[split]
    folder = tree.find(path)
    if folder is None or not folder.has_images:
        state = "which is not there" if folder is None else "which has no images"
        raise UsageError(
            f"Expected a folder of images within {root!r} for {flags(split)}. "
            f"Received: {path!r}, {state}"
        )
    return folder


def _check_apart(places, splits):
    paths = {split: f"{folder.path}/".lstrip("/") for split, folder in places.items()}
    for split, path in paths.items():
        for other, inner in paths.items():
            if split != other and inner.startswith(path):
                raise UsageError(
                    f"Expected separate folders for {flags(split, other)}. Received: "
                    f"{splits.given[split]!r} and {splits.given[other]!r}"
                )


def _check_not_splits(folders, root):
    """Refuses several folders that are named as splits and have no classes."""
    direct = [folder.path for folder in folders if folder.has_own_images]
    if len(direct) > 1:
        raise UsageError(
            "Expected a subfolder for each class in the folders of the splits, or "
            f"{flags(TRAIN)}={ITSELF} if these are classes. Received: {root!r}, where "
            f"{listed(direct)} have images and no classes"
        )


def _stored_splits(tree, given, named, root):
    """Returns by split its folder, and notes, where some are named as splits."""
    test = named.get(TEST)
    notes = []
    if test and not _is_labeled(test, given.get(TRAIN) or named.get(TRAIN)):
        notes.append(f"{test.path} has none of the classes: it is left out.")
        del named[TEST]
    places = given | named
    others = [
        folder.path
        for folder in tree.folders.values()
        if folder.has_images and folder not in (*places.values(), test)
    ]
    if TRAIN not in places or (
        not given and places == {TRAIN: places[TRAIN]} and others
    ):
        raise UsageError(
            f"Expected the splits {', '.join(NAMES)}, with a subfolder for each class, "
            f"or classes only; {flags(TRAIN)} decides, with {ITSELF} for classes only. "
            f"Received: {root!r} with {listed(tree.folders)}"
        )
    for split, folder in named.items():
        if not folder.has_classes:
            state = "images outside of classes" if folder.has_images else "no images"
            raise UsageError(
                f"Expected a subfolder for each class in {folder.path!r}, or another "
                f"folder for {flags(split)}. Received: {root!r}, where it has {state}"
            )
    return places, notes


def _is_labeled(test, train):
    """Returns whether a folder of test images has at least one of the classes."""
    names = {*_names(test)} & {*_names(train)} if train else True
    return test.has_classes and bool(names)


def _names(folder):
    """Returns the names of the subfolders as those of classes."""
    # macOS stores "é" as two characters.
    return [unicodedata.normalize("NFC", name) for name in folder.folders]


def _check_level(train, root):
    """Refuses a folder whose subfolders seem to have the classes.

    They do if all of them have images in subfolders only, and one of these is in all of
    them. Samples of several images look like that, too: see `_has_samples`.
    """
    classes = [folder for folder in train.folders.values() if folder.has_images]
    if len(classes) < 2 or not all(folder.has_classes for folder in classes):
        return
    common = set.intersection(*(set(folder.folders) for folder in classes))
    if not common or (
        _has_samples(train, 1) and not any(split_called(name) for name in common)
    ):
        return
    raise UsageError(
        "Expected a subfolder for each class, or splits that are named by "
        f"{flags(TRAIN, VALIDATION)}; {flags(TRAIN)}={train.path or ITSELF} if the "
        "subfolders are the classes nevertheless. Received: "
        f"{root!r}, where all of {listed([folder.path for folder in classes])} have "
        f"{listed(sorted(common))}"
    )


def _has_samples(train, count=2):
    """Returns whether the subfolders of the classes seem to be samples.

    That is, more subfolders than different names of images in them.

    Args:
        train: The folder with the classes.
        count: How many images the largest sample has at least.
    """
    samples = [s for folder in train.folders.values() for s in folder.folders.values()]
    images = [sample.images() for sample in samples]
    files = {path.rsplit("/", 1)[1] for of_sample in images for path in of_sample}
    # Samples of several classes may have one name.
    names = {sample.path.rsplit("/", 1)[1] for sample in samples}
    return len(files) < len(names) and max(map(len, images), default=0) >= count


def _by_class(folder, root):
    """Returns the sorted paths of the images of each class."""
    images, files = collections.defaultdict(list), collections.defaultdict(list)
    for name, inner in zip(_names(folder), folder.folders.values(), strict=True):
        files[name] += inner.all_files()
        images[name] += inner.images()
    empty = [name for name, paths in images.items() if not paths]
    if 0 < len(empty) < len(images):
        raise UsageError(
            "Expected images in each class folder, files with the suffix "
            f"{', '.join(SUFFIXES)}. Received: {os.path.join(root, folder.path)!r}, "
            f"where {listed(empty, 1)} has {count_suffixes(files[empty[0]])}"
        )
    return {name: paths for name, paths in images.items() if paths}


def count_suffixes(paths: Collection[str], count: int = 5) -> str:
    """Returns how many files there are of each suffix, as in `"20 .txt, 1 .csv"`.

    Args:
        paths: Paths of files.
        count: How many suffixes to name at most, the most frequent ones.
    """
    suffixes = collections.Counter(
        os.path.splitext(path)[1].lower()[:20] or "without suffix" for path in paths
    )
    named = [f"{number} {suffix}" for suffix, number in suffixes.most_common(count)]
    if others := suffixes.total() - sum(n for _, n in suffixes.most_common(count)):
        named.append(f"{others} others")
    return ", ".join(named) or "no files"


def _check_classes(classes, tree, root):
    if not classes:
        raise UsageError(
            "Expected a folder with a subfolder of images for each class, files with "
            f"the suffix {', '.join(SUFFIXES)}. Received: {root!r} without any"
        )
    if len(classes) == 1:
        inner = [name for name, folder in tree.folders.items() if folder.folders]
        hint = (
            f"Did you mean {os.path.join(root, inner[0])}? " if len(inner) == 1 else ""
        )
        raise UsageError(
            "Expected a folder with two classes or more, each a subfolder of images. "
            f"{hint}Received: {root!r} with the class {classes[0]!r} only"
        )


def _check_splits(classes, images, root, test):
    """Checks that the splits have all classes, and the test no others."""
    for split, by_class in images.items():
        lacking = [name for name in classes if name not in by_class and split != test]
        if lacking:
            raise UsageError(
                f"Expected images of all {len(classes)} classes for {TRAIN} and for "
                f"evaluation. Received: {root!r}, where {split} has no images of "
                f"{listed(lacking)}"
            )
        others = [name for name in by_class if name not in classes]
        if others:
            raise UsageError(
                f"Expected no other classes than the {len(classes)} for training. "
                f"Received: {root!r}, where {split} has images of {listed(others)}"
            )


def _drawn(images, train, splits):
    """Returns the images for training and evaluation by class."""
    group = {"file": _own_name, "parent": _parent_name}[splits.split_by]
    start = len(f"{train.path}/") if train.path else 0
    groups = {
        name: [group(name, path[start:].split("/", 1)[1]) for path in paths]
        for name, paths in images.items()
    }
    if splits.split_by == "parent" and all(
        found == _own_name(name, path[start:].split("/", 1)[1])
        for name, of_class in groups.items()
        for found, path in zip(of_class, images[name], strict=True)
    ):
        raise UsageError(
            "Expected subfolders in the classes for split_by=parent. Received: "
            f"images of {listed(images)} that are in none"
        )
    drawn = draw_evaluation(groups, splits.evaluation_fraction, splits.split_seed)
    return {
        split: {
            name: [
                path
                for path, of_path in zip(paths, groups[name], strict=True)
                if (of_path in drawn) == (split == VALIDATION)
            ]
            for name, paths in images.items()
        }
        for split in (TRAIN, VALIDATION)
    }


def _own_name(class_name: str, path: str) -> str:
    return f"{class_name}/{path}"


def _parent_name(class_name: str, path: str) -> str:
    """Returns the folder of an image; samples of several classes may share it."""
    # An image directly in the folder of the class is a sample of its own.
    return path.rpartition("/")[0] or _own_name(class_name, path)

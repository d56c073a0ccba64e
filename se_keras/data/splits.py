"""Which images train, which evaluate, and which are kept for a test."""

import dataclasses
import hashlib
import unicodedata
from collections.abc import Collection, Mapping

from se_keras.errors import UsageError

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
# The names that splits have in data sets, in any case.
NAMES = {
    TRAIN: ("train", "training"),
    VALIDATION: ("val", "valid", "validation", "dev"),
    TEST: ("test", "testing"),
}
# The fields of `Splits` that name a split.
FIELDS = {
    TRAIN: "train_split",
    VALIDATION: "evaluation_split",
    TEST: "test_split",
}
UNITS = ("file", "parent")


@dataclasses.dataclass(frozen=True)
class Splits:
    """Where the images for training, evaluation and test come from.

    What is `None` is recognized by its name, in any case: `train` or `training`; `val`,
    `valid`, `validation` or `dev`; `test` or `testing`. The evaluation split is the
    validation split or, without one, the test split; a test split in addition to it is
    evaluated once, at the end of a run. Without either, the evaluation images are drawn
    from the training images: an image belongs to them if a hash of its name is low, so
    that it stays there when others are added. Each class has at least one image in
    both.

    Attributes:
        train_split: The training images: a subfolder of the data set's folder, as in
            `"images/train"`, or `"."` for the folder itself; for TFDS a split such as
            `"train"` or `"train[:80%]"`. `None` to recognize it by its name.
        evaluation_split: The images of the evaluation, as in `train_split`; `None` to
            recognize or draw them.
        test_split: The images of the test at the end of a run, as in `train_split`;
            `None` to recognize them.
        split_by: What a drawn split keeps together: `"file"` for nothing, `"parent"`
            for the images of one folder below the class, where a sample has several
            images.
        evaluation_fraction: Fraction of the training images that is drawn for the
            evaluation.
        split_seed: Seed of the drawn split.

    Raises:
        UsageError: If a value is not valid.

    Example:

    ```python
    splits = Splits(evaluation_fraction=0.1, split_seed=1)
    source = open_source("folder:flowers", splits=splits)
    ```
    """

    train_split: str | None = None
    evaluation_split: str | None = None
    test_split: str | None = None
    split_by: str = "file"
    evaluation_fraction: float = 0.2
    split_seed: int = 0

    def __post_init__(self):
        fraction, seed = self.evaluation_fraction, self.split_seed
        checks = (
            ("split_by", self.split_by in UNITS, f"one of {', '.join(UNITS)}"),
            ("evaluation_fraction", 0 < fraction < 1, "more than 0 and less than 1"),
            ("split_seed", seed >= 0, "0 or more"),
            *((f, getattr(self, f) != "", "not empty") for f in FIELDS.values()),
        )
        for name, valid, expectation in checks:
            if not valid:
                raise UsageError(
                    f"Expected {name} to be {expectation}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )

    @property
    def given(self) -> dict[str, str]:
        """The splits that are named here."""
        named = {split: getattr(self, field) for split, field in FIELDS.items()}
        return {split: value for split, value in named.items() if value is not None}


def split_called(name: str) -> str | None:
    """Returns `TRAIN`, `VALIDATION` or `TEST` by a usual name, or `None`."""
    return next(
        (split for split, names in NAMES.items() if name.casefold() in names), None
    )


def flags(*splits: str) -> str:
    """Returns the flags that name some splits; all by default."""
    return ", ".join(f"--{FIELDS[split]}" for split in splits or FIELDS)


def draw_evaluation(
    groups: Mapping[str, Collection[str]], fraction: float, seed: int
) -> set[str]:
    """Draws which groups of images are for evaluation.

    A group is drawn if the hash of its name is below `fraction`. In a class where no
    group is, the one with the lowest hash is drawn; in a class where all are, the one
    with the highest hash is not. So each class has a group in both splits, and a group
    changes its split only as one of these exceptions.

    Args:
        groups: Names of the groups of each class. A class may share groups with others.
        fraction: Fraction of the groups to draw, approximately.
        seed: Seed of the draw.

    Returns:
        The names of the groups that are drawn.

    Raises:
        UsageError: If a class has one group only, or one class has only groups that
            others need in the other split.
    """
    single = [name for name, of_class in groups.items() if len(set(of_class)) == 1]
    if single:
        raise UsageError(
            "Expected at least two images, or samples, of each class: one for "
            f"training, one for evaluation. Received: one of {listed(single)}"
        )
    hashes = {
        group: _hash(f"{seed}/{group}")
        for of_class in groups.values()
        for group in of_class
    }
    drawn = {group for group, value in hashes.items() if value < fraction}
    for of_class in groups.values():
        if drawn.isdisjoint(of_class):
            drawn.add(min(of_class, key=hashes.__getitem__))
    for of_class in groups.values():
        if drawn.issuperset(of_class):
            drawn.remove(max(of_class, key=hashes.__getitem__))
    lacking = [name for name, of_class in groups.items() if drawn.isdisjoint(of_class)]
    if lacking:
        raise UsageError(
            "Expected folders of images that can be split, with all classes in both "
            "splits. Received: classes that share few folders of one name, such as "
            f"{listed(lacking)}. Another --split_seed, or --split_by=file, decides"
        )
    return drawn


def _hash(name):
    """Returns a number in 0..1 that depends on a name only."""
    # macOS stores "é" as two characters.
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode())
    return int.from_bytes(digest.digest()[:8]) / 2**64


def listed(names: Collection[str], count: int = 3) -> str:
    """Returns the first of some names for a message, each of bounded length."""
    names = list(names)
    shown = [repr(n if len(n) <= 100 else f"{n[:97]}...") for n in names[:count]]
    more = len(names) - count
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

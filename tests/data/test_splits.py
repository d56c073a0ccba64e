import collections
import hashlib
import string

import pytest

from se_keras.data.splits import Splits, draw_evaluation, split_called
from se_keras.errors import UsageError

FRACTION = 0.2


def groups(classes, count):
    return {
        f"class{i}": [f"class{i}/{n}.jpg" for n in range(count)] for i in range(classes)
    }


def test_names_of_splits_in_any_case():
    names = {
        "train": "train Training TRAIN",
        "validation": "val valid Validation DEV",
        "test": "test Testing",
    }
    for split, spelled in names.items():
        assert {split_called(name) for name in spelled.split()} == {split}
    for name in ("trains", "evaluation", "train2017", "", "bus"):
        assert split_called(name) is None


def test_draws_by_the_hash_of_the_name():
    by_class = groups(3, 100)
    drawn = draw_evaluation(by_class, FRACTION, seed=7)
    names = [name for of_class in by_class.values() for name in of_class]
    assert drawn == {
        name
        for name in names
        if int(hashlib.sha256(f"7/{name}".encode()).hexdigest()[:16], 16)
        < FRACTION * 2**64
    }
    assert 0.1 < len(drawn) / len(names) < 0.3
    assert drawn != draw_evaluation(by_class, FRACTION, seed=8)
    assert len(drawn) < len(draw_evaluation(by_class, 0.5, seed=7)) < 200


@pytest.mark.parametrize("count", [2, 3, 5, 10])
@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_every_class_is_in_both(count, fraction):
    for seed in range(20):
        by_class = groups(20, count)
        drawn = draw_evaluation(by_class, fraction, seed)
        for names in by_class.values():
            assert 0 < len(drawn & set(names)) < count


def test_an_image_stays_where_it_is_when_others_are_added():
    """Except for the one that is the only one of its class on its side."""
    for seed in range(30):
        before = draw_evaluation(groups(20, 10), FRACTION, seed)
        after = draw_evaluation(groups(20, 30), FRACTION, seed)
        old = {name for names in groups(20, 10).values() for name in names}
        moved = before ^ (after & old)
        alone = collections.Counter(name.split("/")[0] for name in before)
        assert all(alone[name.split("/")[0]] == 1 for name in moved)
        assert not moved - before  # nothing that was trained on is evaluated


def test_groups_that_classes_share():
    shared = [f"part{n}" for n in range(20)]
    drawn = draw_evaluation({"a": shared, "b": shared[5:], "c": ["c/1", "c/2"]}, 0.2, 0)
    assert len(drawn & {"c/1", "c/2"}) == 1
    assert 0 < len(drawn & set(shared[5:])) < 15


def test_the_form_of_unicode_does_not_matter():
    composed = {"a": [f"{c}\u00e9.jpg" for c in string.ascii_letters]}
    decomposed = {"a": [f"{c}e\u0301.jpg" for c in string.ascii_letters]}
    found = [
        {name[0] for name in draw_evaluation(names, FRACTION, 0)}
        for names in (composed, decomposed)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("by_class", "message"),
    [
        ({"a": ["1", "2"], "b": ["3"]}, "at least two images.*Received: one of 'b'"),
        ({"a": ["1", "1"], "b": ["3", "4"]}, "Received: one of 'a'"),
        (
            {"a": ["1", "2"], "b": ["2", "3"], "c": ["3", "1"]},
            "classes that share few folders",
        ),
    ],
)
def test_classes_that_cannot_be_in_both(by_class, message):
    with pytest.raises(UsageError, match=message):
        draw_evaluation(by_class, FRACTION, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split_by": "folder"}, "one of file, parent. Received: split_by='folder'"),
        ({"evaluation_fraction": 0}, "more than 0 and less than 1"),
        ({"evaluation_fraction": 1.0}, "Received: evaluation_fraction=1.0"),
        ({"evaluation_fraction": float("nan")}, "evaluation_fraction=nan"),
        ({"split_seed": -1}, "split_seed to be 0 or more"),
        ({"train_split": ""}, "train_split to be not empty"),
    ],
)
def test_settings_that_are_not_valid(settings, message):
    with pytest.raises(UsageError, match=message):
        Splits(**settings)

import dataclasses
import re

import pytest

from se_keras import create_model, list_models
from se_keras.models import registry


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (
            "se_resnet1*[0-9]",
            [f"se_resnet{depth}" for depth in (18, 101, 110, 152, 164)],
        ),
        ("resnet5?", ["resnet50", "resnet56"]),
        ("nothing*", []),
    ],
)
def test_list_models(pattern, names):
    assert list_models(pattern) == names


def test_every_network_has_a_twin():
    named_with_se = {"senet154": "senet154_plain", "resnetrs50": "resnetrs50_plain"}
    twins = {name: registry.lookup(name).twin for name in list_models()}
    assert named_with_se.items() < twins.items()
    for name, twin in twins.items():
        assert twins[twin] == name
        entry, other = registry.lookup(name), registry.lookup(twin)
        assert entry.name == name
        assert (entry.spec.attention is None) != (other.spec.attention is None)
        assert dataclasses.replace(entry.spec, attention=None) == dataclasses.replace(
            other.spec, attention=None
        )
        if name.startswith("se_"):
            assert entry.spec.attention
            assert twin == name.removeprefix("se_")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("seresnet50", "se_resnet50"),
        ("se_resnet51", "se_resnet50"),
        ("ResNet20", "resnet20"),
    ],
)
def test_unknown_model_names_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=rf"Did you mean .*\b{nearest}\b.*'{name}'"):
        create_model(name)


@pytest.mark.parametrize("name", ["xyz", "", None])
def test_unknown_model_that_nothing_is_near_to(name):
    with pytest.raises(ValueError, match=re.escape(f"Received: {name!r}")) as error:
        create_model(name)
    assert "Did you mean" not in str(error.value)

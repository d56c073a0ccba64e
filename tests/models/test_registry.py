import re

import pytest

from se_keras import create_model, list_models
from se_keras.models import registry
from se_keras.models.preprocessing import IMAGENET


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (
            "se_resnet1*",
            ["se_resnet18", "se_resnet101", "se_resnet110", "se_resnet152"],
        ),
        ("resnet5?", ["resnet50", "resnet56"]),
        ("nothing*", []),
    ],
)
def test_list_models(pattern, names):
    assert list_models(pattern) == names


def test_every_network_has_a_twin():
    names = set(list_models())
    assert {"resnet50", "se_resnet50", "resnet20", "se_resnet20"} < names
    for name in names:
        entry = registry.lookup(name)
        twin = name.removeprefix("se_") if entry.squeeze_excite else f"se_{name}"
        assert entry.name == name
        assert name.startswith("se_") == (entry.squeeze_excite is not None)
        assert twin in names


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


def test_a_name_is_registered_once():
    before = list_models()
    with pytest.raises(ValueError, match="'resnet50' is registered already"):
        registry.register(
            "ResNet50", None, None, preprocessing=IMAGENET, squeeze_excite=None
        )
    assert list_models() == before

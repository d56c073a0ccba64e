import keras
import numpy as np
import pytest

from se_keras import create_model, weights
from tests.models.tools import SHAPE, images, outputs, randomize

SMALL = {"classes": 5, "input_shape": SHAPE}


def saved(model, path):
    """Saves a model in the way that the name of the file asks for."""
    path.parent.mkdir(exist_ok=True)
    save = model.save_weights if path.name.endswith(".weights.h5") else model.save
    save(path)
    return path


@pytest.mark.parametrize("kind", [".keras", ".weights.h5"])
@pytest.mark.parametrize("through", ["create_model", "load"])
def test_load(kind, through, tmp_path):
    model = randomize(create_model("se_resnet20", **SMALL))
    path = saved(model, tmp_path / f"model{kind}")
    if through == "create_model":
        loaded = create_model("se_resnet20", weights=str(path), **SMALL)
    else:
        loaded = create_model("se_resnet20", **SMALL)
        weights.load(loaded, path)
    x = images(2, *SHAPE)
    np.testing.assert_array_equal(outputs(loaded, x), outputs(model, x))


def test_load_into_another_size_and_precision(tmp_path):
    model = randomize(create_model("se_resnet20", **SMALL))
    path = saved(model, tmp_path / "model.keras")
    other = {"input_shape": (None, None, 3), "dtype": "mixed_bfloat16", "classes": 5}
    loaded = create_model("se_resnet20", weights=path, **other)
    for actual, expected in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(actual), keras.ops.convert_to_numpy(expected)
        )


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("resnet20", {}, ".keras"),
        ("se_resnet32", {}, ".keras"),
        ("se_resnet20", {"classes": 6}, ".keras"),
        ("se_resnet20", {"classes": 6}, ".weights.h5"),
        ("se_resnet20", {"include_top": False}, ".weights.h5"),
        ("se_resnet20", {"attention": "ese"}, ".weights.h5"),
    ],
)
# Keras warns of every layer that it misses before it raises.
@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_network(name, arguments, kind, tmp_path):
    path = saved(create_model(name, **{**SMALL, **arguments}), tmp_path / f"m{kind}")
    with pytest.raises(ValueError, match=r"(?i)received"):
        create_model("se_resnet20", weights=path, **SMALL)


@pytest.mark.parametrize("kind", [".keras", ".weights.h5"])
def test_weights_of_a_network_with_more_layers(kind, tmp_path):
    path = saved(create_model("se_resnet20", **SMALL), tmp_path / f"m{kind}")
    with pytest.raises(ValueError, match="Received: "):
        create_model("resnet20", weights=path, **SMALL)


@pytest.mark.parametrize("kind", [".keras", ".weights.h5"])
def test_file_that_is_not_what_its_name_says(kind, tmp_path):
    path = tmp_path / f"m{kind}"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="Received: "):
        create_model("resnet20", weights=path, **SMALL)


@pytest.mark.parametrize("name", ["none.keras", "none.weights.h5", "folder.keras"])
def test_missing_file(name, tmp_path):
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(ValueError, match=f"there is none.*Received: .*{name}"):
        create_model("se_resnet20", weights=tmp_path / name)


@pytest.mark.parametrize("name", ["model.h5", "model.ckpt", "model", "imagenet"])
def test_unknown_kind_of_file(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"`weights`.*'.keras'.*Received: .*{name}"):
        create_model("se_resnet20", weights=tmp_path / name)

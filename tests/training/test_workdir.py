import dataclasses
import json
import re

import pytest

from se_keras.data import Augmentation
from se_keras.errors import UsageError
from se_keras.training import make_recipe
from se_keras.training.workdir import WorkDir

RECIPE = make_recipe()


def test_holds_the_settings_and_versions(tmp_path):
    workdir = WorkDir(tmp_path / "a" / "b", RECIPE)
    assert not workdir.path.exists()
    with workdir.open():
        pass
    assert workdir.path == tmp_path / "a" / "b"
    config = json.loads((workdir.path / "config.json").read_text())
    versions = config.pop("versions")
    assert set(versions) >= {"python", "se-keras", "keras", "tensorflow", "numpy"}
    assert config == json.loads(json.dumps(dataclasses.asdict(RECIPE)))
    names = {path.name for path in workdir.path.iterdir()}
    assert names == {"config.json", "checkpoints"}


@pytest.mark.parametrize(
    "settings",
    [{}, {"exports": ("tflite",), "workdir": "x", "data_dir": "y", "strategy": "none"}],
)
def test_the_same_settings_continue(settings, tmp_path):
    with WorkDir(tmp_path, RECIPE).open():
        pass
    before = (tmp_path / "config.json").read_text()
    with WorkDir(tmp_path, dataclasses.replace(RECIPE, **settings)).open():
        pass
    assert (tmp_path / "config.json").read_text() == before


@pytest.mark.parametrize(
    ("settings", "differing"),
    [
        ({"epochs": 99}, "epochs: 12 there, 99 here"),
        ({"seed": 3, "image_size": 8}, "image_size: 24 there, 8 here; seed: 0 there"),
        ({"precision": "mixed_float16"}, "precision: 'float32' there, 'mixed_float16'"),
        ({"augmentation": Augmentation()}, "augmentation: .*'padded'.*'resized'"),
        ({"boundaries": (1,)}, r"boundaries: \[\] there, \[1\] here"),
    ],
)
def test_other_settings_are_refused(settings, differing, tmp_path):
    with WorkDir(tmp_path, RECIPE).open():
        pass
    before = (tmp_path / "config.json").read_text()
    message = rf"{re.escape(str(tmp_path))} belongs to .*other settings: {differing}"
    with pytest.raises(UsageError, match=message) as error:
        WorkDir(tmp_path, dataclasses.replace(RECIPE, **settings))
    named = set(re.findall(r"(\w+): \S+ there", str(error.value)))
    assert named <= set(settings)
    assert (tmp_path / "config.json").read_text() == before


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_folder_that_cannot_be(path, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    message = rf"can be written\. Received: '{re.escape(str(tmp_path / path))}' \(.+\)"
    with pytest.raises(UsageError, match=message):
        WorkDir(tmp_path / path, RECIPE)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_folder_with_results_of_no_run(tmp_path):
    (tmp_path / "model.keras").write_text("somebody's")
    with pytest.raises(UsageError, match=r"holds model\.keras of no run"):
        WorkDir(tmp_path, RECIPE)


@pytest.mark.parametrize("text", ["[]", "{"])
def test_config_that_is_none(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"Expected|no settings"):
        WorkDir(tmp_path, RECIPE)

import dataclasses
import json
import re
import subprocess
import sys

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
    assert names == {"config.json", "recipe.yaml", "checkpoints"}


@pytest.mark.parametrize(
    "settings",
    [{}, {"exports": ("tflite",), "workdir": "x", "data_dir": "y", "strategy": "none"}],
)
def test_another_runtime_continues(settings, tmp_path):
    with WorkDir(tmp_path, RECIPE).open():
        pass
    before = (tmp_path / "config.json").read_text()
    with WorkDir(tmp_path, RECIPE.replace(**settings)).open():
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
    with pytest.raises(
        UsageError, match=r"Expected a --workdir .* has model\.keras and no config"
    ):
        WorkDir(tmp_path, RECIPE)


@pytest.mark.parametrize("text", ["[]", "{"])
def test_config_that_is_none(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match="Expected"):
        WorkDir(tmp_path, RECIPE)


def test_one_run_at_a_time(tmp_path):
    with WorkDir(tmp_path, RECIPE).open():
        left = tmp_path / ".writing-1-of_the_first_run"
        left.touch()
        with (
            pytest.raises(UsageError, match=r"where one is running"),
            WorkDir(tmp_path, RECIPE).open(),
        ):
            pass
        assert left.exists()
    with WorkDir(tmp_path, RECIPE).open():
        pass


def test_lock_ends_with_a_killed_process(tmp_path):
    WorkDir(tmp_path, RECIPE)
    program = (
        "import fcntl, os, signal, sys; file = open(sys.argv[1], 'a');"
        "fcntl.flock(file, fcntl.LOCK_EX); print('taken', flush=True); sys.stdin.read()"
    )
    (tmp_path / "checkpoints").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "checkpoints" / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()
        with (
            pytest.raises(UsageError, match=r"that no other run uses\. Received: "),
            WorkDir(tmp_path, RECIPE).open(),
        ):
            pass
        other.kill()
    with WorkDir(tmp_path, RECIPE).open():
        pass

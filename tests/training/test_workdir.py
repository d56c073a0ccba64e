import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import pytest

from se_keras.data import Augmentation
from se_keras.errors import UsageError
from se_keras.training import make_recipe, read_config
from se_keras.training.run import workdir_path
from se_keras.training.workdir import MetricsFile, WorkDir, read_metrics

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
        ({"seed": 3, "image_size": 8}, "image_size: 24 there, 8 here; seed: 0 there"),
        ({"precision": "mixed_float16"}, "precision: 'float32' there, 'mixed_float16'"),
        (
            {"augmentation": Augmentation()},
            "augmentation.crop: 'padded' there, 'resized' here; augmentation.padding",
        ),
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
    named = set(re.findall(r"(\w+)(?:\.\w+)?: \S+ there", str(error.value)))
    assert named <= set(settings)
    assert (tmp_path / "config.json").read_text() == before


STEPS = RECIPE.replace(schedule="step", boundaries=(8,))


def test_more_epochs_where_the_schedule_does_not_depend_on_them(tmp_path):
    with WorkDir(tmp_path, STEPS).open({"found": 1}):
        pass
    longer = WorkDir(tmp_path, STEPS.replace(epochs=20))
    assert longer.earlier_epochs == STEPS.epochs == 12
    with longer.open():
        pass
    assert json.loads((tmp_path / "config.json").read_text())["epochs"] == 20
    assert make_recipe(None, read_config(tmp_path / "recipe.yaml")).epochs == 20
    again = WorkDir(tmp_path, STEPS.replace(epochs=20))
    assert again.earlier_epochs is None
    assert again.findings == {"found": 1}


@pytest.mark.parametrize(
    ("recipe", "epochs", "message"),
    [
        (STEPS, 11, r"Expected epochs=12 or more .*Received: epochs=11$"),
        (RECIPE, 11, r"Expected epochs=12 or more .*Received: epochs=11$"),
        (
            RECIPE,
            13,
            r"schedule=cosine, ends with epoch 12\..* --config=.*recipe\.yaml "
            r"--weights=.*model\.keras and "
            r"another --workdir when this one is finished\. Received: epochs=13$",
        ),
    ],
)
def test_epochs_that_the_run_cannot_have(recipe, epochs, message, tmp_path):
    with WorkDir(tmp_path, recipe).open():
        pass
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(UsageError, match=message):
        WorkDir(tmp_path, recipe.replace(epochs=epochs))
    assert (tmp_path / "config.json").read_text() == before


def test_run_of_an_earlier_version_has_the_defaults(tmp_path):
    with WorkDir(tmp_path, RECIPE).open():
        pass
    config = json.loads((tmp_path / "config.json").read_text())
    del config["ema"], config["augmentation"]["erasing"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    WorkDir(tmp_path, RECIPE)
    with pytest.raises(UsageError, match=r"settings: ema: None there, 0\.9 here\."):
        WorkDir(tmp_path, RECIPE.replace(ema=0.9))


DAMAGES = {
    "config.json": [b"\xff\x00\x01", b"[]", b"{", b"[" * 100_000],
    "metrics.csv": [b"loss\n1\n", b"epoch\nx\n", b"\xff\xfe\n1\n", b"epoch\n1,2\n"],
}


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, content) for name, contents in DAMAGES.items() for content in contents],
    ids=lambda value: value if isinstance(value, str) else repr(value[:8]),
)
def test_damaged_file(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=rf"Received: .*{re.escape(name)}"):
        WorkDir(tmp_path, RECIPE)


@pytest.mark.parametrize("name", ["report.json", "config.json", "model.tflite"])
def test_directory_where_a_file_belongs(name, tmp_path):
    (tmp_path / name / "of a user").mkdir(parents=True)
    with pytest.raises(UsageError, match=f"a file, or nothing, at .*{name}"):
        WorkDir(tmp_path, RECIPE)


@pytest.mark.parametrize("name", ["tensorboard", "checkpoints", "saved_model"])
def test_file_where_a_directory_belongs(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"a directory, or nothing, at .*{name}"):
        WorkDir(tmp_path, RECIPE)


def test_metrics_with_other_columns_go_on(tmp_path):
    workdir = WorkDir(tmp_path, RECIPE)
    workdir.metrics.write_text("epoch,loss,note\n1,2.5,7\n2,1.5,\n")
    MetricsFile(workdir, 1).on_epoch_end(1, {"loss": 1.0, "accuracy": 0.5})
    rows = read_metrics(workdir.metrics)
    assert [(row["epoch"], row["loss"], row["note"]) for row in rows] == [
        ("1", "2.5", "7"),
        ("2", "1.0", ""),
    ]


def test_names_of_work_directories(tmp_path, monkeypatch):
    """Of data sets with any name, in one directory each, that Windows allows too."""
    monkeypatch.chdir(tmp_path)
    datasets = [
        "folder:a/flowers",
        "folder:b/flowers",
        "folder:a/fl$owers",
        f"folder:{tmp_path}/c/flowers/",
        "imagenet_v2/matched:3.0.0",
        "imagenet_v2/matched_3.0.0",
        "nul.x",
        "folder:" + "long" * 60,
    ]
    paths = [workdir_path(RECIPE.replace(dataset=dataset)) for dataset in datasets]
    assert len({path.lower() for path in paths}) == len(datasets)
    for path in paths:
        pathlib.Path(path).mkdir(parents=True)
        parent, name = path.split("/")
        assert parent == "runs"
        assert re.fullmatch(r"[\w.+-]+", name)
        assert not re.match(r"(con|nul|prn|aux|com\d|lpt\d)(\.|$)", name)
    assert "flowers" in paths[0]
    same = RECIPE.replace(dataset=f"folder:{tmp_path}/a/flowers/")
    assert workdir_path(same) == paths[0]
    assert workdir_path(RECIPE) == "runs/digits-se_resnet20"


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

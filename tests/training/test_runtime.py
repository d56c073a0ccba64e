import dataclasses
import json
import pathlib

import pytest

from se_keras import training
from se_keras.errors import UsageError
from se_keras.export.formats import Format
from se_keras.training import Runtime, make_recipe, read_config
from se_keras.training.workdir import WorkDir

# Another value of each field than the default.
OTHERS = {
    "workdir": "elsewhere",
    "data_dir": "data",
    "exports": ("onnx",),
    "export": "best",
    "on_bad_image": "skip",
    "allow_changed_data": True,
    "strategy": "mirrored",
    "workers": ("a:1", "b:2"),
    "worker_index": 1,
    "data_service": "grpc://a:1",
    "checkpoint_every": 7,
    "keep_checkpoints": 5,
    "deterministic": True,
    "profile_steps": (2, 3),
}


def test_every_field_has_another_value_here():
    assert list(OTHERS) == [field.name for field in dataclasses.fields(Runtime)]


@pytest.mark.parametrize("name", OTHERS)
def test_a_run_continues_with_another_runtime(name, tmp_path):
    recipe = make_recipe()
    with WorkDir(tmp_path, recipe).open():
        pass
    other = recipe.replace(**{name: OTHERS[name]})
    assert other.runtime != recipe.runtime
    with WorkDir(tmp_path, other).open():
        pass


@pytest.mark.parametrize("name", OTHERS)
def test_short_nested_and_dotted_names(name):
    value = OTHERS[name]
    expected = dataclasses.replace(make_recipe(), runtime=Runtime(**{name: value}))
    assert make_recipe(**{name: value}) == expected
    assert make_recipe(config={name: value}) == expected
    assert make_recipe(config={"runtime": {name: value}}) == expected
    assert make_recipe(config={f"runtime.{name}": value}) == expected
    assert make_recipe(runtime=Runtime(**{name: value})) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "mirored"}, "strategy .*Did you mean mirrored"),
        ({"keep_checkpoints": 0}, "positive keep_checkpoints. Received: keep_check"),
        ({"exports": ("tflite", "tflight")}, "exports .*Did you mean tflite"),
    ],
)
def test_bad_values(settings, message):
    with pytest.raises(UsageError, match=f"Expected (a )?{message}"):
        Runtime(**settings)


@pytest.mark.slow
def test_finished_run_with_other_exports_and_with_another_recipe(recipe):
    """What the machine decides may change; what decides the result may not."""
    recipe = recipe.replace(epochs=1)
    workdir = pathlib.Path(recipe.runtime.workdir)
    first = training.train(recipe)
    other = recipe.replace(exports=("tflite",), keep_checkpoints=1)
    second = training.train(other)
    assert second["training_seconds"] == first["training_seconds"]
    assert second["exports"]["tflite"]["path"] == str(workdir / "model.tflite")
    settings = json.loads((workdir / "config.json").read_text())
    assert settings["runtime"]["workdir"] == str(workdir)
    assert make_recipe(config=read_config(workdir / "recipe.yaml")) == recipe
    with pytest.raises(UsageError, match="other settings: seed: 0 there, 1 here"):
        training.train(recipe.replace(seed=1))


def test_missing_package_of_an_export_is_found_before_training(recipe, monkeypatch):
    def missing(form):
        raise UsageError(f"Expected the packages of {form.name}")

    monkeypatch.setattr(Format, "require", missing)
    with pytest.raises(UsageError, match="Expected the packages of onnx"):
        training.train(recipe.replace(exports=("onnx",)))
    assert not pathlib.Path(recipe.runtime.workdir).exists()


@pytest.mark.slow
def test_every_format_of_the_table_can_be_asked_for(recipe):
    for package in ("onnx", "onnxruntime", "openvino", "tf2onnx"):
        pytest.importorskip(package)
    names = ("onnx", "openvino")
    report = training.train(recipe.replace(epochs=1, exports=names))
    workdir = pathlib.Path(recipe.runtime.workdir)
    assert {path.name for path in workdir.iterdir()} >= {"model.onnx", "openvino"}
    assert [report["exports"][name]["top1_agreement"] for name in names] == [1, 1]

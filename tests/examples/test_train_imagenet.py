import json
import re

import pytest

from se_keras import training
from se_keras.training import make_recipe


@pytest.fixture
def asked(monkeypatch):
    """Returns the recipes that were to be trained, instead of training them."""
    recipes = []
    monkeypatch.setattr(training, "train", recipes.append)
    return recipes


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--dataset=imagenet2012"], {"name": "paper"}),
        (["--recipe=paper_cifar"], {"name": "paper_cifar"}),
        (["--dataset=cifar10", "--recipe=paper"], {"name": "paper"}),
        (["--data_dir=/data", "--workdir=/w"], {"data_dir": "/data", "workdir": "/w"}),
        (["--model=resnet50", "--seed=7"], {"model": "resnet50", "seed": 7}),
        (["--epochs=3", "--batch_size=32"], {"epochs": 3, "batch_size": 32}),
        (["--image_size=40"], {"image_size": 40}),
        (["--learning_rate=0.25"], {"learning_rate": 0.25}),
        (["--precision=mixed_bfloat16"], {"precision": "mixed_bfloat16"}),
        (["--strategy=mirrored"], {"strategy": "mirrored"}),
        (["--sync_batch_norm"], {"sync_batch_norm": True}),
        (["--sync_batch_norm=true"], {"sync_batch_norm": True}),
        (["--nesterov", "--nesterov=false"], {"nesterov": False}),
        (["--nonesterov", "--nesterov"], {"nesterov": True}),
        (
            ["--workdir", "my runs/a b", "--seed", "7"],
            {"workdir": "my runs/a b", "seed": 7},
        ),
        (["--augmentation.rotation", "10"], {"augmentation.rotation": 10}),
        (["--exports=tflite,saved_model"], {"exports": ("tflite", "saved_model")}),
        (["--exports="], {"exports": ()}),
        (["--augmentation.padding=3"], {"augmentation.padding": 3}),
        (["--noaugmentation.flip"], {"augmentation.flip": False}),
        (["--boundaries=2,4", "--clip_norm=none"], {"boundaries": (2, 4)}),
        (["--optimizer=lamb", "--ema=0.99"], {"optimizer": "lamb", "ema": 0.99}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags(arguments, expected, example, asked):
    example("train_imagenet", *arguments)
    dataset = [a.split("=")[1] for a in arguments if a.startswith("--dataset=")]
    assert asked == [make_recipe(**expected, dataset=dataset[0] if dataset else None)]


def test_flags_win_over_the_file_and_the_file_over_the_recipe(example, asked, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("recipe: paper\nepochs: 7\naugmentation:\n  padding: 2\n")
    example("train_imagenet", f"--config={path}", "--epochs=9", "--seed=3")
    changes = {"epochs": 9, "seed": 3, "augmentation.padding": 2}
    assert asked == [make_recipe("paper", **changes)]


def test_misspelt_key_of_a_file(example, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("epoch: 7\n")
    with pytest.raises(SystemExit) as end:
        example("train_imagenet", f"--config={path}", f"--workdir={tmp_path / 'run'}")
    assert re.fullmatch(
        "error: .*Did you mean epochs .*Received: 'epoch'", end.value.code
    )
    assert not (tmp_path / "run").exists()


BAD = {
    "--model=se_resnet5": "Did you mean .*se_resnet50.*Received: 'se_resnet5'",
    "--dataset=cifar11": "Did you mean .*cifar10.*Received: 'cifar11'",
    "--recipe=papr": "Did you mean paper.*Received: 'papr'",
    "--epochs=many": "an integer for epochs. Received: epochs='many'",
    "--config=none.yaml": "a YAML file.*none.yaml",
    "--optimizer=lam": "Did you mean lamb.*Received: 'lam'",
    "--precision=float16": "precision .*Received: 'float16'",
    "--strategy=tpus": "strategy .*Did you mean tpu.*Received: 'tpus'",
    "--exports=onix": "exports .*Received: 'onix'",
    "--batch_size=-8": "positive batch_size. Received: batch_size=-8",
    "--batch_size=2000": "at most 1437.*Received: batch_size=2000",
    "--epochs=0": "positive epochs",
    "--learning_rate=-1": "positive learning_rate",
    "--seed=5000000000": "seed. Received: seed=5000000000",
}


@pytest.mark.parametrize("argument", BAD)
def test_bad_input(argument, example, digits_dir, tmp_path, capfd):
    workdir = tmp_path / "run"
    data_dir = tmp_path if "dataset" in argument else digits_dir
    with pytest.raises(SystemExit) as end:
        example(
            "train_imagenet", f"--workdir={workdir}", f"--data_dir={data_dir}", argument
        )
    assert re.fullmatch(rf"error: [^\n]*{BAD[argument]}[^\n]*", end.value.code)
    assert not workdir.exists()
    assert "Epoch" not in capfd.readouterr().out


@pytest.mark.parametrize("flag", ["workdir", "data_dir"])
def test_folder_that_is_a_file(flag, example, digits_dir, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folders = {"workdir": tmp_path / "run", "data_dir": digits_dir}
    folders[flag] = tmp_path / "file" / "below"
    with pytest.raises(SystemExit) as end:
        example("train_imagenet", *(f"--{k}={v}" for k, v in folders.items()))
    assert re.fullmatch(rf"error: [^\n]*{folders[flag]}[^\n]*", end.value.code)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_other_settings_on_the_same_folder(example, digits_run):
    before = sorted(digits_run.workdir.rglob("*"))
    with pytest.raises(SystemExit) as end:
        example(
            "train_imagenet",
            f"--workdir={digits_run.workdir}",
            f"--data_dir={digits_run.recipe.runtime.data_dir}",
            "--seed=5",
        )
    assert re.match("error: .* belongs to a run with other settings", end.value.code)
    assert "seed: 0 there, 5 here" in end.value.code
    assert sorted(digits_run.workdir.rglob("*")) == before


@pytest.mark.slow
def test_end_to_end(command):
    """One epoch of the network that it trains by default, in a process of its own."""
    run = command(
        "train_imagenet",
        "--epochs=1",
        "--image_size=8",
        "--batch_size=128",
        "--exports=tflite",
    )
    assert run.returncode == 0, run.stderr
    workdir = command.folder / "runs" / "digits-se_resnet20"
    report = json.loads((workdir / "report.json").read_text())
    assert f"test accuracy: {report['accuracy']:.2%} of 360 images" in run.stdout
    parts = ("embedded sample", "--dataset=imagenet2012", "val_accuracy", "Next: ")
    places = [run.stdout.find(part) for part in parts]
    assert -1 < places[0] < places[1] < places[2] < places[3]
    assert (command.folder / "cache" / "se_keras" / "digits").is_dir()
    assert sorted(path.name for path in workdir.iterdir()) == [
        "checkpoints",
        "config.json",
        "curves.png",
        "data.json",
        "evaluation",
        "metrics.csv",
        "model.keras",
        "model.tflite",
        "recipe.yaml",
        "report.json",
        "tensorboard",
    ]


def test_bad_input_ends_the_process_with_one_line(command):
    run = command("train_imagenet", "--batch_size=-8", "--workdir=bad")
    assert run.returncode == 1
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert errors == ["error: Expected a positive batch_size. Received: batch_size=-8"]
    assert run.stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in run.stderr
    assert not (command.folder / "bad").exists()

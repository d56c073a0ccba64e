import dataclasses
import subprocess
import sys
import time

import pytest
import yaml

from se_keras.data import Augmentation, Splits
from se_keras.errors import UsageError
from se_keras.training import (
    RECIPES,
    Recipe,
    Runtime,
    fields_of,
    make_recipe,
    read_config,
    write_config,
)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_yaml(name, tmp_path):
    path = tmp_path / "recipe.yaml"
    write_config(path, RECIPES[name])
    assert make_recipe("paper", read_config(path)) == RECIPES[name]
    # Plain YAML, without tags of Python.
    assert yaml.safe_load(path.read_text())["model"] == RECIPES[name].model


def test_every_field_is_there_and_documented():
    fields = fields_of(Recipe)
    nested = {f"augmentation.{f.name}" for f in dataclasses.fields(Augmentation)}
    runtime = {f.name for f in dataclasses.fields(Runtime)}
    splits = {f.name for f in dataclasses.fields(Splits)}
    own = {f.name for f in dataclasses.fields(Recipe)}
    own -= {"augmentation", "runtime", "splits"}
    assert set(fields) == own | nested | runtime | splits
    assert all(field.help for field in fields.values())
    assert fields["augmentation.padding"].help.startswith("Zeros on each side")


LIGHT = """
import sys
from se_keras.training.recipe import Recipe
from se_keras.training.recipes import make_recipe
from se_keras.training.settings import fields_of
make_recipe(dataset="imagenet2012", epochs=3, exports=("onnx",), optimizer="lamb")
found = {"keras", "tensorflow", "tensorflow_datasets", "matplotlib"} & {*sys.modules}
print([field.help for field in fields_of(Recipe).values()], found)
"""


@pytest.mark.parametrize("flags", [[], ["-OO"]])
def test_recipes_need_no_tensorflow_and_no_docstrings(flags):
    """`python -OO` removes docstrings, which have the descriptions."""
    command = [sys.executable, *flags, "-c", LIGHT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    texts = [field.help for field in fields_of(Recipe).values()]
    assert done.stdout == f"{texts} set()\n"


CONFIG = """
recipe: paper_cifar
epochs: 7
learning_rate: 1e-2
boundaries: [3, 5]
data_dir: ~
augmentation:
  padding: 2
  area: [0.5, 1]
augmentation.flip: false
"""


def test_layers(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG)
    config = read_config(path)
    expected = dataclasses.replace(
        RECIPES["paper_cifar"],
        epochs=7,
        learning_rate=0.01,
        boundaries=(3, 5),
        augmentation=dataclasses.replace(
            RECIPES["paper_cifar"].augmentation, padding=2, area=(0.5, 1), flip=False
        ),
    )
    assert make_recipe(config=config) == expected
    # What is given by itself wins, over the file's recipe too.
    assert make_recipe(config=config, epochs=9) == dataclasses.replace(
        expected, epochs=9
    )
    assert make_recipe("sample", config).model == RECIPES["sample"].model
    assert make_recipe("sample", config).epochs == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({"epochs": "5"}, {"epochs": 5}),
        ({"learning_rate": "1e-3"}, {"learning_rate": 1e-3}),
        ({"boundaries": "3, 5"}, {"boundaries": (3, 5)}),
        ({"boundaries": ""}, {"boundaries": ()}),
        ({"exports": "tflite"}, {"exports": ("tflite",)}),
        ({"nesterov": "true"}, {"nesterov": True}),
        ({"clip_norm": "0.5"}, {"clip_norm": 0.5}),
        ({"clip_norm": "none"}, {"clip_norm": None}),
        ({"weights": "none"}, {"weights": None}),
        ({"augmentation.flip": "False"}, {"augmentation.flip": False}),
        ({"augmentation.area": "0.2,0.9"}, {"augmentation.area": (0.2, 0.9)}),
        ({"augmentation": {"padding": "3"}}, {"augmentation.padding": 3}),
        ({"runtime": {"workdir": "a"}}, {"workdir": "a"}),
        ({"runtime.worker_index": "1"}, {"worker_index": 1}),
    ],
)
def test_text(text, expected):
    ((path, value),) = expected.items()
    found = make_recipe("rsb_a1", **text)
    for part in fields_of(Recipe)[path].path.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 4}, "Did you mean batch_size .an integer.*'batchsize'"),
        ({"padding": 4}, "Did you mean augmentation.padding .an integer"),
        ({"augmentation": {"paddin": 4}}, "mean augmentation.padding.*tion.paddin'"),
        ({"augmentation": 3}, "Received: 'augmentation'"),
        ({"zzz": 3}, "one of the recipe's. Received: 'zzz'"),
        ({"epochs": "many"}, "an integer for epochs. Received: epochs='many'"),
        ({"epochs": 2.5}, "an integer for epochs"),
        ({"epochs": True}, "an integer for epochs"),
        ({"epochs": None}, "an integer for epochs"),
        ({"learning_rate": "fast"}, "a number for learning_rate"),
        ({"nesterov": 1}, "true or false for nesterov"),
        ({"clip_norm": "x"}, "a number, or none for clip_norm"),
        ({"model": 5}, "a string for model"),
        ({"boundaries": "3,x"}, "a list of integers for boundaries"),
        ({"boundaries": 3}, "a list of integers for boundaries"),
        ({"augmentation.area": [1]}, "2 numbers for augmentation.area"),
        ({"augmentation.crop": "padd"}, "crop='padd'"),
        (
            {"runtime": {"workdr": "a"}},
            "Did you mean workdir .a string, or none.*workdr",
        ),
        ({"runtime.keep_checkpoints": "x"}, "for keep_checkpoints. Received: keep_ch"),
        ({"workdir": "a", "runtime.workdir": "b"}, "one value for workdir.*runtime.wo"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(UsageError, match=message):
        make_recipe("paper", settings)


@pytest.mark.parametrize(
    "text", ["", "- a\n- b", "epochs: [1", "1: 2", "just words", b"\xff\xfe\x00x"]
)
def test_bad_files(text, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=r"Expected a YAML file.*bad\.yaml"):
        read_config(path)
    with pytest.raises(UsageError, match=r"Expected a YAML file.*none\.yaml"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "text", ["epochs: 1\nepochs: 2\n", "augmentation:\n  flip: true\n  flip: false\n"]
)
def test_a_key_that_is_given_twice(text, tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"twice\.yaml.*found '(epochs|flip)' twice"):
        read_config(path)


LEVELS = "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 40))
MERGES = "".join(
    f"m{i}: &m{i} {{<<: [*m{i - 1}, {{k{i}: 1}}, *m{i - 1}]}}\n" for i in range(1, 40)
)
TOO_MUCH = {
    "aliases": "a0: &a0 {x: 1, y: 2}\n" + LEVELS,
    "an alias of itself": "a: &a {b: *a}\n",
    "merged keys": "m0: &m0 {k0: 1}\n" + MERGES,
    "lists of aliases": "a0: &a0 [1, 2]\n"
    + "".join(f"a{i}: &a{i} [{'*a' + str(i - 1)}, *a{i - 1}]\n" for i in range(1, 40)),
    "levels": "[" * 50_000,
    "bytes": "epochs: 1  # " + "long " * 30_000,
    "digits": "epochs: " + "9" * 5000,
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_files_that_expand_without_end(kind, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TOO_MUCH[kind])
    began = time.monotonic()
    with pytest.raises(UsageError) as error:
        make_recipe(None, read_config(path))
    assert time.monotonic() - began < 2
    assert len(str(error.value)) < 1000


def test_aliases_of_some_values(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("batch_size: &n 32\nimage_size: *n\n")
    assert read_config(path) == {"batch_size": 32, "image_size": 32}

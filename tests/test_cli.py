"""The `se-keras` command, line by line."""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys

import keras
import pytest

from se_keras import SqueezeExcite, cli, create_model, list_models, weights
from se_keras.models.registry import lookup
from tests.helpers import require


@pytest.fixture
def run(capsys):
    """Runs a command line; returns exit code, output and error output."""

    def call(*arguments):
        try:
            cli.main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as end:
            code = end.code
            if isinstance(code, str):  # what Python prints, with exit code 1
                print(code, file=sys.stderr)
                code = 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def saved(tmp_path):
    """Saves a small model for images of a size."""

    def save(*size, name="net"):
        image = keras.Input((*size, 3))
        x = keras.layers.Conv2D(4, 1, use_bias=False, name="conv")(image)
        model = keras.Model(image, SqueezeExcite(ratio=2, name="se")(x), name=name)
        path = tmp_path / f"{name}.keras"
        model.save(path)
        return path

    return save


def total(output):
    """The numbers in the row of totals."""
    (line,) = [line for line in output.splitlines() if line.startswith("total")]
    return [int(cell.replace(",", "")) for cell in line.split()[1:]]


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        ((), {}),
        (("--classes=7",), {"classes": 7}),
        (("--no_top",), {"include_top": False}),
        (("--image_size=48",), {"input_shape": (48, 48, 3)}),
        (
            ("--no_top", "--image_size", "48"),
            {"include_top": False, "input_shape": (48, 48, 3)},
        ),
    ],
)
def test_summary_of_a_name(run, flags, arguments):
    code, output, _ = run("summary", "se_resnet20", *flags)
    assert code == 0
    model = create_model("se_resnet20", **arguments)
    size = "x".join(map(str, model.input_shape[1:]))
    assert output.startswith(f"se_resnet20, input {size}\n")
    trainable = sum(keras.ops.size(w) for w in model.trainable_weights)
    gates = [layer for layer in model.layers if isinstance(layer, SqueezeExcite)]
    parameters, of_gates, *_ = total(output)
    assert parameters == trainable
    assert of_gates == sum(layer.count_params() for layer in gates)


@pytest.mark.parametrize(
    ("size", "flags", "positions"),
    [
        ((6, 6), (), 36),
        ((6, 6), ("--image_size=6",), 36),
        ((None, None), ("--image_size=5",), 25),
        ((None, 6), ("--image_size=5",), 30),
    ],
)
def test_summary_of_a_file(run, saved, size, flags, positions):
    code, output, _ = run("summary", saved(*size), *flags)
    assert code == 0
    assert output.startswith("net, input ")
    assert total(output) == [12 + 22, 22, positions * 12 + 16, 16]


def test_list(run):
    code, output, _ = run("list")
    assert code == 0
    assert output.split() == list_models()
    assert run("list", "se_resnet1*")[1].split() == list_models("se_resnet1*")


@pytest.mark.parametrize("name", list_models())
def test_info_of_a_network(run, name):
    code, output, _ = run("info", name)
    assert code == 0
    network = lookup(name)
    lines = output.splitlines()
    assert lines[0] == f"name: {name}"
    assert lines[1] == f"constructor: se_keras.models.{network.constructor}"
    assert f"spec {type(network.spec).__name__}:" in lines
    assert f"  bn_momentum: {network.spec.bn_momentum}" in lines
    assert f"  crop: {network.preprocessing.crop}" in lines
    (attention,) = [line for line in lines if line.startswith("attention: ")]
    made = "None" if network.spec.attention is None else "SqueezeExcite(ratio="
    assert attention.startswith(f"attention: {made}")
    assert "\nreferences:\n  - " in output
    assert "https://arxiv.org/abs/1709.01507" in output
    assert "<" not in output  # no object without a text
    known = [
        *network.family.pretrained,
        *(k for k, v in weights.PUBLISHED.items() if name in v.networks),
    ]
    assert [f"weights: {', '.join(known)}"] * bool(known) == [
        line for line in lines if line.startswith("weights: ")
    ]


MY_NETS = """
import functools
from se_keras import SqueezeExcite
from se_keras.models import ResNetSpec, register

def half(x, name):
    return x * 0.5

def add(name, attention):
    spec = ResNetSpec(
        block="basic", depths=(1, 1), widths=(4, 8), dropout=0.25, attention=attention
    )
    register(name, spec)

add("my_eca", "eca")
add("se_my_class", SqueezeExcite)
add("se_my_layer", SqueezeExcite(ratio=8, squeeze="max"))
add("se_my_partial", functools.partial(SqueezeExcite, ratio=8))
add("my_function", half)
"""
MY_ATTENTION = {
    "my_eca": "'eca'",
    "se_my_class": "SqueezeExcite()",
    "se_my_layer": "SqueezeExcite(ratio=8, squeeze='max')",
    "se_my_partial": "SqueezeExcite(ratio=8)",
    "my_function": "half",
}


def test_networks_of_the_user(tmp_path):
    """A module of the user registers networks; all commands know them."""
    (tmp_path / "my_nets.py").write_text(MY_NETS)
    commands = [
        "list *my_*",
        *(f"info {name}" for name in MY_ATTENTION),
        "summary se_my_layer --image_size=32",
        "export --model=my_layer --input_size=32 --format=saved_model",
    ]
    script = "import sys; from se_keras import cli\n" + "".join(
        f"print('== next'); cli.main({[*line.split(), '--import=my_nets']})\n"
        for line in commands
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    _, listed, *infos, summary, _ = done.stdout.split("== next\n")
    twins = ["my_eca_plain", "my_class", "my_layer", "my_partial", "my_function_plain"]
    assert sorted(listed.split()) == sorted([*MY_ATTENTION, *twins])
    for (name, attention), twin, info in zip(
        MY_ATTENTION.items(), twins, infos, strict=True
    ):
        lines = info.splitlines()
        assert lines[0] == f"name: {name}"
        assert {
            f"twin: {twin}",
            "spec ResNetSpec:",
            "  widths: 4, 8",
            "  dropout: 0.25",
            f"attention: {attention}",
        } <= set(lines)
    assert summary.startswith("se_my_layer, input 32x32x3\n")
    assert (tmp_path / "exported" / "my_layer_saved_model").is_dir()


@dataclasses.dataclass(frozen=True)
class Published:
    """What `weights.info` returns, in short."""

    source: str
    size: tuple[int, int] = (224, 224)
    license: str | None = None
    class_names: tuple[str, ...] = ("cat", "dog", "emu", "fox")
    top1: tuple[tuple[int, float], ...] = ((224, 80.01), (288, 81.11))


@pytest.mark.parametrize("source", ["timm/seresnet50.a1_in1k", "my.safetensors"])
def test_info_of_weights(run, monkeypatch, source):
    monkeypatch.setattr(weights, "info", Published, raising=False)
    code, output, _ = run("info", source)
    assert code == 0
    assert output.splitlines() == [
        f"source: {source}",
        "size: 224, 224",
        "class_names: cat, dog, emu, ... (4)",
        "top1: 80.01% at 224 pixels, 81.11% at 288 pixels",
    ]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("summary se_resnet5", "Did you mean se_resnet5"),
        ("summary se_resnet20 --image_size=-3", "input_shape=(-3, -3, 3)"),
        ("summary se_resnet20 --classes=0", "classes=0"),
        ("summary missing.keras", "Received: missing.keras"),
        ("summary {text}", "Received: {text}"),
        ("summary {truncated}", "Received: {truncated}"),
        ("summary {fixed} --classes=3", "--classes and --no_top"),
        ("summary {fixed} --no_top", "--classes and --no_top"),
        (
            "summary {fixed} --image_size=7",
            "--image_size=7 and a model with inputs [(6, 6, 3)]",
        ),
        (
            "summary {fixed} --image_size=3",
            "--image_size=3 and a model with inputs [(6, 6, 3)]",
        ),
        ("summary {unknown}", "pass them with --image_size"),
        ("list resnet", "Received: 'resnet'"),
        ("info se_resnet5", "Did you mean se_resnet5"),
    ],
)
def test_bad_input_is_one_line(run, saved, tmp_path, command, error):
    files = {
        "fixed": saved(6, 6, name="fixed"),
        "unknown": saved(None, None, name="unknown"),
        "text": tmp_path / "text.keras",
        "truncated": tmp_path / "truncated.keras",
    }
    files["text"].write_text("not a model")
    files["truncated"].write_bytes(files["fixed"].read_bytes()[:-100])
    arguments = [word.format(**files) for word in command.split()]
    code, output, message = run(*arguments)
    assert code == 1
    assert output == ""
    lines = message.splitlines()
    assert lines[-1].startswith("error: ")
    assert error.format(**files) in lines[-1]
    assert len(lines) == 1


@pytest.mark.parametrize(
    "command",
    ["", "sumary resnet20", "list --color", "summary", "summary a --classes=b"],
)
def test_a_wrong_command_shows_the_usage(run, command):
    code, output, message = run(*command.split())
    assert code == 2
    assert output == ""
    assert message.startswith("usage: se-keras")


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "se_keras", "list", "se_resnet50"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "se_resnet50\n"


def test_a_terminated_command_leaves_nothing_half_written(tmp_path):
    """Also if the signal comes where Python ignores exceptions."""
    script = """
import dataclasses, os, signal, sys, time
from se_keras import cli
from se_keras.files import replacing

class Garbage:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def write(pattern):
    with replacing(sys.argv[1]) as temporary:
        temporary.write_text("half")
        garbage = Garbage()
        del garbage
        time.sleep(1)

cli.COMMANDS["list"] = dataclasses.replace(cli.COMMANDS["list"], run=write)
cli.main(["list"])
"""
    command = [sys.executable, "-c", script, tmp_path / "file"]
    assert subprocess.run(command).returncode == -signal.SIGTERM
    assert not list(tmp_path.iterdir())


def test_help_names_all_commands(run):
    code, output, _ = run("--help")
    assert code == 0
    for name, command in cli.COMMANDS.items():
        assert f"{name} " in output
        assert command.help in output
        assert run(name, "--help")[0] == 0


HELP_WITHOUT_KERAS = """
import sys, types
# `se_keras` itself imports Keras; the command line does not.
package = types.ModuleType("se_keras")
package.__path__ = [sys.argv.pop(1)]
sys.modules["se_keras"] = package
from se_keras.cli import main
try:
    main()
except SystemExit as end:
    found = {"keras", "numpy", "tensorflow"} & set(sys.modules)
    print(end.code, *found, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("list --help", 0),
        ("summary --help", 0),
        ("info --help", 0),
        ("info", 2),
        ("lst", 2),
        ("summary se_resnet50 --image_size=x", 2),
        ("list --import=missing", "error: Expected --import"),
    ],
)
def test_help_and_usage_need_no_keras(arguments, code, tmp_path):
    package = pathlib.Path(cli.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", HELP_WITHOUT_KERAS, package, *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(str(code))
    if isinstance(code, int):
        assert last == str(code)


def test_help_lists_what_the_tables_have(run):
    from se_keras.data.settings import POLICIES
    from se_keras.export import FORMATS, QUANTIZATIONS
    from se_keras.training import RECIPES

    for command, tables in {
        "export": (FORMATS, QUANTIZATIONS),
        "data": (RECIPES, POLICIES),
    }.items():
        _, output, _ = run(command, "--help")
        assert not {name for table in tables for name in table} - set(
            re.findall(r"\w+", output)
        )


@pytest.mark.parity
@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        ("data --dataset=digits", 1, "se_keras.data"),
        ("data --help", 0, ""),
        ("export --help", 0, ""),
        ("info se_resnet50", 0, ""),
        ("list", 0, ""),
        ("summary se_resnet20", 0, ""),
    ],
)
def test_under_another_backend(arguments, code, what):
    require("jax")
    done = subprocess.run(
        [sys.executable, "-m", "se_keras", *arguments.split()],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    if code:
        *_, last = done.stderr.splitlines()
        expected = f"error: Expected the TensorFlow backend of Keras for {what}"
        assert last.startswith(expected)


def test_each_command_has_a_module():
    for name, command in cli.COMMANDS.items():
        assert command.run.__module__ == f"se_keras.cli.{name}"


@pytest.mark.parametrize("form", ["my_nets", "{path}"])
@pytest.mark.parametrize("command", ["list", "info", "summary", "export", "data"])
def test_modules_of_the_user(run, command, form, tmp_path, monkeypatch):
    """Every command imports them before it runs."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_nets.py"
    path.write_text("raise RuntimeError('imported')\n")
    required = {"info": ["a"], "summary": ["a"], "export": ["--model=a"]}
    flag = f"--import={form.format(path=path)}"
    code, output, message = run(command, flag, *required.get(command, []))
    assert (code, output) == (1, "")
    (line,) = message.splitlines()
    assert line.startswith("error: Expected --import of a module that can be imported")
    assert line.endswith(f"(RuntimeError: imported, {path}, line 1)")


def test_a_reader_that_leaves_first():
    command = [sys.executable, "-m", "se_keras", "list"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as program:
        program.stdout.close()
        errors = program.stderr.read()
    assert program.returncode == 1
    assert "Error" not in errors

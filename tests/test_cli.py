"""The `se-keras` command, line by line."""

import dataclasses
import signal
import subprocess
import sys

import keras
import pytest

from se_keras import SqueezeExcite, cli, create_model, list_models, weights
from se_keras.models.registry import lookup


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
    entry = lookup(name)
    lines = output.splitlines()
    assert lines[0] == f"name: {name}"
    assert lines[1] == f"constructor: se_keras.models.{entry.constructor}"
    assert f"  bn_momentum: {entry.spec.bn_momentum}" in lines
    assert f"  crop: {entry.preprocessing.crop}" in lines
    (gate,) = [line for line in lines if line.startswith("squeeze_excite: ")]
    made = "none" if entry.squeeze_excite is None else "SqueezeExcite("
    assert gate.startswith(f"squeeze_excite: {made}")
    assert "\nReferences:\n" in output
    assert "https://arxiv.org/abs/1709.01507" in output
    assert "<" not in output  # no object without a text
    known = [
        *entry.pretrained,
        *(k for k, v in weights.PUBLISHED.items() if name in v.networks),
    ]
    assert [f"weights: {', '.join(known)}"] * bool(known) == [
        line for line in lines if line.startswith("weights: ")
    ]


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


def test_a_reader_that_leaves_first():
    command = [sys.executable, "-m", "se_keras", "list"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as program:
        program.stdout.close()
        errors = program.stderr.read()
    assert program.returncode == 1
    assert "Error" not in errors

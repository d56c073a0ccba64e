"""The `se-keras` command, line by line."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import keras
import pytest

from se_keras import SqueezeExcite, cli, create_model, list_models, weights
from se_keras.models.registry import lookup
from se_keras.training import Recipe, fields_of
from se_keras.training.subjects import Subject
from tests.helpers import ROOT, require


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


@pytest.mark.slow
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
    """It imports TensorFlow, whose log lines are left out."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "se_keras", "info", "se_resnet50"],
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("name: se_resnet50\n")


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
    output = " ".join(output.split())
    for name, command in cli.COMMANDS.items():
        assert f" {name} {command.help}" in output
        assert run(name, "--help")[0] == 0


# Runs command lines in a process that cannot import Keras or its backends.
WITHOUT_KERAS = """
import contextlib, io, json, sys, time
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in ("keras", "tensorflow", "jax", "torch"):
            raise AssertionError(f"{name} is imported")
start = time.perf_counter()
import se_keras
sys.meta_path.insert(0, Blocker())
sys.path.insert(0, sys.argv[1])
import train_imagenet
from se_keras import cli
for line in json.load(sys.stdin):
    name, *arguments = line.split()
    main = train_imagenet.main if name == "example" else cli.main
    streams = io.StringIO(), io.StringIO()
    code = 0
    try:
        with contextlib.redirect_stdout(streams[0]):
            with contextlib.redirect_stderr(streams[1]):
                main(arguments if name == "example" else line.split())
    except SystemExit as end:
        code = end.code
    print(json.dumps([code, *(stream.getvalue() for stream in streams)]))
print(time.perf_counter() - start)
"""
ERROR = "error: Expected "
NO_KERAS = {
    "--help": 0,
    **{f"{name} --help": 0 for name in cli.COMMANDS},
    "list": 0,
    "list se_resnet5*": 0,
    "list --colour": "Expected a flag of se-keras list",
    "list --import=missing": f"{ERROR}--import",
    "list missing": f"{ERROR}a pattern",
    "lst": "Did you mean list? Received: lst",
    "evalute": "Expected a command, one of train, ",
    "info": "required: source",
    "evaluate model.keras --datset=digits": "Did you mean --dataset or ",
    "predict": "required: model, paths",
    "info se_resnet5": f"{ERROR}the name of a model",
    "info se_resnet50 more": "Expected no more arguments. Received: more",
    "summary se_resnet50 --image_size=x": "invalid int value: 'x'",
    "summary se_resnet5": f"{ERROR}the name of a model",
    "summary missing.keras": f"{ERROR}a .keras file",
    "train --epoch=3": "Did you mean --epochs or ",
    "train --padding=3": "Did you mean --augmentation.padding? Received: --padding=3",
    "train stray": "Expected flags only. Received: stray",
    "train --epochs": "argument --epochs: expected one argument",
    "train --epochs=many": f"{ERROR}an integer for epochs",
    "train --epochs=0": f"{ERROR}a positive epochs",
    "train --nesterov=maybe": f"{ERROR}true or false for nesterov",
    "train --nonesterov=true": "--nonesterov: ignored explicit argument",
    "train --optimizer=lam": f"{ERROR}optimizer to be one of adamw, lamb, sgd. Did you",
    "train --model=se_resnet5": f"{ERROR}the name of a model",
    "train --config=missing.yaml": f"{ERROR}a YAML file",
    "train --import=missing": f"{ERROR}--import",
    "train --unknown=" + "x" * 10_000: "Received: --unknown=xxx",
    "summary a --classes=" + "9" * 10_000 + "x": "invalid int value: '999",
    "data --seed=" + "x" * 10_000: "invalid int value: 'xxx",
    "example --help": 0,
    "example --epoch=3": "Did you mean --epochs or ",
    "example --epochs=0": f"{ERROR}a positive epochs",
}


@pytest.fixture(scope="module")
def without_keras(tmp_path_factory):
    """What the command lines of `NO_KERAS` print, and the seconds that all took."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS, ROOT / "examples"],
        cwd=tmp_path_factory.mktemp("empty"),
        input=json.dumps([*NO_KERAS]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *lines, seconds = done.stdout.splitlines()
    return dict(zip(NO_KERAS, map(json.loads, lines), strict=True)), float(seconds)


@pytest.mark.parametrize("line", NO_KERAS, ids=lambda line: line[:40])
def test_help_lists_and_errors_need_no_keras(line, without_keras):
    code, output, message = without_keras[0][line]
    expected = NO_KERAS[line]
    if expected == 0:
        assert (code, message) == (0, "")
        assert output
    elif expected.startswith(ERROR):
        assert code.startswith(expected)
        assert (output, message) == ("", "")
        assert "\n" not in code
    else:
        *usage, last = message.splitlines()
        assert (code, output) == (2, "")
        assert usage[0].startswith("usage: ")
        assert expected in last
        assert len(last) < 500


@pytest.mark.parametrize("command", ["train", "data"])
def test_without_the_extra(command):
    code = f"""
import sys
sys.modules["yaml"] = None
from se_keras import cli
cli.main(["{command}", "--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    start = f"error: Expected the package pyyaml for se-keras {command}: pip install "
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1


def test_all_of_them_take_some_seconds(without_keras):
    """One of them takes a fraction of a second; Keras takes several."""
    assert without_keras[1] / len(NO_KERAS) < 0.5


def test_lists_without_and_with_the_registry_agree(without_keras):
    assert without_keras[0]["list"][1].split() == list_models()
    assert without_keras[0]["list se_resnet5*"][1].split() == list_models("se_resnet5*")


def test_help_of_a_run_is_grouped_by_subject(without_keras):
    """Every field of a recipe is there once, in a group, with a description."""
    _, output, _ = without_keras[0]["train --help"]
    _, start, flags = output.partition("\n\ndata:")
    assert start
    assert without_keras[0]["example --help"][1].endswith(flags)
    groups = re.findall(r"^(\w[\w ]*):\n((?:  .*\n|\n(?=  ))*)", output, re.MULTILINE)
    subjects = {field.subject for field in fields_of(Recipe).values()}
    assert Subject.OTHER not in subjects
    found = {}
    for title, text in groups[1:]:
        for flag in re.findall(r"^  --([\w.]+)", text, re.MULTILINE):
            found[flag] = title
    assert found == {
        name: field.subject.value for name, field in fields_of(Recipe).items()
    }
    assert [title for title, _ in groups[1:]] == [
        subject.value for subject in Subject if subject in subjects
    ]


@pytest.mark.parametrize("script", ["se_keras", "example"])
def test_help_in_a_second(script, tmp_path):
    """Of a process, with what Python itself takes. Several tries: others run, too."""
    program = ["-m", "se_keras", "train"]
    if script == "example":
        program = [ROOT / "examples/train_imagenet.py"]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, *program, "--help"], check=True, stdout=-3)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1


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
        ("data --dataset=digits", 1, "se_keras.training"),
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

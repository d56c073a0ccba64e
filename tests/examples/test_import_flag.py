"""`--import`: the examples with a network and a layer of the user."""

import pytest

MY_NETS = """
import keras
from se_keras import layers
from se_keras.models import ResNetSpec, register

@keras.saving.register_keras_serializable(package="my_nets")
class ScaledGate(layers.Gate):
    def build_gate(self, channels, rank):
        self.scale = self.add_weight(shape=(channels,), initializer="ones")

    def compute_gate(self, inputs):
        means = keras.ops.mean(inputs, axis=(1, 2))
        return keras.ops.sigmoid(self.scale * means)

register(
    "example_net",
    ResNetSpec(block="basic", depths=(1, 1), widths=(4, 8), attention=ScaledGate()),
)
"""


@pytest.mark.slow
def test_train_and_classify(command, digits, digits_dir):
    (command.folder / "my_nets.py").write_text(MY_NETS)
    run = command(
        "train_imagenet",
        "--import=my_nets",
        "--model=example_net",
        f"--data_dir={digits_dir}",
        "--workdir=run",
        "--epochs=1",
        "--image_size=16",
        "--exports=",
    )
    assert run.returncode == 0, run.stderr
    encoded, _ = next(iter(digits.records("test").as_numpy_iterator()))
    (command.folder / "digit.png").write_bytes(encoded)
    flags = ("--model=run/model.keras", "--top=10", "digit.png")
    # The file of a module, too; and without it the layer is unknown.
    run = command("classify_image", "--import=my_nets.py", *flags)
    assert run.returncode == 0, run.stderr
    path, *lines = run.stdout.splitlines()
    assert path == "digit.png"
    assert len(lines) == 10
    run = command("classify_image", *flags)
    assert run.returncode == 1
    assert "ScaledGate" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["train_imagenet", "classify_image"])
def test_a_module_that_is_not_there(name, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["--model=a.keras", "b.png"] if name == "classify_image" else []
    with pytest.raises(SystemExit) as end:
        example(name, "--import=missing_nets", *arguments)
    assert end.value.code.startswith("error: Expected --import of a module that is in")
    assert "missing_nets" in end.value.code
    assert not list(tmp_path.iterdir())

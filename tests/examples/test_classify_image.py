import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.images import decode

FILES = ["model.keras", "saved_model", "model.tflite"]


@pytest.fixture(scope="module")
def digit_files(digits, tmp_path_factory):
    """Image files of the test split: one of each class, and their labels."""
    folder = tmp_path_factory.mktemp("digits")
    found = {}
    for encoded, label in digits.records("test").as_numpy_iterator():
        found.setdefault(int(label), encoded)
    for label, encoded in sorted(found.items()):
        (folder / f"{label}.png").write_bytes(encoded)
    # The same digit as photographs are stored.
    Image.fromarray(decode(found[3])).convert("RGB").save(folder / "3.bmp")
    return sorted(folder.iterdir())


def blocks(output):
    """Returns the lines after each image file."""
    _, *parts = re.split(r"^(\S.*)\n", output, flags=re.MULTILINE)
    return {
        path: lines.splitlines()
        for path, lines in zip(parts[::2], parts[1::2], strict=True)
    }


def names(output):
    return {
        path: [line.split()[0] for line in lines]
        for path, lines in blocks(output).items()
    }


def test_every_form_gives_the_same_names(digits_run, digit_files, example, capsys):
    printed = []
    for file in FILES:
        example("classify_image", f"--model={digits_run.workdir / file}", *digit_files)
        printed.append(names(capsys.readouterr().out))
    assert printed[0] == printed[1] == printed[2]
    assert list(printed[0]) == [str(path) for path in digit_files]
    assert all(len(top) == len(set(top)) == 3 for top in printed[0].values())
    right = [Path(path).stem == top[0] for path, top in printed[0].items()]
    assert np.mean(right) > 0.8


def test_top(digits_run, digit_files, example, capsys):
    model = digits_run.workdir / "model.tflite"
    example("classify_image", f"--model={model}", "--top=10", digit_files[0])
    (lines,) = blocks(capsys.readouterr().out).values()
    assert sorted(line.split()[0] for line in lines) == list("0123456789")
    percentages = [float(line.split()[1].rstrip("%")) for line in lines]
    assert percentages == sorted(percentages, reverse=True)
    assert sum(percentages) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model={model}"], "at least one image file"),
        (["{image}"], "--model=MODEL"),
        (["--model={model}x", "{image}"], "there is no file"),
        (["--model={text}", "{image}"], "a .keras file or an export"),
        (["--model={model}", "{image}", "{text}"], "an image file.*text.txt"),
        (["--model={model}", "{image}", "{folder}"], "an image file.*directory"),
        (["--model={model}", "{image}x"], "an image file.*No such file"),
    ],
)
def test_bad_input(
    arguments, message, digits_run, digit_files, example, tmp_path, capsys
):
    (tmp_path / "text.txt").write_text("no image, no model")
    places = {
        "model": digits_run.workdir / "model.tflite",
        "image": digit_files[0],
        "text": tmp_path / "text.txt",
        "folder": tmp_path,
    }
    with pytest.raises(SystemExit) as end:
        example("classify_image", *(a.format(**places) for a in arguments))
    assert re.fullmatch(rf"error: [^\n]*{message}[^\n]*", end.value.code)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_end_to_end(digits_run, digit_files, command):
    """In a process of its own, a good and a bad image."""
    model = digits_run.workdir / "model.tflite"
    run = command("classify_image", f"--model={model}", *digit_files)
    assert run.returncode == 0, run.stderr
    assert list(blocks(run.stdout)) == [str(path) for path in digit_files]

    run = command("classify_image", f"--model={model}", digit_files[0], __file__)
    assert run.returncode == 1
    assert run.stdout == ""
    *_, last = run.stderr.splitlines()
    assert last.startswith(
        "error: Expected an image file: JPEG, PNG, WebP, GIF, BMP or"
    )
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1

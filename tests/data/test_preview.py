import io
import re

import numpy as np
import pytest
from PIL import Image

from se_keras import cli
from se_keras.data import Augmentation, training_batches
from se_keras.data.preview import (
    first_images,
    images_per_class,
    measure,
    write_contact_sheet,
)
from se_keras.errors import UsageError
from se_keras.evaluation.plots import GAP, LINE
from se_keras.models import Preprocessing
from tests.data.images import encode, photo

PREPROCESSING = Preprocessing((16, 16))


def test_the_first_training_images(photos):
    pixels, names = first_images(photos, PREPROCESSING, Augmentation(), seed=4)
    assert pixels.shape == (10, 16, 16, 3)  # of 36, the data set has no more
    images, labels = next(
        iter(
            training_batches(
                photos, PREPROCESSING, Augmentation(), batch_size=10, seed=4, epoch=0
            )
        )
    )
    normalized = (pixels / 255 - PREPROCESSING.mean) / PREPROCESSING.std
    np.testing.assert_allclose(normalized, images, atol=0.5 / 255 / 0.2)
    assert names == [(photos.class_names[label],) for label in labels]


def test_names_of_mixed_images(photos):
    mixed = Augmentation(mixup=1.0)
    _, names = first_images(photos, PREPROCESSING, mixed, count=6)
    both = [lines for lines in names if len(lines) == 2]
    assert both
    for lines in both:
        parts = [line.split("% ") for line in lines]
        assert sum(int(part) for part, _ in parts) == pytest.approx(100, abs=1)
        assert {name for _, name in parts} == {"china", "flower"}


@pytest.mark.parametrize("channels", [1, 3])
def test_contact_sheet(channels, tmp_path):
    """Each image is there pixel by pixel, in its frame, also white ones."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 160, 160, channels), "uint8")
    pixels[2] = 255
    names = [("a",), ("$n" * 99,), ("white",), ("60% a", "40% b"), ("\n",)]
    path = tmp_path / "folder" / "sheet.PNG"
    write_contact_sheet(path, pixels, names, "title")
    sheet = np.asarray(Image.open(path).convert("RGB"))
    for number, image in enumerate(pixels):
        left = GAP + number % 3 * (160 + GAP)
        top = 52 + number // 3 * (160 + 2 * LINE + GAP + 8)
        np.testing.assert_array_equal(
            sheet[top : top + 160, left : left + 160],
            np.broadcast_to(image, (160, 160, 3)),
        )
        assert (sheet[top + 5 : top + 150, left - 3 : left].min(1) < 250).all()
        below = sheet[top + 164 : top + 164 + 2 * LINE, left : left + 160]
        assert (below < 128).any()
    assert [file.name for file in path.parent.iterdir()] == ["sheet.PNG"]


def test_names_of_files(tmp_path):
    images = np.zeros((1, 4, 4, 3), "uint8"), [("a",)]
    with pytest.raises(UsageError, match=r"the suffix \.png\. Received: 'sheet\.jpg'"):
        write_contact_sheet("sheet.jpg", *images)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="can be written"):
        write_contact_sheet(tmp_path / "file/x.png", *images)


class _Counts:
    """A data set of some labels."""

    splits = ("train", "validation")

    def __init__(self, counts):
        self.counts = counts
        self.class_names = tuple(f"class {n}" * (1 + 9 * n) for n in range(len(counts)))

    def labels(self, split):
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def num_examples(self, split):
        return sum(self.counts)


def test_images_per_class():
    first, *lines = images_per_class(_Counts([3, 1]))
    assert first == "Images per class (train, validation):"
    assert [line.split()[-2:] for line in lines] == [["3", "3"], ["1", "1"]]
    assert max(map(len, lines)) < 80
    first, *lines = images_per_class(_Counts(list(range(60))))
    assert "largest and smallest of 60" in first
    shown = [int(line.split()[-1]) for line in lines]
    assert shown == [59, 58, 57, 56, 55, 4, 3, 2, 1, 0]
    (line,) = images_per_class(_Counts([60_000]))
    assert "not counted" in line


def test_measure(digits, capsys):
    found = measure(
        digits, PREPROCESSING.with_input(8, 8, 1), Augmentation(), batch_size=90
    )
    assert found["images"] == 15 * 90
    assert found["images_per_second"] > 0
    assert found["bad_images"] == ()
    assert re.search(r"1350/1350.* images/s: \d+", capsys.readouterr().out, re.DOTALL)


def test_measure_needs_two_batches(digits):
    with pytest.raises(
        UsageError, match=r"at most 718, half .*Received: batch_size=719"
    ):
        measure(digits, PREPROCESSING, Augmentation(), batch_size=719)


@pytest.fixture
def folder(tmp_path):
    """A folder of 20 images, of which one is damaged."""
    for number in range(40):
        path = tmp_path / f"images/{('train', 'val')[number % 2]}/{'ab'[number // 20]}"
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{number}.png").write_bytes(encode(photo(20, 20)))
    return tmp_path / "images"


@pytest.mark.slow
def test_command(folder, tmp_path, capsys):
    output = tmp_path / "sheet.png"
    arguments = [
        "data",
        f"--dataset=folder:{folder}",
        "--recipe=paper_cifar",
        f"--output={output}",
        "--batch_size=5",
    ]
    cli.main(arguments)
    printed = capsys.readouterr().out
    assert "2 classes\nImages: train 20, validation 20 (val).\n" in printed
    assert f"{output}: 20 training images at 32 x 32" in printed
    assert re.search(r"\d+ images/s from the input alone", printed)
    sheet = Image.open(io.BytesIO(output.read_bytes()))
    # Images of 32 x 32 are enlarged 5 times.
    assert sheet.size[0] == GAP + 5 * (160 + GAP)
    assert "  a      10      10\n" in printed

    damaged = folder / "train/a/2.png"
    damaged.write_bytes(b"")
    with pytest.raises(SystemExit, match=f"^error: Expected images.*{damaged} "):
        cli.main(arguments)
    cli.main([*arguments, "--on_bad_image=skip", "--model=se_resnet20"])
    assert f"1 skipped: {damaged}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"^error: .*Received: .*se_resnet21"):
        cli.main([*arguments, "--model=se_resnet21"])

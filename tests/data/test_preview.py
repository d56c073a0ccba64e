import io
import re

import numpy as np
import pytest
from PIL import Image

from se_keras import cli
from se_keras.data import Augmentation, training_batches
from se_keras.data.preview import contact_sheet, measure, write_contact_sheet
from se_keras.errors import UsageError
from se_keras.models import Preprocessing
from tests.data.images import encode, photo

PREPROCESSING = Preprocessing((16, 16))


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (5, 2, 3), (9, 3, 3)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_contact_sheet(count, rows, columns, channels):
    preprocessing = Preprocessing().with_input(4, 6, channels)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 4, 6, channels), "uint8")
    sheet = contact_sheet(
        preprocessing.normalize(pixels.astype("float32")), preprocessing
    )
    assert sheet.dtype == "uint8"
    assert sheet.shape == (rows * 6, columns * 8, channels)
    left = sheet.copy()
    for number, image in enumerate(pixels):
        top, side = 6 * (number // columns), 8 * (number % columns)
        place = np.s_[top : top + 4, side : side + 6]
        np.testing.assert_array_equal(sheet[place], image)
        left[place] = 255
    assert (left == 255).all()


def test_the_file_shows_the_first_training_images(photos, tmp_path):
    path = tmp_path / "folder" / "sheet.PNG"
    count = write_contact_sheet(path, photos, PREPROCESSING, Augmentation(), seed=4)
    assert count == 10  # of 36, the data set has no more
    images, _ = next(
        iter(
            training_batches(
                photos, PREPROCESSING, Augmentation(), batch_size=10, seed=4, epoch=0
            )
        )
    )
    expected = contact_sheet(images, PREPROCESSING)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    assert [file.name for file in path.parent.iterdir()] == ["sheet.PNG"]


def test_names_of_files(photos, tmp_path):
    with pytest.raises(UsageError, match=r"the suffix \.png\. Received: 'sheet\.jpg'"):
        write_contact_sheet("sheet.jpg", photos, PREPROCESSING, Augmentation())
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="can be written"):
        write_contact_sheet(
            tmp_path / "file/x.png", photos, PREPROCESSING, Augmentation()
        )


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
    assert sheet.size == (5 * 34, 4 * 34)

    damaged = folder / "train/a/2.png"
    damaged.write_bytes(b"")
    with pytest.raises(SystemExit, match=f"^error: Expected images.*{damaged}$"):
        cli.main(arguments)
    cli.main([*arguments, "--on_bad_image=skip"])
    assert f"1 skipped: {damaged}" in capsys.readouterr().out

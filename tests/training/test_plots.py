import numpy as np
import pytest
from PIL import Image

from se_keras.errors import UsageError
from se_keras.training.plots import plot_curves

HEADER = "epoch,accuracy,loss,val_accuracy,val_loss,learning_rate\n"
ROWS = [
    "1,0.2,2.0,0.25,1.9,0.1\n",
    "2,0.5,1.2,0.60,1.1,0.05\n",
    "3,0.6,1.0,0.55,1.2,0.0\n",
]


def picture(folder, rows, header=HEADER, title="a on b"):
    """Draws a metrics file; returns the drawn figure and the pixels of the file."""
    folder.mkdir(exist_ok=True)
    (folder / "metrics.csv").write_text(header + "".join(rows))
    figure = plot_curves(folder / "metrics.csv", folder / "curves.png", title)
    return figure, np.asarray(Image.open(folder / "curves.png").convert("RGB"))


def test_curves_are_those_of_the_file(tmp_path):
    figure, pixels = picture(tmp_path, ROWS)
    assert min(pixels.shape[:2]) > 600
    assert figure.get_suptitle() == "a on b"
    _, accuracy, rate = figure.axes
    lines = {
        (axes.get_ylabel(), line.get_label().split(",")[0]): line.get_xydata().tolist()
        for axes in figure.axes
        for line in axes.get_lines()
    }
    assert lines["Loss", "training"] == [[1, 2.0], [2, 1.2], [3, 1.0]]
    assert lines["Loss", "evaluation"] == [[1, 1.9], [2, 1.1], [3, 1.2]]
    assert lines["Top-1 accuracy", "evaluation"] == [[1, 0.25], [2, 0.6], [3, 0.55]]
    (curve,) = rate.get_lines()
    assert curve.get_xydata().tolist() == [[1, 0.1], [2, 0.05], [3, 0]]
    assert rate.get_yscale() == "linear"
    texts = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert texts == ["training", "evaluation, best 60.00% in epoch 2"]


def test_rates_of_several_sizes_have_a_logarithmic_axis(tmp_path):
    rows = [row.rsplit(",", 1)[0] + f",{0.1**i}\n" for i, row in enumerate(ROWS)]
    figure, _ = picture(tmp_path, rows)
    assert figure.axes[-1].get_yscale() == "log"


@pytest.mark.parametrize("rows", [ROWS[:1], [*ROWS[:2], "3,0.6,1.0,0.55,1.2,\n"]])
def test_short_and_older_files(rows, tmp_path):
    _, pixels = picture(tmp_path, rows)
    assert pixels.std() > 0


def test_title_that_would_be_a_formula(tmp_path):
    figure, pixels = picture(tmp_path, ROWS, title="m on folder:/m$_$x")
    _, plain = picture(tmp_path / "plain", ROWS, title="m on folder:/mx_xx")
    assert figure.get_suptitle() == "m on folder:/m$_$x"
    # Drawn as it is: about as much ink as a title of other letters.
    ink, other = ((255.0 - image[:40]).sum() for image in (pixels, plain))
    assert ink == pytest.approx(other, rel=0.2)


@pytest.mark.parametrize("header", ["epoch,loss\n", "loss,accuracy\n"])
def test_file_without_columns(header, tmp_path):
    with pytest.raises(UsageError, match="Expected a table"):
        picture(tmp_path, ["1,2\n"], header)

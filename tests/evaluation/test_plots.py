"""The pictures: what is in them, whatever the names of the classes are."""

import numpy as np
import pytest
from PIL import Image

from se_keras.evaluation import plots

NAMES = ("$x_1$ and $", "line\nbreak", "漢字", r"a\$b{", "x" * 300, "\udcff")


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("names", [NAMES, ("a", "b")])
def test_any_name_is_drawn(names, tmp_path, recwarn):
    count = len(names)
    confusion = np.arange(count**2).reshape(count, count)
    pairs = [{"true": n, "predicted": names[0], "images": 2} for n in names]
    plots.plot_confusion(confusion, names, pairs, tmp_path / "c.png", names[0])
    many = np.eye(40, dtype=int)
    plots.plot_confusion(many, names * 20, pairs, tmp_path / "m.png", names[0])
    mistakes = [{"true": n, "predicted": names[0], "score": 0.5} for n in names]
    images = [np.zeros((8, 8, 3))] * count
    plots.plot_mistakes(mistakes, images, tmp_path / "w.png", names[0])
    sizes = [pixels_of(path).shape for path in sorted(tmp_path.iterdir())]
    assert all(max(size) < 4000 for size in sizes)
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


@pytest.mark.parametrize("classes", [100, 1000, 2500])
def test_a_single_mistake_is_seen(classes, tmp_path):
    """One image of a thousand is red, in the row and column of its classes."""
    confusion = np.eye(classes, dtype=int) * 50
    row, column = classes // 4, 3 * classes // 4
    confusion[row, column] = 1
    names = [str(number) for number in range(classes)]
    plots.plot_confusion(confusion, names, [], tmp_path / "confusion.png")
    red, green, blue = np.moveaxis(pixels_of(tmp_path / "confusion.png"), -1, 0) / 1.0
    ys, xs = np.nonzero((red > blue + 60) & (red > green + 60))
    assert len(xs) >= 25
    assert max(np.ptp(xs), np.ptp(ys)) <= 12
    # The frame of the matrix is the longest black line.
    lines = np.argwhere((red + green + blue == 0).sum(1) > 400)[:, 0]
    top, bottom = lines.min(), lines.max()
    assert (ys.mean() - top) / (bottom - top) == pytest.approx(0.25, abs=0.01)
    assert len({*lines}) == 2


def test_cells_have_their_numbers(tmp_path, monkeypatch):
    drawn = []
    from matplotlib.axes import Axes

    text = Axes.text
    monkeypatch.setattr(
        Axes, "text", lambda self, *a, **k: (drawn.append(a[2]), text(self, *a, **k))[1]
    )
    confusion = np.array([[7, 0], [3, 11]])
    plots.plot_confusion(confusion, ["a", "b"], [], tmp_path / "c.png")
    assert sorted(drawn) == ["11", "3", "7"]


def test_the_settings_of_the_user_do_not_matter(tmp_path):
    import matplotlib

    options = (np.eye(3, dtype=int), ["$", "b", "c"], [])
    plots.plot_confusion(*options, tmp_path / "a.png")
    with matplotlib.rc_context({"text.usetex": True, "figure.facecolor": "black"}):
        plots.plot_confusion(*options, tmp_path / "b.png")
        assert matplotlib.rcParams["text.usetex"]
    np.testing.assert_array_equal(
        pixels_of(tmp_path / "a.png"), pixels_of(tmp_path / "b.png")
    )


def test_images_of_the_mistakes(tmp_path):
    """Each image is in the sheet, pixel for pixel."""
    colors = [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    images = [np.full((150, 150, 3), color, "float32") for color in colors]
    mistakes = [{"true": "a", "predicted": "b", "score": 0.9}] * 3
    plots.plot_mistakes(mistakes, images, tmp_path / "w.png")
    sheet = pixels_of(tmp_path / "w.png")
    for color in colors:
        assert (sheet == color).all(-1).sum() >= 149**2


def test_no_mistakes(tmp_path):
    plots.plot_mistakes([], [], tmp_path / "w.png", "0 mistakes")
    assert pixels_of(tmp_path / "w.png").min() < 100

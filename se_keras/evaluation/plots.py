"""Pictures of an evaluation: the confusion matrix, calibration and mistakes."""

import contextlib
import math
import pathlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from se_keras.errors import UsageError
from se_keras.evaluation.text import shortened, split_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
# With more classes the matrix has no names and no numbers, but a list to its right.
NAMED_CLASSES = 30
NUMBERED_CLASSES = 20
MATRIX_PIXELS = 1000
LARGEST_MATRIX = 1000  # classes; larger matrices are shown in blocks
NAMED_CELL = (40, 160)  # pixels: the smallest and the largest cell with a number
VISIBLE = 5  # pixels; smaller cells are drawn larger than they are
LIST_WIDTH = 28  # characters of a name in the list
# A font for what the default one does not have; the first that is installed.
FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
)
KEY = "blue: correct, red: mistakes; darker: more of the images of the true class"
CORRECT, WRONG = "Blues", "Reds"
# Pixels of an image on the contact sheet, in characters of its caption, and between.
TILE = 150
CAPTION = 24
GAP = 12
LINE = 14
TITLE: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 10}


def require_matplotlib() -> None:
    """Raises a `UsageError` if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Expected the package matplotlib: pip install 'se-keras[train]'. "
            f"Received: {error}"
        ) from error


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """The settings of all pictures, whatever those of the user are."""
    import matplotlib.style
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(name for name in FALLBACK_FONTS if name in installed)]
    settings = {
        "font.family": fonts,
        # A class name may contain $.
        "text.parse_math": False,
        "axes.unicode_minus": False,
    }
    with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _figure(width, height) -> "Figure":
    """Returns a figure of a size in pixels that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def _axes(figure, left, top, width, height):
    """Adds axes at a place in pixels from the left upper corner."""
    whole_width, whole_height = figure.get_size_inches() * DPI
    return figure.add_axes(
        (
            left / whole_width,
            1 - (top + height) / whole_height,
            width / whole_width,
            height / whole_height,
        )
    )


def plot_confusion(
    confusion: np.ndarray,
    class_names: Sequence[str],
    most_confused: Sequence[Mapping[str, Any]],
    path: str | pathlib.Path,
    title: str = "",
) -> None:
    """Plots a confusion matrix: correct images blue, mistakes red.

    Up to 30 classes are named, and up to 20 have their numbers in the cells. More are
    shown as an image, with the most confused classes listed to its right.

    Args:
        confusion: Integers `(classes, classes)`: rows are the true classes.
        class_names: Names in the order of the rows.
        most_confused: The pairs to list, as `Tally.figures` returns them.
        path: The PNG file to write.
        title: Title of the plot.
    """
    is_named = len(confusion) <= NAMED_CLASSES
    blocks = min(len(confusion), math.ceil(len(confusion) / _block(confusion)))
    least, most = NAMED_CELL if is_named else (2, MATRIX_PIXELS)
    cell = max(least, min(most, (400 if is_named else MATRIX_PIXELS) // blocks))
    size = blocks * cell
    longest = max(map(len, class_names)) if is_named else 0
    margin = 60 + (7 * min(longest, 24) if is_named else 30)
    side = 40 if is_named else 640
    with _style():
        # Wide enough for the title of a small matrix.
        width = max(margin + size + side, 560)
        figure = _figure(width, 60 + size + margin)
        left = max(margin, (width - size) // 2) if is_named else margin
        axes = _axes(figure, left, 60, size, size)
        axes.imshow(_matrix_colors(confusion, cell), interpolation="nearest")
        figure.text(0.5, 1 - 12 / (60 + size + margin), f"{title}\n{KEY}", **TITLE)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        if is_named:
            _name_cells(axes, confusion, class_names)
        else:
            axes.set_xlabel("predicted class, by number")
            axes.set_ylabel("true class, by number")
            _rescale_ticks(axes, _block(confusion))
            _list_pairs(figure, margin + size + 30, most_confused)
        figure.savefig(path, dpi=DPI, format="png")


def _block(confusion):
    """Returns how many classes a cell of the picture stands for, in each direction."""
    return math.ceil(len(confusion) / LARGEST_MATRIX)


def _matrix_colors(confusion, cell) -> np.ndarray:
    """Returns the color of each cell, RGB in 0..1.

    It depends on the fraction of the images of the true class. Even the smallest
    fraction is well visible: a single image of a thousand classes, too.
    """
    from matplotlib import colormaps

    support = np.maximum(confusion.sum(1, keepdims=True), 1)
    shades = np.where(confusion > 0, 0.3 + 0.7 * np.sqrt(confusion / support), 0)
    diagonal = np.eye(len(confusion), dtype=bool)
    radius = 0 if cell >= VISIBLE else 1
    correct, wrong = (
        _enlarged(
            _largest_of_blocks(np.where(chosen, shades, 0), _block(shades)), radius
        )
        for chosen in (diagonal, ~diagonal)
    )
    colors = np.ones((*wrong.shape, 3))
    for values, name in ((correct, CORRECT), (wrong, WRONG)):
        colors[values > 0] = colormaps[name](values[values > 0])[..., :3]
    return colors


def _largest_of_blocks(values, factor):
    blocks = math.ceil(len(values) / factor)
    padded = np.zeros((blocks * factor,) * 2)
    padded[: len(values), : len(values)] = values
    return padded.reshape(blocks, factor, blocks, factor).max((1, 3))


def _enlarged(values, radius):
    """Returns the largest value around each cell."""
    padded = np.pad(values, radius)
    shape = (2 * radius + 1,) * 2
    return np.lib.stride_tricks.sliding_window_view(padded, shape).max((2, 3))


def _name_cells(axes, confusion, class_names):
    names = [shortened(name, 24) for name in class_names]
    places = np.arange(len(names))
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    axes.tick_params(length=0, labelsize=9)
    if len(names) > NUMBERED_CLASSES:
        return
    fractions = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    for row, column in np.argwhere(confusion):
        axes.text(
            column,
            row,
            f"{confusion[row, column]}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if fractions[row, column] > 0.3 else "black",
        )


def _rescale_ticks(axes, factor):
    """Makes ticks that count classes where a cell is a block of them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(10, integer=True))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * factor:.0f}"))


def _list_pairs(figure, left, pairs):
    """Writes the most confused classes next to the matrix, in three columns."""
    width, height = figure.get_size_inches() * DPI
    rows = [
        (
            str(pair["images"]),
            shortened(pair["true"], LIST_WIDTH),
            shortened(pair["predicted"], LIST_WIDTH),
        )
        for pair in pairs
    ]
    columns = zip(("images", "true class", "taken for"), *rows, strict=True)
    for place, texts in zip((40, 60, 330), columns, strict=True):
        figure.text(
            (left + place) / width,
            1 - 60 / height,
            "\n".join(texts),
            ha="right" if place == 40 else "left",
            va="top",
            fontsize=9,
            linespacing=1.6,
        )


def plot_calibration(
    calibration: Mapping[str, Any], path: str | pathlib.Path, title: str = ""
) -> None:
    """Plots accuracy against confidence, and how many images have which confidence.

    Args:
        calibration: What `metrics.calibration` returned.
        path: The PNG file to write.
        title: Title of the plot.
    """
    bins = calibration["bins"]
    lows = np.array([each["low"] for each in bins])
    widths = np.array([each["high"] for each in bins]) - lows
    images = np.array([each["images"] for each in bins])
    with _style():
        figure = _figure(640, 760)
        figure.set_layout_engine("constrained")
        upper, lower = figure.subplots(
            2, sharex=True, gridspec_kw={"height_ratios": (3, 1)}
        )
        figure.suptitle(title, fontsize=11)
        upper.plot((0, 1), (0, 1), color="#555555", linestyle=":", label="calibrated")
        upper.bar(
            lows,
            [each["accuracy"] or 0 for each in bins],
            widths,
            align="edge",
            color="#1f77b4",
            edgecolor="white",
            label="accuracy of the images in a bin",
        )
        filled = [each for each in bins if each["images"]]
        upper.plot(
            [each["confidence"] for each in filled],
            [each["accuracy"] for each in filled],
            color="#d62728",
            marker="o",
            markersize=4,
            linestyle="none",
            label="mean confidence of a bin, its accuracy",
        )
        upper.set_ylabel("accuracy")
        upper.set_ylim(0, 1.02)
        upper.set_xlim(0, 1)
        upper.set_title(
            f"Expected calibration error {calibration['ece']:.2%}", fontsize=10
        )
        lower.bar(
            lows, images / images.sum(), widths, align="edge", color="#999999", ec="w"
        )
        lower.set_ylabel("fraction of images")
        lower.set_xlabel("confidence: the largest probability")
        for axes in (upper, lower):
            axes.set_axisbelow(True)
            axes.grid(alpha=0.3)
        figure.legend(loc="outside lower center", fontsize=9)
        figure.savefig(path, dpi=DPI, format="png")


def plot_mistakes(
    mistakes: Sequence[Mapping[str, Any]],
    pixels: Sequence[np.ndarray],
    path: str | pathlib.Path,
    title: str = "",
) -> None:
    """Plots images with their true and their predicted class, and its score.

    Args:
        mistakes: For each image `true`, `predicted` and `score`.
        pixels: The images, `(height, width, channels)` in 0..255, as the network gets
            them, all of one shape.
        path: The PNG file to write.
        title: Title of the plot.
    """

    def caption(mistake, letters):
        score = f" {mistake['score']:.0%}"
        return (
            ("#1a7a1a", shortened(mistake["true"], letters)),
            ("#b01717", shortened(mistake["predicted"], letters - 5) + score),
        )

    def captions(letters):
        return [caption(mistake, letters) for mistake in mistakes]

    _plot_sheet(pixels, captions, path, title)


def plot_images(
    pixels: Sequence[np.ndarray],
    names: Sequence[Sequence[str]],
    path: str | pathlib.Path,
    title: str = "",
) -> None:
    """Plots images with lines below them.

    Args:
        pixels: The images, `(height, width, channels)` in 0..255, all of one shape.
        names: For each image one or two lines. The only line of an image continues in
            the second one where it is long.
        path: The PNG file to write.
        title: Title of the plot.
    """

    def caption(lines, letters):
        if len(lines) == 1:
            lines = split_line(lines[0], letters)
        return [("black", shortened(line, letters)) for line in lines]

    def captions(letters):
        return [caption(lines, letters) for lines in names]

    _plot_sheet(pixels, captions, path, title)


def _plot_sheet(pixels, captions, path, title):
    """Plots images in a square, with two lines below each.

    Args:
        pixels: The images.
        captions: Callable of the number of letters that fit below an image. Returns for
            each image the color and the text of each line.
        path: The PNG file to write.
        title: Title of the plot.
    """
    columns = max(1, math.ceil(math.sqrt(len(pixels))))
    rows = max(1, math.ceil(len(pixels) / columns))
    height, width = pixels[0].shape[:2] if len(pixels) else (1, 1)
    # Small images are enlarged by a whole factor, large ones are shown as they are.
    factor = max(1, math.ceil(TILE / width))
    height, width = height * factor, width * factor
    step_y, step_x = height + 2 * LINE + GAP + 8, width + GAP
    top = 52
    with _style():
        whole = max(GAP + columns * step_x, 480), top + rows * step_y + GAP
        figure = _figure(*whole)
        axes = _axes(figure, 0, 0, *whole)
        axes.set_axis_off()
        axes.set_xlim(0, whole[0])
        axes.set_ylim(whole[1], 0)
        axes.text(whole[0] / 2, 10, title, **TITLE)
        letters = CAPTION * width // TILE
        for index, (lines, image) in enumerate(
            zip(captions(letters), pixels, strict=True)
        ):
            x, y = GAP + index % columns * step_x, top + index // columns * step_y
            # A frame around it: a white image is visible, too.
            axes.plot(
                [x - 1, x + width + 1, x + width + 1, x - 1, x - 1],
                [y - 1, y - 1, y + height + 1, y + height + 1, y - 1],
                color="#bbbbbb",
                linewidth=0.5,
                zorder=0,
            )
            axes.imshow(
                _displayed(image, factor),
                extent=(x, x + width, y + height, y),
                interpolation="nearest",
                aspect="auto",
            )
            for number, (color, text) in enumerate(lines):
                place = y + height + 4 + number * LINE
                axes.text(x, place, text, color=color, fontsize=8, va="top")
        axes.set_xlim(0, whole[0])
        axes.set_ylim(whole[1], 0)
        figure.savefig(path, dpi=DPI, format="png")


def _displayed(image, factor):
    pixels = np.clip(np.round(image), 0, 255).astype("uint8")
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, -1)
    return pixels.repeat(factor, 0).repeat(factor, 1)

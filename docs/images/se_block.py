"""Draws the SE block: `python docs/images/se_block.py` writes se_block.svg."""

import pathlib
import sys

from matplotlib import pyplot as plt
from matplotlib.patches import Circle, Rectangle

plt.switch_backend("Agg")
plt.rcParams["svg.hashsalt"] = "se_block"  # the same file in each run
plt.rcParams["svg.fonttype"] = "none"
plt.rcParams["font.size"] = 10

COLORS = [f"C{i}" for i in (0, 1, 3, 2, 4, 9, 6, 8)]
GATES = [0.95, 0.20, 0.70, 0.35, 0.99, 0.25, 0.85, 0.50]
INK = "#333333"


def rectangle(axes, x, y, width, height, color, alpha=1.0):
    """Draws a rectangle whose color fades to white."""
    box = {"width": width, "height": height, "linewidth": 0.9}
    axes.add_patch(Rectangle((x, y), facecolor="white", edgecolor=INK, **box))
    axes.add_patch(
        Rectangle((x, y), facecolor=color, alpha=alpha, edgecolor="none", **box)
    )
    axes.add_patch(Rectangle((x, y), facecolor="none", edgecolor=INK, **box))


def feature_map(axes, x, y, size, gates):
    """Draws one channel behind the other, the first in front."""
    for i in reversed(range(len(COLORS))):
        rectangle(axes, x + 7 * i, y + 7 * i, size, size, COLORS[i], gates[i])


def vector(axes, x, y, colors, gates, step=17):
    """Draws one number for each channel, the first at the top."""
    for i, (color, gate) in enumerate(zip(colors, gates, strict=True)):
        rectangle(axes, x, y - step * (i + 1), 24, step, color, gate)


def arrow(axes, *points):
    """Draws a line along points, with a head at the last one."""
    axes.plot(*zip(*points[:-1], strict=True), color=INK, linewidth=1.4)
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.4, "shrinkB": 0}
    axes.annotate("", points[-1], points[-2], arrowprops={**style, "shrinkA": 0})


def draw(path):
    """Draws the block and writes it to a file."""
    figure, axes = plt.subplots(figsize=(10, 3.1))
    axes.set(xlim=(20, 1000), ylim=(-45, 260), aspect="equal")
    axes.axis("off")
    ones = [1.0] * len(COLORS)

    feature_map(axes, 40, 0, 85, ones)
    axes.text(108, -14, "feature map", ha="center", va="top", weight="bold")
    axes.text(108, -36, "height \u00d7 width \u00d7 C", ha="center", va="top")
    arrow(axes, (185, 50), (803, 50))
    axes.add_patch(Circle((818, 50), 15, facecolor="white", edgecolor=INK))
    axes.text(818, 49, "\u00d7", ha="center", va="center", size=15)
    axes.text(818, 18, "scale", ha="center", va="top", weight="bold")
    arrow(axes, (834, 50), (868, 50))
    feature_map(axes, 875, 10, 60, GATES)
    axes.text(933, -4, "output", ha="center", va="top", weight="bold")

    arrow(axes, (205, 50), (205, 170), (300, 170))
    axes.text(252, 176, "squeeze", ha="center", va="bottom", weight="bold")
    axes.text(252, 163, "mean over\nheight and\nwidth", ha="center", va="top", size=9)
    vector(axes, 305, 238, COLORS, ones)
    axes.text(317, 98, "C", ha="center", va="top")
    arrow(axes, (334, 170), (415, 170))
    axes.text(374, 176, "dense", ha="center", va="bottom")
    axes.text(374, 163, "ReLU", ha="center", va="top")
    vector(axes, 420, 187, ["#b8c4e0"] * 2, [1, 1])
    axes.text(432, 134, "C / ratio", ha="center", va="top")
    axes.text(432, 222, "excitation", ha="center", va="bottom", weight="bold")
    arrow(axes, (449, 170), (530, 170))
    axes.text(489, 176, "dense", ha="center", va="bottom")
    axes.text(489, 163, "sigmoid", ha="center", va="top")
    vector(axes, 535, 238, COLORS, GATES)
    for i, gate in enumerate(GATES):
        y = 238 - 17 * i - 9
        axes.text(565, y, f"{gate:.2f}", va="center", size=8.5)
    axes.text(547, 98, "C", ha="center", va="top")
    arrow(axes, (600, 170), (818, 170), (818, 66))
    axes.text(712, 176, "one gate per channel", ha="center", va="bottom")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None}, dpi=110)


if __name__ == "__main__":
    default = pathlib.Path(__file__).with_suffix(".svg")
    draw(sys.argv[1] if len(sys.argv) > 1 else default)

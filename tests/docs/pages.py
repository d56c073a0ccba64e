"""The pages of the documentation, and the blocks of code in them."""

import dataclasses
import itertools
import pathlib
import re
import textwrap

from tests.helpers import ROOT

DOCS = ROOT / "docs"
LANGUAGES = {"python": "python", "bash": "shell", "shell": "shell", "sh": "shell"}
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\s*$")
MARKER = re.compile(r"^ *<!-- test: (?P<name>\w+)(?P<value>.*?) *-->$")
MARKERS = ("fixture", "needs", "replace", "skip", "slow")
# The commands of these pages take hours on a quiet machine; the tests of the pages are
# in tests/benchmarks.
NOT_RUN = (DOCS / "results",)


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: Path of its page.
        line: Number of the line of its first line of code, from 1.
        language: `"python"`, `"shell"`, or `""` for one that is not run.
        code: Its code.
        markers: What the comments before it say: pairs of a name and a value.
    """

    page: pathlib.Path
    line: int
    language: str
    code: str
    markers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Returns the values of the markers of a name."""
        return [value for marker, value in self.markers if marker == name]

    @property
    def is_skipped(self) -> bool:
        """Whether it is not run at all."""
        return not self.language or bool(self.values("skip"))

    @property
    def is_slow(self) -> bool:
        """Whether the slow tests run it, and the Python blocks after it."""
        return bool(self.values("slow"))

    @property
    def replaced_code(self) -> str:
        """Its code with the replacements that its markers ask for."""
        code = self.code
        for value in self.values("replace"):
            old, new = value.split(" => ")
            if old not in code:
                raise ValueError(f"{self.place}: no {old!r} to replace")
            code = code.replace(old, new)
        return code

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: pathlib.Path) -> str:
    """Returns the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def all_pages() -> list[pathlib.Path]:
    """Returns the paths of README, CONTRIBUTING and all pages of the site."""
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "BUILD_NOTES.md")),
        *sorted(DOCS.rglob("*.md")),
    ]


def blocks_of(page: pathlib.Path) -> list[Block]:
    """Returns the blocks of code of a page.

    Raises:
        ValueError: On a marker that is not known, or that no block follows.
    """
    blocks, markers, lines, fence = [], [], [], None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if fence:
            if line.strip() == "```":
                code = textwrap.dedent("\n".join(lines)) + "\n"
                language = LANGUAGES.get(fence["language"], "")
                blocks.append(
                    Block(page, number - len(lines), language, code, tuple(markers))
                )
                fence, markers = None, []
            else:
                lines.append(line)
        elif match := FENCE.match(line):
            fence, lines = match, []
        elif match := MARKER.match(line):
            if match["name"] not in MARKERS:
                raise ValueError(
                    f"{name_of(page)}:{number}: no marker {match['name']!r}"
                )
            markers.append((match["name"], match["value"].strip()))
        elif line.strip() and markers:
            raise ValueError(f"{name_of(page)}:{number}: expected a block of code")
    return blocks


def fast_blocks(page: pathlib.Path) -> list[Block]:
    """Returns the Python blocks of a page before the first that is slow."""
    blocks = itertools.takewhile(lambda block: not block.is_slow, blocks_of(page))
    return [b for b in blocks if b.language == "python" and not b.is_skipped]


def run_blocks(page: pathlib.Path) -> list[Block]:
    """Returns all blocks of a page that are run; a shell needs seconds to start."""
    return [block for block in blocks_of(page) if not block.is_skipped]


def is_run(page: pathlib.Path) -> bool:
    """Whether the blocks of a page are run by the tests."""
    return not any(page.is_relative_to(directory) for directory in NOT_RUN)

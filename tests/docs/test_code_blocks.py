"""The Python and shell blocks of the documentation run."""

import re
import shlex
import subprocess

import pytest

from tests.docs import fixtures
from tests.docs.pages import (
    all_pages,
    blocks_of,
    fast_blocks,
    is_run,
    name_of,
    run_blocks,
)
from tests.helpers import require

PAGES = [page for page in all_pages() if is_run(page)]
FAST = [page for page in PAGES if fast_blocks(page)]
SLOW = [page for page in PAGES if len(run_blocks(page)) > len(fast_blocks(page))]
# Installing is not what a block is tested for.
PRELUDE = """
set -euo pipefail
pip() { echo "not run: pip $*"; }
"""
CHILD_SECONDS = 900


@pytest.fixture
def run(directory, provide_weights):
    """A function that runs blocks of a page in a temporary directory."""

    def run(blocks):
        namespace = {"__name__": "page"}
        for block in blocks:
            for packages in block.values("needs"):
                for package in packages.split():
                    require(package)
            for name in block.values("fixture"):
                getattr(fixtures, name)(directory)
            provide_weights(block.code)
            RUNNERS[block.language](block, namespace)

    return run


def _run_python(block, namespace):
    # Empty lines before the code, so that a traceback has the line in the page.
    code = "\n" * (block.line - 1) + block.replaced_code
    exec(compile(code, str(block.page), "exec"), namespace)


def _run_shell(block, namespace):
    done = subprocess.run(
        ["bash", "-c", PRELUDE + block.replaced_code],
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
    )
    assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"


RUNNERS = {"python": _run_python, "shell": _run_shell}


@pytest.mark.parametrize("page", FAST, ids=name_of)
def test_python_blocks(page, run):
    run(fast_blocks(page))


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=name_of)
def test_all_blocks(page, run):
    run(run_blocks(page))


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_markers(page):
    for block in blocks_of(page):
        assert block.replaced_code
        assert all(value.strip("()") for value in block.values("skip")), block.place
        for name in block.values("fixture"):
            assert hasattr(fixtures, name), block.place


def _commands(text):
    """Yields the command lines of a block of shell, as lists of words."""
    for line in text.replace("\\\n", " ").splitlines():
        if re.search(r"se-keras|train_imagenet\.py", line):
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                yield words[:end]
                words = words[end + 1 :]


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_flags_exist(page):
    """Those of blocks that are not run, too."""
    from se_keras import training
    from se_keras.cli import COMMANDS

    fields = set(training.fields_of(training.Recipe))
    for block in blocks_of(page):
        if block.language != "shell":
            continue
        for words in _commands(block.code):
            flags = {w[2:].split("=")[0] for w in words if w.startswith("--")}
            if words[0] == "se-keras":
                known = {name.strip("-") for name in COMMANDS[words[1]].arguments()}
            elif any(word.endswith("train_imagenet.py") for word in words):
                known = fields | {"recipe", "config"}
            else:
                continue
            unknown = {
                flag
                for flag in flags - {"import", "help"}
                if not {flag, flag.removeprefix("no"), flag.removeprefix("no-")} & known
            }
            assert not unknown, f"{block.place}: {unknown}"

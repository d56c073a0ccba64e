"""The pages of results have the figures of the data in benchmarks/results."""

import csv
import json
import re
import subprocess
import sys

import pytest

from tests.helpers import ROOT

DATA = ROOT / "benchmarks" / "results"
PAGES = sorted((ROOT / "docs" / "results").glob("*.md"))
CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)", re.DOTALL)
# A decimal that is a figure: no part of a version, a name or a date.
DECIMAL = re.compile(r"(?<![\w.-])\d+\.\d+(?![\w.]*\.\d)(?=%| |,|\)|;|\n|:)")
BLOCK = re.compile(r"<!-- data: (\w+) -->.*?<!-- end -->", re.DOTALL)
# Figures of the text that are settings and no results.
SETTINGS = {"0.1"}


def test_tables_are_those_of_the_data():
    command = [sys.executable, "benchmarks/tables.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_block_is_used_and_closed():
    found = {name for page in PAGES for name in BLOCK.findall(page.read_text())}
    assert found == set(blocks_of_tables())
    for page in PAGES:
        text = page.read_text()
        assert text.count("<!-- data:") == text.count("<!-- end -->"), page


def blocks_of_tables():
    source = (ROOT / "benchmarks" / "tables.py").read_text()
    return re.findall(r"^@(?:block|paragraph)\ndef (\w+)", source, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_figures_in_the_text_are_in_the_data(page):
    text = CODE.sub("", BLOCK.sub("", page.read_text()))
    figures = set(DECIMAL.findall(text)) - SETTINGS
    known = {cell for path in DATA.glob("*.csv") for cell in cells(path)}
    assert figures <= known


def cells(path):
    """Yields the cells of a file, and fractions as percentages too."""
    with path.open(newline="") as file:
        for row in csv.reader(file):
            for cell in row:
                for part in cell.split(" to "):
                    yield part
                    if re.fullmatch(r"0\.\d+", part):
                        yield f"{float(part) * 100:.1f}"


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda p: p.stem)
def test_every_run_is_described(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    runs = json.loads(path.with_suffix(".json").read_text())
    assert {row["run"] for row in rows} == set(runs)
    for run in runs.values():
        assert "source" in run or {"date", "machine", "versions", "command"} <= set(run)
    assert f"`{path.name}`" in (DATA / "README.md").read_text()

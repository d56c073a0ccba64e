"""Writes the notebook of a page: `python docs/notebook.py`.

Text becomes Markdown cells and Python blocks become code cells, without outputs.
"""

import json
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs/get-started/layer.md"
NOTEBOOK = ROOT / "examples/squeeze_excite_in_your_model.ipynb"
BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^):#]+)([^)]*\))")


def notebook(text: str) -> dict:
    """Returns the notebook of the text of a page."""
    parts = BLOCK.split(text)
    cells = [
        _cell("code" if i % 2 else "markdown", part.strip(), f"cell-{i}")
        for i, part in enumerate(parts)
        if part.strip()
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(kind, text, name):
    if kind == "markdown":
        text = LINK.sub(lambda m: m[1] + _from_examples(m[2]) + m[3], text)
    cell = {"cell_type": kind, "id": name, "metadata": {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": text.splitlines(keepends=True)}


def _from_examples(link):
    return os.path.relpath(PAGE.parent / link, NOTEBOOK.parent)


def content() -> str:
    """Returns the notebook as it is written."""
    return json.dumps(notebook(PAGE.read_text()), indent=1) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(content())

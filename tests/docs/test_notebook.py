"""The notebook in examples/ is that of its page, and runs from top to bottom."""

import importlib.util

import pytest

from tests.helpers import ROOT, require

spec = importlib.util.spec_from_file_location("notebook", ROOT / "docs/notebook.py")
notebook = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebook)


def test_notebook_is_that_of_the_page():
    assert notebook.NOTEBOOK.read_text() == notebook.content(), (
        "run `python docs/notebook.py`"
    )


@pytest.mark.slow
def test_notebook_runs(tmp_path):
    nbclient, nbformat = require("nbclient"), require("nbformat")
    require("ipykernel")
    cells = nbformat.read(notebook.NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(cells, timeout=300, resources=resources).execute()
    assert any(cell.get("outputs") for cell in cells.cells)

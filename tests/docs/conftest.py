"""The directory in which code of the documentation runs."""

import os
import pathlib
import re
import sys

import pytest

from tests.docs import fixtures
from tests.helpers import ROOT, own_networks

HUB_NAME = re.compile(r"timm/[a-z]\w*\.\w+")


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    """The caches of this package and of the hub, for all pages."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def directory(tmp_path, caches, monkeypatch):
    """A temporary directory, with caches of its own and no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(caches / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    scripts = pathlib.Path(sys.executable).parent
    for name, value in {
        "HF_HUB_CACHE": caches / "hub",
        "HF_HUB_OFFLINE": 1,
        "MPLBACKEND": "Agg",
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": ROOT,
        "TF_CPP_MIN_LOG_LEVEL": 3,
        "XDG_CACHE_HOME": caches,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    for name in ("benchmarks", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    # A network that a page registers is gone after it.
    with own_networks():
        yield tmp_path


@pytest.fixture
def provide_weights(caches):
    """A function that provides the weights of the hub that are named in a text."""

    def provide(text):
        for source in HUB_NAME.findall(text):
            fixtures.hub_cache(caches / "hub", source)

    return provide

import importlib.util
import os
import subprocess
import sys

import pytest
from absl import flags

from tests.helpers import ROOT


@pytest.fixture
def example(monkeypatch):
    """Runs an example in this process; returns nothing, or raises `SystemExit`."""
    before = set(flags.FLAGS)

    def run(name, *arguments):
        _forget(before)
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        spec = importlib.util.spec_from_file_location(
            name, ROOT / f"examples/{name}.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        given = [*map(str, arguments)]
        if set(flags.FLAGS) - before:  # its flags are absl's
            given = flags.FLAGS([name, *given])
        module.main(given)

    yield run
    _forget(before)


def _forget(known):
    for name in set(flags.FLAGS) - known:
        delattr(flags.FLAGS, name)


@pytest.fixture(scope="session")
def command(tmp_path_factory):
    """Runs an example as a user does, in a folder that is not the checkout."""
    folder = tmp_path_factory.mktemp("command")
    variables = {"KERAS_BACKEND": "tensorflow", "XDG_CACHE_HOME": str(folder / "cache")}

    def run(name, *arguments):
        return subprocess.run(
            [sys.executable, ROOT / f"examples/{name}.py", *map(str, arguments)],
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            text=True,
        )

    run.folder = folder
    return run

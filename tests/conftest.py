"""What all tests share: the state of Keras that they start from."""

import contextlib
import io
import os
import time
import types

# TensorFlow 2.21 shows its LLVM to all libraries that are loaded after it, and Triton,
# which PyTorch imports, crashes on that: tensorflow/tensorflow#124205.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import keras
import pytest


def pytest_report_header():
    return f"keras: {keras.__version__} on {keras.backend.backend()}"


NO_TIME = "no time is left (SE_KERAS_UNTIL)"


def pytest_runtest_setup(item):
    """Leaves out tests that would begin after a time, in seconds since 1970."""
    if time.time() > float(os.environ.get("SE_KERAS_UNTIL", "inf")):
        pytest.skip(NO_TIME)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    late = [report.nodeid for report in skipped if NO_TIME in str(report.longrepr)]
    if late:
        terminalreporter.write_line(f"{len(late)} left out, {NO_TIME}: {late[0]} ...")


@pytest.fixture(autouse=True)
def keras_defaults():
    """Every test starts from one seed and from the defaults that Keras documents."""
    keras.utils.set_random_seed(0)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory):
    """A folder of TFDS with the digits in it, apart from the user's cache."""
    from se_keras.data import embedded

    path = tmp_path_factory.mktemp("tfds")
    embedded.prepare(path)
    return path


@pytest.fixture(scope="session")
def digits(digits_dir):
    """The digits, as `open_source` opens them."""
    from se_keras.data import open_source

    return open_source("digits", str(digits_dir))


@pytest.fixture(scope="session")
def digits_run(digits_dir, tmp_path_factory):
    """A finished run on the digits: recipe, workdir, report and what it printed."""
    from se_keras import training
    from tests.training.networks import SMALL, small_network

    workdir = tmp_path_factory.mktemp("run") / "digits"
    recipe = training.make_recipe(
        data_dir=str(digits_dir),
        model=SMALL,
        epochs=5,
        image_size=12,
        workdir=str(workdir),
    )
    output = io.StringIO()
    with small_network(), contextlib.redirect_stdout(output):
        report = training.train(recipe)
    return types.SimpleNamespace(
        recipe=recipe, workdir=workdir, report=report, output=output.getvalue()
    )

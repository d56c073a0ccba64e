"""The examples in the docstrings of public names run."""

import doctest
import importlib
import inspect
import re
import textwrap

import pytest

from tests.docs import fixtures
from tests.helpers import require

PACKAGES = ("layers", "models", "data", "graph", "weights", "analysis", "training")
EXPORT = ("export",)
FAST = ("layers", "models")
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SKIPPED = {
    "data.naming_bad_images": "a sketch",
    "training.Task": "a sketch",
    "training.Trainer": "a sketch",
}
NEEDS = {
    "export.export_files": ("tf2onnx", "onnxruntime"),
    "export.onnx": ("tf2onnx", "onnxruntime"),
    "export.openvino": ("tf2onnx", "onnxruntime", "openvino"),
}
REPLACED = {
    'weights="imagenet"': "weights=None",
    "cat.jpg": "seven.png",
    "epochs=2, workdir": "epochs=1, workdir",
}


def _objects(package):
    """Yields the public functions and classes of a package that have an example."""
    module = importlib.import_module(f"se_keras.{package}")
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        text = inspect.getdoc(value) or ""
        if f"{package}.{name}" not in SKIPPED and (">>>" in text or BLOCK.search(text)):
            mark = [] if package in FAST else [pytest.mark.slow]
            yield pytest.param(package, name, text, id=f"{package}.{name}", marks=mark)


EXAMPLES = [p for package in (*PACKAGES, *EXPORT) for p in _objects(package)]


def _namespace(package):
    """Returns what examples use without importing it."""
    import keras
    import numpy as np
    import tensorflow as tf

    import se_keras

    namespace = {"keras": keras, "np": np, "tf": tf, "se_keras": se_keras}
    for name in (*PACKAGES, *EXPORT):
        namespace[name] = importlib.import_module(f"se_keras.{name}")
    modules = (se_keras.layers, se_keras.models, se_keras.graph, namespace[package])
    for module in modules:
        namespace |= {name: getattr(module, name) for name in module.__all__}
    return namespace


def _given(package):
    """Returns the model and the images that an example starts from."""
    import keras
    import numpy as np

    from se_keras.data import open_source

    if package == "graph":
        return {"model": keras.applications.MobileNet(weights=None)}
    model = keras.models.load_model("runs/digits-se_resnet20/model.keras")
    rng = np.random.default_rng(0)
    return {
        "model": model,
        "pixels": rng.integers(0, 256, (20, 24, 24, 1)).astype("float32"),
        "preprocessing": model.preprocessing,
        "source": open_source("digits"),
    }


@pytest.mark.parametrize(("package", "name", "text"), EXAMPLES)
def test_example(package, name, text, directory, provide_weights):
    namespace = _namespace(package)
    for module in NEEDS.get(f"{package}.{name}", ()):
        namespace[module] = require(module)
    if package not in FAST:
        fixtures.images_folder(directory)
        fixtures.digits_model(directory)
        fixtures.png_file(directory)
        namespace |= _given(package)
        (directory / "runs/digits-se_resnet20/metrics.csv").write_text(METRICS)
    if name == "load_classifier":
        path = "runs/digits-se_resnet20/model.tflite"
        namespace["export"].tflite(namespace["model"], path, include_preprocessing=True)
    provide_weights(text)
    for old, new in REPLACED.items():
        text = text.replace(old, new)
    for block in BLOCK.findall(text):
        exec(compile(textwrap.dedent(block), f"{package}.{name}", "exec"), namespace)
    _run_doctest(name, text, namespace)


METRICS = (
    "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,images_per_second\n"
    "1,2.0,0.3,1.9,0.4,0.1,100\n2,1.0,0.6,0.9,0.7,0.01,100\n"
)


class _Checker(doctest.OutputChecker):
    """Takes TensorFlow's shapes for those of the other backends."""

    def check_output(self, want, got, optionflags):
        got = re.sub(r"TensorShape\(\[(.*)\]\)", r"(\1)", got)
        return super().check_output(want, got, optionflags)


def _run_doctest(name, text, namespace):
    examples = doctest.DocTestParser().get_doctest(
        BLOCK.sub("", text), namespace, name, None, 0
    )
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(_Checker(), optionflags=flags)
    report = []
    runner.run(examples, out=report.append, clear_globs=False)
    assert not runner.failures, "".join(report)

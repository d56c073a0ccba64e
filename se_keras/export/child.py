"""Writing an export in a child process that has the TensorFlow backend of Keras.

The converters to ONNX and OpenVINO read TensorFlow's graphs. A model of another
backend is saved, opened again on TensorFlow, and written by the same code, so that the
files are the same whatever the backend.
"""

import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import keras

from se_keras.errors import UsageError, keras_reason
from se_keras.export.metadata import Metadata

COMMAND = "from se_keras.export import child; child.main()"
FAILED = 3  # exit code of a child process whose last line is a usage error
# Modules that cannot be imported by their name in a child process.
_NOT_IMPORTED = ("__main__", "builtins")


def write(
    name: str,
    network: keras.Model,
    path: pathlib.Path,
    metadata: Metadata,
    options: Mapping[str, Any],
) -> None:
    """Writes a network in a child process.

    Args:
        name: Name of the format.
        network: A model that Keras can save, in its inference form.
        path: The file or directory.
        metadata: What will be stored with it.
        options: Options of the format, plain data.

    Raises:
        UsageError: As the writer, or if the TensorFlow backend cannot load the model.
    """
    with tempfile.TemporaryDirectory() as directory:
        source = pathlib.Path(directory) / "network.keras"
        network.save(source)
        job = {
            "name": name,
            "network": str(source),
            "path": str(path.resolve()),
            "metadata": metadata.to_json(),
            "options": dict(options),
            "modules": _modules_of_layers(network),
        }
        run = subprocess.run(
            [sys.executable, "-P", "-c", COMMAND],
            input=json.dumps(job),
            env={
                **os.environ,
                "KERAS_BACKEND": "tensorflow",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                # The child finds the modules that this process found.
                "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
            },
            capture_output=True,
            text=True,
        )
    last = (run.stderr.splitlines() or [""])[-1]
    if run.returncode == FAILED:
        raise UsageError(last)
    if run.returncode:
        raise UsageError(
            "Expected a model that a child process with the TensorFlow backend of "
            f"Keras can write. Received: {network.name!r}, and the process ended with "
            f"code {run.returncode}: {last}"
        )


def main() -> None:
    """Writes the export that the standard input describes, as `write` sends it."""
    job = json.load(sys.stdin)
    try:
        _write(**job)
    except UsageError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(FAILED)


def _write(name, network, path, metadata, options, modules):
    from se_keras.export.formats import FORMATS

    for module in modules:
        importlib.import_module(module)
    FORMATS[name].require()
    try:
        # Not in safe mode: the parent process wrote the file.
        model = keras.models.load_model(network, compile=False, safe_mode=False)
    except (TypeError, ValueError) as error:  # a class that is not registered here
        raise UsageError(
            "Expected layers that the TensorFlow backend of Keras can load in a child "
            "process: classes that are registered in a module, not in the main program "
            f"or a notebook. Received: {keras_reason(error)}"
        ) from error
    metadata = Metadata.from_json(metadata)
    FORMATS[name].write(model, pathlib.Path(path), metadata, **options)


def _modules_of_layers(network) -> list[str]:
    """Returns the modules that register the classes of a user's own layers."""
    modules = {type(layer).__module__ for layer in network._flatten_layers()}
    return sorted(
        module
        for module in modules - {*_NOT_IMPORTED}
        if module.partition(".")[0] != "keras"
    )

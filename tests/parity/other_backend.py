"""What works without TensorFlow, and what reports that it does not, as JSON.

KERAS_BACKEND=jax python -m tests.parity.other_backend DIRECTORY
"""

import json
import pathlib
import sys

import keras
import numpy as np

import se_keras
from se_keras import export
from tests.models.tools import images, randomize
from tests.parity.own_layer import Doubled

SHAPE = (16, 20, 3)
NAMES = ("a", "b", "c", "d", "e")


class Unknown(keras.layers.Layer):
    """A layer of the main module, which no child process can import."""

    def call(self, inputs):
        return 2 * inputs


def network():
    model = se_keras.create_model(
        "se_resnet20", classes=5, input_shape=SHAPE, data_format="channels_last"
    )
    model.class_names = NAMES
    randomize(model)
    # Probabilities of random networks are 0 and 1.
    model.layers[-1].activation = keras.activations.linear
    return model


def message_of(statement, **names):
    """Returns the error of a statement, by its classes and its text."""
    try:
        exec(statement, {"se_keras": se_keras, "export": export, **names})
    except Exception as error:
        return [[kind.__name__ for kind in type(error).__mro__], str(error)]
    return None


def errors(directory, model):
    """Returns the error of each statement that needs TensorFlow."""
    names = {"model": model, "directory": directory}
    statements = [
        "from se_keras.data import read_image",
        "se_keras.data.read_image",
        "from se_keras.training import train",
        "se_keras.training.train",
        "export.saved_model(model, directory / 'new')",
        "export.tflite(model, directory / 'new.tflite')",
        "export.quantization_errors(model, [])",
        "export.export_files(model, directory, ['onnx', 'saved_model'])",
    ]
    return {statement: message_of(statement, **names) for statement in statements}


def report(write, model, path, preprocessing):
    """Returns the report of an export, and how far a classifier is from Keras."""
    x = images(3, *SHAPE)
    pixels = preprocessing.denormalize(x)
    expected = model.predict(x, verbose=0)
    found = write(
        model,
        path,
        include_preprocessing=True,
        preprocessing=preprocessing,
        class_names=NAMES,
        images=pixels,
    )
    classifier = export.load_classifier(path)
    assert classifier.class_names == NAMES
    assert classifier.preprocessing.size == SHAPE[:2]
    error = np.abs(classifier.predict(pixels) - expected).max()
    return {**found, "error": float(error / np.abs(expected).max())}


def main(directory):
    """Prints what was found."""
    # Before Keras imports it itself, as when it serializes a layer.
    imported = "tensorflow" in sys.modules
    directory = pathlib.Path(directory)
    model = network()
    preprocessing = model.preprocessing
    doubled, unknown = (
        keras.Model(model.input, layer(model.output))
        for layer in (Doubled(), Unknown())
    )
    path = directory / "unknown.onnx"
    found = {
        "backend": keras.backend.backend(),
        "tensorflow": imported,
        "errors": errors(directory, model),
        "unknown": message_of("export.onnx(model, path)", model=unknown, path=path),
        "reports": [
            report(export.onnx, model, directory / "model.onnx", preprocessing),
            report(export.openvino, doubled, directory / "doubled", preprocessing),
        ],
    }
    model.save(directory / "model.keras")
    classifier = export.load_classifier(directory / "model.keras")
    found["saved"] = classifier.predict(np.zeros((3, *SHAPE))).shape
    found["files"] = sorted(path.name for path in directory.iterdir())
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

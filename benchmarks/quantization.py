r"""Accuracy of a trained classifier as TFLite files, on a whole test split.

    python benchmarks/quantization.py --model=runs/digits-se_resnet20/model.keras \
        --dataset=digits

Prints the accuracy of the Keras model and of each file, the fraction of the images that
get the same class from a file as from the Keras model, and the size of the file.
"""

import argparse
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import report

from se_keras import export
from se_keras.data import evaluation_batches, open_source, some_pixels
from se_keras.export import FORMATS

FORMS = (None, "float16", "dynamic", "int8")


def evaluation_pixels(source, preprocessing):
    """Returns all images of the evaluation split as pixels, and their labels."""
    batches = evaluation_batches(source, preprocessing, batch_size=100)
    images, labels, weights = (
        np.concatenate(parts)
        for parts in zip(*batches.as_numpy_iterator(), strict=True)
    )
    real = weights > 0
    return preprocessing.denormalize(images[real]), labels[real]


def main():
    """Exports, runs and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a trained .keras file")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--calibration_images", type=int, default=200)
    report.add_flags(parser)
    options = parser.parse_args()

    model = keras.models.load_model(options.model, compile=False)
    source = open_source(options.dataset, options.data_dir)
    preprocessing = model.preprocessing
    pixels, labels = evaluation_pixels(source, preprocessing)
    calibration = some_pixels(
        source, preprocessing, source.train_split, options.calibration_images
    )
    expected = model.predict(preprocessing.normalize(pixels), verbose=0).argmax(-1)
    common = {"network": model.name, "dataset": source.name, "images": len(labels)}
    rows = [common | {"form": "Keras", "accuracy": np.mean(expected == labels)}]
    for form in FORMS:
        print(f"{form or 'float32'}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "model.tflite"
            written = export.tflite(
                model,
                path,
                include_preprocessing=True,
                quantization=form,
                calibration=calibration if form == "int8" else None,
                images=calibration,
            )
            received = FORMATS["tflite"].open(path)(pixels).argmax(-1)
        rows.append(
            common
            | {
                "form": form or "float32",
                "accuracy": np.mean(received == labels),
                "same_class": np.mean(received == expected),
                "file_kb": round(written["bytes"] / 1e3),
                "outside_xnnpack": written["outside_xnnpack"],
                "operations": written["operations"],
            }
        )
    report.publish(options, rows)


if __name__ == "__main__":
    main()

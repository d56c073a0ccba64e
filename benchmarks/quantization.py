r"""What a trained classifier loses in TFLite's smaller forms, on a whole test split.

    python benchmarks/quantization.py --model=runs/digits-se_resnet20/model.keras \
        --dataset=digits

Prints the accuracy of the Keras model and of each file, how many images get the same
class from a file as from the Keras model, and the size of the file.
"""

import argparse
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from se_keras import export
from se_keras.data import evaluation_batches, open_source, some_pixels
from se_keras.export.runtime import run_tflite

FORMS = (None, "float16", "dynamic", "int8")


def evaluation_pixels(source, record):
    """Returns all images of the evaluation split as pixels, and their labels."""
    batches = evaluation_batches(source, record, batch_size=100)
    images, labels, weights = (
        np.concatenate(parts)
        for parts in zip(*batches.as_numpy_iterator(), strict=True)
    )
    real = weights > 0
    return (images[real] - record.offset) / record.scale, labels[real]


def main():
    """Exports, runs and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a trained .keras file")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--calibration_images", type=int, default=200)
    options = parser.parse_args()

    model = keras.models.load_model(options.model, compile=False)
    source = open_source(options.dataset, options.data_dir)
    record = model.preprocessing
    pixels, labels = evaluation_pixels(source, record)
    calibration = some_pixels(
        source, record, source.train_split, options.calibration_images
    )
    expected = model.predict(record.normalize(pixels), verbose=0).argmax(-1)
    print(f"{source.name}: {len(labels)} images, split {source.evaluation_split}\n")
    print("| form | accuracy | same class as Keras | kB | outside XNNPACK |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| Keras | {np.mean(expected == labels):.2%} | | | |")
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.tflite"
            report = export.tflite(
                model,
                path,
                include_preprocessing=True,
                quantization=form,
                calibration=calibration if form == "int8" else None,
                images=calibration,
            )
            received = run_tflite(path)(pixels).argmax(-1)
        print(
            f"| {form or 'float32'} | {np.mean(received == labels):.2%} "
            f"| {np.mean(received == expected):.2%} | {report['bytes'] / 1e3:.0f} "
            f"| {report['outside_xnnpack']} of {report['operations']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

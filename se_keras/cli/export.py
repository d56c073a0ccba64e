"""`se-keras export`: exports of a network, each verified against it."""

import argparse
import functools
import pathlib

from se_keras.cli.command import NUMBER, Command
from se_keras.cli.model_argument import MODEL_HELP, is_file, load
from se_keras.errors import UsageError, as_usage_errors


def run(
    model,
    weights,
    formats,
    output,
    quantization,
    calibration,
    images,
    data_dir,
    count,
    labels,
    input_size,
    normalized,
    dynamic_batch,
    frozen,
    debug_quantization,
    overwrite,
):
    """Exports a network in one or more formats, and verifies each."""
    from se_keras.export.job import REPORT, export_files
    from se_keras.export.verification import VerificationError
    from se_keras.models.signature import images_of

    network = _network_with_weights(model, weights)
    has_preprocessing = images_of(network).preprocessing is not None
    if not has_preprocessing and not normalized:
        raise UsageError(
            "Expected --normalized with a model that has no preprocessing: the exports "
            "then take the same input as the model. "
            f"Received: {model!r}"
        )
    if count < 1:
        raise UsageError(f"Expected --count to be positive. Received: --count={count}")
    if input_size is not None and input_size < 1:
        raise UsageError(
            f"Expected --input_size to be positive. Received: --input_size={input_size}"
        )
    if not has_preprocessing and (calibration or images):
        raise UsageError(
            "Expected a model that has preprocessing, with --calibration or --images. "
            f"Received: {model!r}"
        )
    common = {"include_preprocessing": not normalized, "overwrite": overwrite}
    if labels is not None:
        common["class_names"] = _lines(labels)
    if input_size is not None:
        common["input_size"] = input_size
    data_set = functools.partial(
        _images, network, data_dir, count, input_size, normalized
    )
    if images is not None:
        common["images"] = data_set(images, "evaluation_split")
    with as_usage_errors(VerificationError):
        reports = export_files(
            network,
            output,
            [name.strip() for name in formats.split(",")],
            quantization=quantization,
            calibration=calibration and data_set(calibration, "train_split"),
            dynamic_batch=dynamic_batch,
            frozen=frozen,
            debug=debug_quantization,
            **common,
        )
    for name, report in reports.items():
        print(
            f"{name}: {report['bytes'] / 1e6:.1f} MB, {report['milliseconds']:.1f} ms, "
            f"differs by {report['largest_difference']:.1e} of the largest output, "
            f"same top-1 on {report['top1_agreement']:.1%} of "
            f"{report['images']} images"
        )
    print(pathlib.Path(output) / REPORT)


def _network_with_weights(model, weights):
    if is_file(model):
        if weights is not None:
            raise UsageError(
                "Expected --weights with the name of a model only. "
                f"Received: --model={model} --weights={weights}"
            )
        network = load(model)
        network.name = pathlib.Path(model).stem
        return network
    from se_keras import create_model

    with as_usage_errors(ValueError):
        return create_model(model, weights=weights, data_format="channels_last")


def _lines(path):
    """Returns the lines of a text file, without empty ones at the end."""
    try:
        # Not `splitlines`: a label may contain a rarer line separator.
        return pathlib.Path(path).read_text("utf-8-sig").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"Expected a text file with a label in each line. Received: {path!r} "
            f"({error})"
        ) from error


def _images(network, data_dir, count, input_size, normalized, name, split):
    """Returns images of a data set as the exported network takes them."""
    from se_keras.data import naming_bad_images, open_source, some_pixels
    from se_keras.models.image_model import image_shape
    from se_keras.models.signature import images_of

    shape = image_shape(network)
    if shape is None:
        raise UsageError(
            "Expected a model with one batch of images as its input, with "
            f"--calibration or --images. Received: inputs {network.input_shape}"
        )
    source = open_source(name, data_dir)
    height, width, channels = shape
    size = (input_size or height, input_size or width)
    preprocessing = images_of(network).preprocessing.with_input(*size, channels)
    with naming_bad_images(source):
        pixels = some_pixels(source, preprocessing, getattr(source, split), count)
    return preprocessing.normalize(pixels) if normalized else pixels


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    from se_keras.export.formats import FORMATS, formats_with
    from se_keras.export.quantization import QUANTIZATIONS

    quantized, frozen, dynamic = map(
        formats_with, ("quantization", "frozen", "dynamic_batch")
    )
    calibrated = [name for name, row in QUANTIZATIONS.items() if row.needs_calibration]
    by_default = [name for name in dynamic if FORMATS[name].options["dynamic_batch"]]
    return {
        "--model": {"required": True, "help": MODEL_HELP},
        "--weights": {"help": "weights for a network's name, as in create_model"},
        "--format": {
            "dest": "formats",
            "default": "tflite",
            "help": f"{_described(FORMATS)}; several with commas, tflite by default",
        },
        "--output": {"default": "exported", "help": "directory for the exports"},
        "--quantization": {
            "help": f"{_described(QUANTIZATIONS)}; for {_joined(quantized)}"
        },
        "--calibration": {
            "metavar": "DATASET",
            "help": f"images for {_joined(calibrated)}: a data set of TFDS, digits, or "
            "folder:PATH",
        },
        "--images": {
            "metavar": "DATASET",
            "help": "images to verify on, like --calibration; by default those for "
            "calibration, otherwise pictures",
        },
        "--data_dir": {"help": "directory of the TFDS data sets"},
        "--count": {
            **NUMBER,
            "default": 200,
            "help": "number of images of a data set; 200 by default",
        },
        "--labels": {
            "metavar": "FILE",
            "help": "text file with the class names, one per line",
        },
        "--input_size": {
            **NUMBER,
            "help": "height and width of the images, in pixels",
        },
        "--normalized": {
            "action": "store_true",
            "help": "the exported model takes normalized images, not pixels",
        },
        "--dynamic_batch": {
            "action": argparse.BooleanOptionalAction,
            "help": "whether exports take batches of any size, or one image at a time; "
            f"for {_joined(dynamic)}; by default any size for {_joined(by_default)}",
        },
        "--frozen": {
            "action": argparse.BooleanOptionalAction,
            "help": "whether the graph has the weights as constants, which is faster "
            f"and takes more memory; for {_joined(frozen)}, by default "
            "if the weights are less than 128 MB",
        },
        "--debug_quantization": {
            "action": "store_true",
            "help": f"also write a table of the errors by layer; for "
            f"{_joined(calibrated)}",
        },
        "--overwrite": {
            "action": "store_true",
            "help": "replace exports that exist",
        },
    }


def _joined(names):
    return ", ".join(names)


def _described(table):
    """Returns the names in a table, each with what it is for."""
    return _joined(f"{name} ({row.description})" for name, row in table.items())


COMMAND = Command(
    run, "exports for phones, browsers and servers, each verified", arguments
)

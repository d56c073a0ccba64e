"""`se-keras export`: files of a network, each verified."""

import functools
import pathlib

from se_keras.cli.models import is_file, load
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

    network = _network_with_weights(model, weights)
    described = getattr(network, "preprocessing", None) is not None
    if not described and not normalized:
        raise UsageError(
            "Expected --normalized with a model that does not say which images it "
            "expects: the files then take what the model takes. "
            f"Received: {model!r}"
        )
    if count < 1:
        raise UsageError(f"Expected --count to be positive. Received: --count={count}")
    if input_size is not None and input_size < 1:
        raise UsageError(
            f"Expected --input_size to be positive. Received: --input_size={input_size}"
        )
    if not described and (calibration or images):
        raise UsageError(
            "Expected a model that says which images it expects, to show it a data "
            f"set. Received: {model!r}"
        )
    common = {"include_preprocessing": not normalized, "overwrite": overwrite}
    if labels is not None:
        common["class_names"] = _lines(labels)
    if input_size is not None:
        common["input_size"] = input_size
    pictures = functools.partial(
        _pictures, network, data_dir, count, input_size, normalized
    )
    if images is not None:
        common["images"] = pictures(images, "evaluation_split")
    with as_usage_errors(VerificationError):
        reports = export_files(
            network,
            output,
            [name.strip() for name in formats.split(",")],
            quantization=quantization,
            calibration=calibration and pictures(calibration, "train_split"),
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
    """Returns the lines of a file, without blank ones at the end."""
    try:
        # Not `splitlines`: a label may hold one of the rarer ends of a line.
        return pathlib.Path(path).read_text("utf-8-sig").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"Expected a text file with a label in each line. Received: {path!r} "
            f"({error})"
        ) from error


def _pictures(network, data_dir, count, input_size, normalized, name, split):
    """Returns images of a data set as the exported network takes them."""
    from se_keras.data import naming_bad_images, open_source, some_pixels
    from se_keras.models.image_model import image_shape

    source = open_source(name, data_dir)
    height, width, channels = image_shape(network)
    size = (input_size or height, input_size or width)
    record = network.preprocessing.with_input(*size, channels)
    with naming_bad_images(source):
        pixels = some_pixels(source, record, getattr(source, split), count)
    return record.normalize(pixels) if normalized else pixels

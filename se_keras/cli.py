"""The `se-keras` command: a thin face over the package, one row for each command.

Rooms of the package are opened by the command that needs them.
"""

import argparse
import dataclasses
import functools
import inspect
import os
import pathlib
from collections.abc import Callable

from se_keras.errors import UsageError, as_usage_errors, exit_on_usage_error


def main(arguments: list[str] | None = None) -> None:
    """Runs a command line, by default the program's own.

    Exits with code 1 and one line on bad input, with code 2 and the usage on a flag
    that does not exist.
    """
    options = vars(_parser().parse_args(arguments))
    with exit_on_usage_error():
        COMMANDS[options.pop("command")].run(**options)


def summary(model, image_size, classes, no_top):
    """Prints the cost of a network by block."""
    from se_keras import analysis

    with as_usage_errors(ValueError):
        if _is_file(model):
            if classes is not None or no_top:
                raise UsageError(
                    "Expected --classes and --no_top with the name of a model only. "
                    f"Received: {model!r}"
                )
            network = _load(model)
        else:
            network = _create(model, image_size, classes, no_top)
        cost = analysis.complexity(network, _input_shape(network, image_size))
    print(cost.table())


def list_names(pattern):
    """Prints the names of networks."""
    from se_keras import list_models

    names = list_models(pattern)
    if not names:
        raise UsageError(
            "Expected a pattern that a model's name matches, such as 'se_*'. "
            f"Received: {pattern!r}"
        )
    print("\n".join(names))


def info(source):
    """Prints what is known of a network or of published weights."""
    from se_keras import list_models, weights
    from se_keras.models.registry import lookup

    with as_usage_errors(ValueError):
        if source in list_models() or not ("/" in source or "." in source):
            print("\n".join(_network_lines(lookup(source))))
        else:
            print("\n".join(_record_lines(weights.info(source))))


def data(dataset, data_dir, recipe, output, on_bad_image, **settings):
    """Writes a contact sheet of training images, and prints how fast they come."""
    _quiet()
    from se_keras import training
    from se_keras.data import open_source, preview
    from se_keras.models.registry import lookup

    recipe = training.make_recipe(
        recipe, dataset=dataset, data_dir=data_dir, **settings
    )
    source = open_source(recipe.dataset, recipe.data_dir)
    size = recipe.image_size
    record = lookup(recipe.model).preprocessing.with_input(
        size, size, source.image_shape[2]
    )
    examples = source.num_examples(source.train_split)
    print(
        f"{source.name}: {examples} training images of {len(source.class_names)} "
        f"classes, {source.num_examples(source.evaluation_split)} for evaluation"
    )
    images = (source, record, recipe.augmentation)
    options = {"seed": recipe.seed, "on_bad_image": on_bad_image}
    count = preview.write_contact_sheet(output, *images, **options)
    print(f"{output}: {count} training images at {size} x {size}")
    speed = preview.measure(
        *images,
        batch_size=max(1, min(recipe.batch_size, examples // 2)),
        **options,
    )
    print(f"{speed['images_per_second']:.0f} images/s from the input alone")
    if speed["bad_images"]:
        print(f"{len(speed['bad_images'])} skipped: {', '.join(speed['bad_images'])}")


def export(
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
    debug_quantization,
    overwrite,
):
    """Exports a network in one or more formats, and verifies each."""
    _quiet()
    from se_keras.export.job import REPORT, export_files
    from se_keras.export.verification import VerificationError

    network = _network_with_weights(model, weights)
    if not hasattr(network, "preprocessing") and not normalized:
        raise UsageError(
            "Expected --normalized with a model that does not say which images it "
            f"expects. Received: {model!r}"
        )
    if count < 1:
        raise UsageError(f"Expected --count to be positive. Received: --count={count}")
    if not hasattr(network, "preprocessing") and (calibration or images):
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


def _quiet():
    """Has TensorFlow and TFDS tell of errors only; TensorFlow is not loaded yet."""
    import logging

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)


def _network_with_weights(model, weights):
    if _is_file(model):
        if weights is not None:
            raise UsageError(
                "Expected --weights with the name of a model only. "
                f"Received: --model={model} --weights={weights}"
            )
        network = _load(model)
        network.name = pathlib.Path(model).stem
        return network
    from se_keras import create_model

    with as_usage_errors(ValueError):
        return create_model(model, weights=weights, data_format="channels_last")


def _lines(path):
    try:
        return pathlib.Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"Expected a text file with a label in each line. Received: {path!r} "
            f"({error})"
        ) from error


def _pictures(network, data_dir, count, input_size, normalized, name, split):
    """Returns images of a data set as the exported network takes them."""
    from se_keras.data import naming_bad_images, open_source, some_pixels

    source = open_source(name, data_dir)
    height, width, channels = network.inputs[0].shape[1:]
    size = (input_size or height, input_size or width)
    record = network.preprocessing.with_input(*size, channels)
    with naming_bad_images(source):
        pixels = some_pixels(source, record, getattr(source, split), count)
    return record.normalize(pixels) if normalized else pixels


def _is_file(model: str) -> bool:
    return model.endswith(".keras")


def _load(path):
    import keras

    if not pathlib.Path(path).is_file():
        raise UsageError(f"Expected a .keras file, and there is none. Received: {path}")
    try:
        return keras.models.load_model(path, compile=False)
    # On a damaged file or an unknown layer Keras raises whatever it meets.
    except Exception as error:
        raise UsageError(
            f"Expected a .keras file that Keras loads. Received: {path} ({error})"
        ) from error


def _create(name, image_size, classes, no_top):
    from se_keras import create_model
    from se_keras.models.registry import lookup

    # Cost does not depend on the layout.
    options = {"include_top": not no_top, "data_format": "channels_last"}
    if image_size is not None:
        channels = lookup(name).preprocessing.channels
        options["input_shape"] = (image_size, image_size, channels)
    if classes is not None:
        options["classes"] = classes
    return create_model(name, **options)


def _input_shape(network, image_size):
    """Returns the network's input with `image_size` in the place of unknown sizes."""
    own = [tuple(tensor.shape[1:]) for tensor in network.inputs]
    if image_size is None:
        if any(None in shape for shape in own):
            raise UsageError(
                "Expected known sizes; pass them with --image_size. "
                f"Received: a model with inputs {own}"
            )
        return None
    if len(own) > 1 or not {None, image_size} & set(own[0]):
        raise UsageError(
            "Expected with --image_size a model with one input, of that or of unknown "
            f"size. Received: --image_size={image_size} and a model with inputs {own}"
        )
    return tuple(size or image_size for size in own[0])


def _network_lines(entry) -> list[str]:
    lines = [f"name: {entry.name}", f"constructor: se_keras.models.{entry.constructor}"]
    lines += _record_lines({"spec": entry.spec, "preprocessing": entry.preprocessing})
    lines.append(f"squeeze_excite: {_call(entry.squeeze_excite)}")
    lines += _record_lines({"weights": _published(entry)})
    return lines + _references(inspect.getmodule(entry.features))


def _published(entry) -> tuple[str, ...]:
    """Returns what `weights=` takes for a network, beside files."""
    from se_keras.weights import PUBLISHED

    hub = (info.source for info in PUBLISHED.values() if entry.name in info.networks)
    return (*entry.pretrained, *hub)


def _record_lines(record, indent="") -> list[str]:
    """Returns the fields of a dataclass or dictionary, one a line; nested indented."""
    lines = []
    for name, value in _fields(record).items():
        if _is_record(value):
            lines += [f"{indent}{name}:", *_record_lines(value, f"{indent}  ")]
        elif value not in (None, ()):
            lines.append(f"{indent}{name}: {TEXTS.get(name, _text)(value)}")
    return lines


def _is_record(value) -> bool:
    return isinstance(value, dict) or dataclasses.is_dataclass(value)


def _fields(record) -> dict:
    if isinstance(record, dict):
        return record
    return {
        field.name: getattr(record, field.name) for field in dataclasses.fields(record)
    }


def _text(value) -> str:
    if isinstance(value, tuple | list):
        parts = map(_text, value)
        nested = any(isinstance(part, tuple | list) for part in value)
        return ", ".join(f"({part})" if nested else part for part in parts)
    return getattr(value, "__name__", str(value))


def _accuracies(pairs) -> str:
    return ", ".join(f"{percent}% at {size} pixels" for size, percent in pairs)


def _first_names(names) -> str:
    return f"{', '.join(names[:3])}, ... ({len(names)})"


# How fields are written that do not speak for themselves, or speak too long.
TEXTS = {"class_names": _first_names, "top1": _accuracies, "remarks": "; ".join}


def _call(layer) -> str:
    """Returns how a layer is made, as it is written."""
    if layer is None:
        return "none"
    if not isinstance(layer, functools.partial):
        return f"{layer.__name__}()"
    arguments = (f"{name}={value!r}" for name, value in layer.keywords.items())
    return f"{layer.func.__name__}({', '.join(arguments)})"


def _references(module) -> list[str]:
    """Returns the part of a builder's docstring that names its sources."""
    sections = inspect.getdoc(module).split("\n\n")
    found = [section for section in sections if section.startswith("Reference")]
    return "".join(found[:1]).splitlines()


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        run: What it does; takes the arguments by name.
        help: What it does, in a line.
        arguments: Name or flag of each argument, and what `add_argument` takes.
    """

    run: Callable
    help: str
    arguments: dict[str, dict]


_NUMBER = {"type": int, "metavar": "N"}

COMMANDS = {
    "summary": Command(
        summary,
        "parameters and multiply-adds of a network, by block",
        {
            "model": {"help": "name of a model, or path of a .keras file"},
            "--image_size": {**_NUMBER, "help": "height and width of the input"},
            "--classes": {**_NUMBER, "help": "number of classes"},
            "--no_top": {"action": "store_true", "help": "without the classifier"},
        },
    ),
    "list": Command(
        list_names,
        "names of all networks",
        {
            "pattern": {
                "nargs": "?",
                "default": "*",
                "help": "only names that match: 'se_*'",
            }
        },
    ),
    "info": Command(
        info,
        "what is known of a network, or of published weights",
        {
            "source": {
                "help": "name of a model, or weights: timm/seresnet50.a1_in1k",
            }
        },
    ),
    "data": Command(
        data,
        "a sheet of training images as a PNG, and images a second",
        {
            "--dataset": {"help": "data set of TFDS, digits, or folder:PATH"},
            "--data_dir": {"help": "where TFDS data sets are"},
            "--recipe": {"help": "whose augmentation; by default the data set's own"},
            "--image_size": {**_NUMBER, "help": "height and width of the input"},
            "--batch_size": {**_NUMBER, "help": "images of a batch"},
            "--seed": {**_NUMBER, "help": "seed of the run"},
            "--output": {"default": "contact.png", "help": "the PNG file"},
            "--on_bad_image": {
                "default": "fail",
                "help": "fail, or skip: what to do about a damaged image",
            },
        },
    ),
    "export": Command(
        export,
        "files for phones, browsers and servers, each verified",
        {
            "--model": {
                "required": True,
                "help": "name of a model, or path of a .keras file",
            },
            "--weights": {"help": "what create_model takes, for a name"},
            "--format": {
                "dest": "formats",
                "default": "tflite",
                "help": "saved_model, tflite, onnx, openvino; several with commas",
            },
            "--output": {"default": "exported", "help": "folder for the files"},
            "--quantization": {"help": "of TFLite: float16, dynamic or int8"},
            "--calibration": {
                "metavar": "DATASET",
                "help": "images for int8: a data set of TFDS, digits, or folder:PATH",
            },
            "--images": {
                "metavar": "DATASET",
                "help": "images to verify on, like --calibration; by default those "
                "for calibration, else noise",
            },
            "--data_dir": {"help": "where TFDS data sets are"},
            "--count": {
                **_NUMBER,
                "default": 200,
                "help": "how many images of a data set; 200 by default",
            },
            "--labels": {"metavar": "FILE", "help": "class names, one a line"},
            "--input_size": {**_NUMBER, "help": "height and width of the images"},
            "--normalized": {
                "action": "store_true",
                "help": "the exported model takes normalised images, not pixels",
            },
            "--debug_quantization": {
                "action": "store_true",
                "help": "write the errors of an int8 file, layer by layer",
            },
            "--overwrite": {
                "action": "store_true",
                "help": "replace files that are there",
            },
        },
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="se-keras", description="Squeeze-and-Excitation networks for Keras 3."
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(
            name, help=command.help, description=command.help
        )
        for argument, options in command.arguments.items():
            subparser.add_argument(argument, **options)
    return parser

"""The `se-keras` command: a thin face over the package, one row for each command.

Rooms of the package are opened by the command that needs them.
"""

import argparse
import contextlib
import dataclasses
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from se_keras.cli import data, export, info, names, summary
from se_keras.errors import exit_on_usage_error
from se_keras.files import abandon


def main(arguments: list[str] | None = None) -> None:
    """Runs a command line, by default the program's own.

    Exits with code 1 and one line on bad input, with code 2 and the usage on a flag
    that does not exist.
    """
    options = vars(_parser().parse_args(arguments))
    # What is not loaded yet, and TFDS, tell of errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("absl").setLevel(logging.ERROR)
    with _leaving_with_the_reader(), exit_on_usage_error(), _tidy_when_terminated():
        COMMANDS[options.pop("command")].run(**options)


@contextlib.contextmanager
def _leaving_with_the_reader():
    """Ends the program quietly when nobody reads its output, as after `| head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python writes what is left once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@contextlib.contextmanager
def _tidy_when_terminated():
    """Has SIGTERM and SIGHUP end the program without a file that is half written.

    Not by an exception: one that is raised in a callback of the garbage collector is
    ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number, frame):
        abandon()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    numbers = signal.SIGTERM, signal.SIGHUP
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        summary.run,
        "parameters and multiply-adds of a network, by block",
        {
            "model": {"help": "name of a model, or path of a .keras file"},
            "--image_size": {**_NUMBER, "help": "height and width of the input"},
            "--classes": {**_NUMBER, "help": "number of classes"},
            "--no_top": {"action": "store_true", "help": "without the classifier"},
        },
    ),
    "list": Command(
        names.run,
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
        info.run,
        "what is known of a network, or of published weights",
        {
            "source": {
                "help": "name of a model, or weights: timm/seresnet50.a1_in1k",
            }
        },
    ),
    "data": Command(
        data.run,
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
        export.run,
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
                "help": "the exported model takes normalized images, not pixels",
            },
            "--dynamic_batch": {
                "action": argparse.BooleanOptionalAction,
                "help": "files for batches of any size, or for one image at a time; "
                "by default one image for tflite, any batch for onnx and openvino; "
                "saved_model takes any batch",
            },
            "--frozen": {
                "action": argparse.BooleanOptionalAction,
                "help": "weights as nodes of the graph of a saved_model: faster, and "
                "takes more memory; by default if they are less than 128 MB",
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

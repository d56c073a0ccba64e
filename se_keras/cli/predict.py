"""`se-keras predict`: the classes of image files, as CSV or JSON lines."""

import collections
import contextlib
import csv
import itertools
import json
import sys

from se_keras.cli.command import NUMBER, Command
from se_keras.cli.exit import BAD_FILES
from se_keras.errors import UsageError

STDIN = "-"
ENCODING = {"encoding": "utf8", "errors": "surrogateescape"}


def run(model, paths, format, output, top, batch_size):
    """Classifies image files and folders of them, row by row."""
    from se_keras import evaluation

    left_out: collections.Counter = collections.Counter()
    classified, failed = 0, 0
    # The model first: no output is opened for one that does not exist.
    predictions = evaluation.predict(
        model,
        _listed(paths),
        top=top,
        batch_size=batch_size,
        left_out=left_out,
        verbose=True,
    )
    with _opened(output) as file:
        write = FORMATS[format](file, top)
        for prediction in predictions:
            write(prediction)
            failed += prediction.error is not None
            classified += prediction.error is None
    if left_out:
        print(_left_out_line(left_out), file=sys.stderr)
    if not classified + failed:
        raise UsageError("Expected image files. Received: an empty list")
    if failed:
        print(
            f"{failed} of {classified + failed} files could not be classified: the "
            "reason is in their field error",
            file=sys.stderr,
        )
        sys.exit(BAD_FILES)


def _listed(paths):
    """Yields the paths, with those of the standard input for `-`."""
    for path in paths:
        if path == STDIN:
            yield from (line.rstrip(b"\n") for line in sys.stdin.buffer)
        else:
            yield path


def _left_out_line(left_out):
    """Returns how many files of folders are not images, by suffix."""
    parts = (
        f"{count} {suffix or 'without a suffix'}"
        for suffix, count in left_out.most_common()
    )
    return f"{left_out.total()} other files are left out: {', '.join(parts)}"


@contextlib.contextmanager
def _opened(output):
    """Yields the file to write to, which replaces `output` when it is complete."""
    from se_keras.files import replacing

    if output is None:
        # A name that is not UTF-8 is written as it is.
        sys.stdout.reconfigure(**ENCODING, newline="\n")
        yield sys.stdout
        return
    try:
        with replacing(output) as path, path.open("w", newline="", **ENCODING) as file:
            yield file
    except OSError as error:
        raise UsageError(
            f"Expected a path that can be written. Received: {output!r} ({error})"
        ) from error


def _csv_writer(file, top):
    """Returns a function that writes a prediction as a row of CSV."""
    writer = csv.writer(file, lineterminator="\n")
    numbers = range(1, top + 1)
    pairs = [(f"class_{number}", f"score_{number}") for number in numbers]
    writer.writerow(["path", *itertools.chain(*pairs), "error"])

    def write(prediction):
        cells = zip(prediction.class_names, prediction.scores, strict=True)
        filled = [*itertools.chain(*cells)]
        blank = [""] * (2 * top - len(filled))
        writer.writerow([prediction.path, *filled, *blank, prediction.error or ""])

    return write


def _json_writer(file, top):
    """Returns a function that writes a prediction as a line of JSON."""

    def write(prediction):
        row = {"path": prediction.path}
        if prediction.error is None:
            pairs = zip(prediction.class_names, prediction.scores, strict=True)
            row["classes"] = [{"name": name, "score": score} for name, score in pairs]
        else:
            row["error"] = prediction.error
        print(json.dumps(row), file=file)

    return write


FORMATS = {"csv": _csv_writer, "jsonl": _json_writer}


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    return {
        "model": {"help": "path of a .keras file or of an export"},
        "paths": {
            "nargs": "+",
            "help": "image files, and folders with image files at any depth; - for a "
            "list of paths on the standard input, one per line",
        },
        "--top": {
            **NUMBER,
            "default": 5,
            "help": "number of classes of each image; 5 by default",
        },
        "--format": {
            "default": "csv",
            "choices": sorted(FORMATS),
            "help": "csv or jsonl (JSON lines); csv by default",
        },
        "--output": {
            "metavar": "FILE",
            "help": "file to write; by default the standard output",
        },
        "--batch_size": {
            **NUMBER,
            "default": 64,
            "help": "number of images in a batch; 64 by default",
        },
    }


COMMAND = Command(
    run,
    "the classes of image files and folders, as CSV or JSON lines; exit code "
    f"{BAD_FILES} if a file cannot be classified",
    arguments,
)

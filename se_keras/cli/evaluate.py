"""`se-keras evaluate`: the figures of a classifier on a data set, and pictures."""

import pathlib

from se_keras.cli.command import NUMBER, Command

LISTED = 5  # classes, and pairs of classes, that are printed
WIDTH = 28  # of a name


def run(
    model,
    dataset,
    data_dir,
    split,
    output,
    overwrite,
    batch_size,
    on_bad_image,
    by_number,
    **splits,
):
    """Evaluates a classifier, writes the report, and prints the main figures."""
    from se_keras import evaluation
    from se_keras.cli.splits import splits_of
    from se_keras.evaluation.report import FILES

    output = pathlib.Path(output or f"{str(model).rstrip('/')}-evaluation")
    report = evaluation.evaluate(
        model,
        dataset,
        data_dir=data_dir,
        splits=splits_of(splits),
        split=split,
        output=output,
        overwrite=overwrite,
        batch_size=batch_size,
        on_bad_image=on_bad_image,
        by_number=by_number,
    )
    print("\n".join(lines_of(report)))
    print(f"{output / FILES[0]}, {', '.join(FILES[1:])}")


def lines_of(report) -> list[str]:
    """Returns the main figures of a report of `evaluate` as lines."""
    classes = report["classes"]
    lines = [
        f"{report['dataset']}, {report['evaluation_split']}: {report['examples']} "
        f"images of {len(classes)} classes"
    ]
    if report["bad_images"]:
        lines.append(f"{report['bad_images']} images that cannot be read are left out")
    if report["scores"] == "logits":
        lines.append("The model returns logits; their softmax is evaluated")
    lines.append(_row("accuracy", f"{report['accuracy']:.2%}"))
    if "top5_accuracy" in report:
        lines.append(_row("top-5 accuracy", f"{report['top5_accuracy']:.2%}"))
    macro, error = report["macro"], report["calibration"]["ece"]
    lines += [
        _row("loss (cross-entropy)", f"{report['loss']:.4f}"),
        _row("mean precision of the classes", f"{macro['precision']:.2%}"),
        _row("mean recall of the classes", f"{macro['recall']:.2%}"),
        _row("mean F1 of the classes", f"{macro['f1']:.2%}"),
        _row("expected calibration error", f"{error:.2%}"),
    ]
    return [*lines, *_lowest(classes), *_confused(report["most_confused"])]


def _row(name, figure):
    return f"  {name:<32}{figure:>10}"


def _lowest(classes):
    from se_keras.evaluation.text import shortened

    with_images = [row for row in classes if row["support"]]
    lowest = sorted(with_images, key=lambda row: row["recall"])[:LISTED]
    yield f"  {'lowest recall':<{WIDTH}}  recall  precision  images"
    for row in lowest:
        name = shortened(row["name"], WIDTH - 2)
        yield (
            f"    {name:<{WIDTH - 2}}{row['recall']:>8.1%}{row['precision']:>11.1%}"
            f"{row['support']:>8}"
        )
    absent = len(classes) - len(with_images)
    if absent:
        yield f"  {absent} classes have no images; their recall and F1 count as 0"
    unused = sum(not row["predicted"] for row in classes)
    if unused:
        yield f"  {unused} classes were never predicted; their precision counts as 0"


def _confused(pairs):
    from se_keras.evaluation.text import shortened

    if pairs:
        yield f"  {'most confused':<{WIDTH}}  taken for"
    for pair in pairs[:LISTED]:
        true, predicted = (
            shortened(pair[key], WIDTH - 2) for key in ("true", "predicted")
        )
        yield f"    {true:<{WIDTH - 2}}  {predicted:<{WIDTH - 2}}{pair['images']:>8}"


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    from se_keras.cli.splits import split_arguments
    from se_keras.data.settings import POLICIES

    return {
        "model": {"help": "path of a .keras file or of an export"},
        "--dataset": {
            "required": True,
            "help": "data set of TFDS, digits, or folder:PATH",
        },
        "--data_dir": {"help": "directory of the TFDS data sets"},
        "--split": {
            "help": "split to evaluate, or all; by default the evaluation split"
        },
        **split_arguments(),
        "--output": {
            "metavar": "DIRECTORY",
            "help": "directory for the report, the tables and the pictures; by default "
            "MODEL-evaluation",
        },
        "--overwrite": {
            "action": "store_true",
            "help": "replace an earlier evaluation",
        },
        "--batch_size": {
            **NUMBER,
            "default": 64,
            "help": "number of images in a batch; 64 by default",
        },
        "--on_bad_image": {
            "default": POLICIES[0],
            "help": f"what to do about a damaged image: {', '.join(POLICIES)}",
        },
        "--by_number": {
            "action": "store_true",
            "help": "compare classes by number where only their names differ",
        },
    }


COMMAND = Command(
    run, "accuracy, confusion matrix, calibration and worst mistakes", arguments
)

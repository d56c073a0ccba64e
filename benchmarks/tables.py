"""Writes the tables of docs/results/ from the files of benchmarks/results/.

    python benchmarks/tables.py            # writes the pages
    python benchmarks/tables.py --check    # fails if a page differs from the data

A page has `<!-- data: NAME -->` before and `<!-- end -->` after each text that comes
from data; the text between them is replaced by what the function `NAME` below returns.
"""

import argparse
import collections
import functools
import pathlib
import re
import statistics
import sys
import textwrap

import report

ROOT = pathlib.Path(__file__).parents[1]
PAGES = ROOT / "docs" / "results"
DATA = ROOT / "benchmarks" / "results"
BLOCK = re.compile(r"(<!-- data: (\w+) -->\n).*?(\n?<!-- end -->)", re.DOTALL)
MISSING = ""
LINE_LENGTH = 88

# Limits that this project set itself: median time with SE over that without, at most.
SE_LIMITS = {
    "TFLite": 1.02,
    "TFLite int8": 1.05,
    "SavedModel": 1.04,
    "ONNX Runtime": 1.06,
    "OpenVINO": 1.04,
}
OLDER_RUNS = ("xeon-0",)  # before the code that the others measure
MACHINES = {"epyc": "EPYC", "xeon": "Xeon"}
PIPELINE_RUNS = {"quiet": "idle machine", "all": "slow memory", "busy": "busy machine"}
# The networks compared with timm, by the start of timm's name.
TIMM_FAMILIES = {
    "resnet": "ResNet without SE",
    "resnetrs": "ResNet-RS",
    "seresnet": "SE-ResNet",
    "seresnext": "SE-ResNeXt",
    "senet": "SENet-154",
    "legacy_": "the original release (legacy in timm)",
}
BLOCKS = {}


def block(function):
    """Registers a function that returns the text of a block."""
    BLOCKS[function.__name__] = function
    return function


def paragraph(function):
    """Registers a function that returns a paragraph: in its block it is wrapped."""
    BLOCKS[function.__name__] = lambda: textwrap.fill(
        function(), LINE_LENGTH, break_on_hyphens=False, break_long_words=False
    )
    return function


@functools.cache
def read(name):
    """Returns the rows of a file of results."""
    return report.read(DATA / f"{name}.csv")


def select(name, **values):
    """Returns the rows of a file that have these values."""
    return [row for row in read(name) if values.items() <= row.items()]


def one(name, column, **values):
    """Returns a value of the only row that has these values."""
    (row,) = select(name, **values)
    return row[column]


def column_by(rows, key, column):
    """Returns the values of a column by those of another."""
    return {row[key]: row[column] for row in rows}


def number(value, form):
    """Returns a number as text, and nothing for a missing one."""
    return MISSING if value is None else f"{value:{form}}"


def span(values, form):
    """Returns the smallest and the largest of some numbers as text."""
    if not values:
        return MISSING
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low} to {high}"


def run_details(name, run):
    """Returns the command, machine and date of a run as Markdown."""
    found = report.read_runs(DATA / f"{name}.csv")[run]
    versions = ", ".join(f"{k} {v}" for k, v in found["versions"].items())
    machine = f"Measured {found['date']}, {found['machine']}; {versions}."
    return f"```bash\n{found['command']}\n```\n\n{textwrap.fill(machine, LINE_LENGTH)}"


def data_file(name):
    """Returns a link to a file of results from a page."""
    return f"[{name}.csv](../../benchmarks/results/{name}.csv)"


# Inference


def se_over_plain(form):
    """Returns the times of a form with SE over those without, by run."""
    return column_by(
        select("inference_se_over_plain", form=form), "run", "se_over_plain"
    )


def of_machine(values, machine):
    """Returns the values of the runs of a machine."""
    return [value for run, value in values.items() if run.startswith(machine)]


@paragraph
def inference_answer():
    """How fast, and what SE costs, in a few sentences."""
    times = column_by(
        select("inference", run="epyc-2", network="se_resnet50"), "form", "median_ms"
    )
    costs = {
        form: statistics.median(se_over_plain(form).values()) for form in SE_LIMITS
    }
    return (
        f"On two CPU cores SE-ResNet-50 classifies an image of 224 x 224 in "
        f"{times['OpenVINO']} ms (OpenVINO) or {times['TFLite']} ms (TFLite), and in "
        f"{times['TFLite int8']} ms as an int8 TFLite file. Compared with ResNet-50, "
        f"SE adds {costs['TFLite'] - 1:.1%} to the time in TFLite, "
        f"{costs['OpenVINO'] - 1:.1%} in OpenVINO, {costs['TFLite int8'] - 1:.1%} in "
        f"int8, {costs['SavedModel'] - 1:.1%} in a SavedModel and "
        f"{costs['ONNX Runtime'] - 1:.1%} in ONNX Runtime (medians of seven runs on "
        f"two machines)."
    )


@block
def inference_formats():
    """Times of both networks by form."""
    plain, se = (
        {row["form"]: row for row in select("inference", run="epyc-2", network=network)}
        for network in ("resnet50", "se_resnet50")
    )
    return report.markdown(
        [
            "format",
            "ResNet-50, ms",
            "SE-ResNet-50, ms",
            "quartiles",
            "fastest",
            "file, MB",
            "memory, MB",
        ],
        [
            [
                form,
                f"{plain[form]['median_ms']:.1f}",
                f"{row['median_ms']:.1f}",
                f"{row['quartile_1_ms']:.1f} to {row['quartile_3_ms']:.1f}",
                f"{row['fastest_ms']:.1f}",
                f"{row['file_mb']:.1f}",
                row["memory_mb"],
            ]
            for form, row in se.items()
        ],
    )


@block
def inference_run():
    """The run of the table above."""
    return run_details("inference", "epyc-2")


@block
def inference_se_cost():
    """What SE costs by form and machine."""
    rows = []
    for form in dict.fromkeys(row["form"] for row in read("inference_se_over_plain")):
        values = se_over_plain(form)
        limit = SE_LIMITS.get(form)
        within = sum(value <= limit for value in values.values()) if limit else None
        rows.append(
            [
                form,
                *(span(of_machine(values, key), ".3f") for key in MACHINES),
                f"{statistics.median(values.values()):.3f}",
                number(limit, ".2f"),
                MISSING if limit is None else f"{within} of {len(values)}",
            ]
        )
    return report.markdown(
        ["format", *MACHINES.values(), "median of all", "limit", "runs within it"], rows
    )


@block
def inference_others():
    """Our files compared with other ways to the same format."""
    rows = []
    for form, other in (
        ("TFLite", "TFLite, model.export"),
        ("SavedModel", "SavedModel, model.export"),
        ("OpenVINO", "OpenVINO, timm"),
        ("ONNX Runtime", "ONNX Runtime, timm"),
    ):
        ours, theirs = (
            column_by(
                select("inference", network="se_resnet50", form=each),
                "run",
                "median_ms",
            )
            for each in (form, other)
        )
        ratios = {
            run: theirs[run] / ours[run]
            for run in ours
            if run in theirs and run not in OLDER_RUNS
        }
        for row in select("experiments", experiment=f"speed over {other}"):
            ratios[row["variant"]] = row["value"]  # A run of which no times were kept.
        rows.append(
            [
                form,
                other,
                *(span(of_machine(ratios, key), ".2f") for key in MACHINES),
                len(ratios),
            ]
        )
    return report.markdown(
        ["format", "compared with", *MACHINES.values(), "runs"], rows
    )


@block
def inference_networks():
    """Other networks with and without SE."""
    names = ("resnext50_32x4d", "mobilenet", "resnet20")
    labels = ("ResNeXt-50", "MobileNet", "ResNet-20")
    rows = select("inference_networks")
    forms = dict.fromkeys(row["form"] for row in rows)
    found = []
    for run, column in (("networks-2", "median_ms"), ("networks-1", "fastest_ms")):
        times = {(r["network"], r["form"]): r[column] for r in rows if r["run"] == run}
        for name, label in zip(names, labels, strict=True):
            if run == "networks-1" and name != "resnet20":
                continue  # Measured again in the other run.
            found += [
                [
                    label,
                    form,
                    f"{times[name, form]:.1f}",
                    f"{times[f'se_{name}', form]:.1f}",
                    column.removesuffix("_ms"),
                ]
                for form in forms
                if (name, form) in times
            ]
    return report.markdown(
        ["network", "format", "plain, ms", "with SE, ms", "time"], found
    )


@block
def fold_steps():
    """What each step of fold changes."""
    rows = read("fold")
    runtimes = list(dict.fromkeys(row["runtime"] for row in rows))
    steps = collections.defaultdict(dict)
    for row in rows:
        steps[row["step"]][row["runtime"]] = f"{row['median_ms']:.1f}"
    return report.markdown(
        ["SE-ResNet-50, ms", *runtimes],
        [[step, *(times[each] for each in runtimes)] for step, times in steps.items()],
    )


# Exactness


def timm_family(name):
    """Returns the family of one of timm's networks: the longest start that fits."""
    start = max(filter(name.startswith, TIMM_FAMILIES), key=len)
    return TIMM_FAMILIES[start]


@paragraph
def exactness_answer():
    """How exact, in a few sentences."""
    timm = read("timm")
    exports = read("exports")
    logits = largest(timm, "logits_224x224", "logits_193x257")
    tflite = largest(exports, "tflite_difference")
    saved = largest(exports, "saved_model_difference")
    return (
        f"With the same weights, {len(timm)} networks give timm's logits to "
        f"{logits:.1e} of the largest. All {len(exports)} networks give Keras's "
        f"outputs to {tflite:.0e} as TFLite files and to {saved:.0e} as SavedModels, "
        f"with no float32 operation outside XNNPACK."
    )


def largest(rows, *columns):
    """Returns the largest value of some columns."""
    return max(row[column] or 0 for row in rows for column in columns)


@block
def timm_summary():
    """Differences from timm by family."""
    families = collections.defaultdict(list)
    for row in read("timm"):
        families[timm_family(row["timm_network"])].append(row)
    return report.markdown(
        ["family", "networks", "logits", "output of stage 3", "between two images"],
        [
            [
                family,
                len(rows),
                f"{largest(rows, 'logits_224x224', 'logits_193x257'):.1e}",
                f"{largest(rows, 'stage3_224x224', 'stage3_193x257'):.1e}",
                f"{min(row['two_images'] for row in rows):.2f}",
            ]
            for family, rows in families.items()
        ],
    )


@block
def timm_run():
    """The run of the comparison with timm."""
    return run_details("timm", "epyc")


@block
def exports_summary():
    """Differences of exported files from Keras."""
    rows = read("exports")

    def summary(title, column, form, outside=None):
        values = [row[column] for row in rows]
        return [
            title,
            f"{statistics.median(values):{form}}",
            f"{max(values):{form}}",
            MISSING if outside is None else span([row[outside] for row in rows], "d"),
        ]

    return report.markdown(
        [f"{len(rows)} networks", "median", "largest", "operations outside XNNPACK"],
        [
            summary(
                "TFLite float32, largest difference",
                "tflite_difference",
                ".0e",
                "tflite_outside_xnnpack",
            ),
            summary(
                "TFLite int8, root mean square",
                "int8_rms_difference",
                ".1%",
                "int8_outside_xnnpack",
            ),
            summary("SavedModel, largest difference", "saved_model_difference", ".0e"),
        ],
    )


@block
def int8_top1():
    """How often int8 files name another class than Keras."""
    counts = collections.Counter(row["int8_same_top1"] for row in read("exports"))
    return report.markdown(
        ["same class on", "networks"],
        [
            [f"{share:.0%} of 16 images", counts[share]]
            for share in sorted(counts)[::-1]
        ],
    )


@block
def exports_run():
    """The run of the exports."""
    return run_details("exports", "all")


# Accuracy


@paragraph
def accuracy_answer():
    """How accurate, in a few sentences."""
    fashion, digits = (
        one("accuracy", "test_accuracy", run=run) for run in ("fashion-mnist", "digits")
    )
    minutes = one("accuracy", "minutes", run="fashion-mnist")
    int8 = one("quantization", "accuracy", run="fashion-6-epochs", form="int8")
    return (
        f"`se_resnet20` reaches {fashion:.2%} on Fashion-MNIST after {minutes} "
        f"minutes on two CPU cores, and {digits:.2%} on scikit-learn's digits. The "
        f"int8 TFLite file of the former has {int8:.2%}."
    )


@block
def accuracy_table():
    """Accuracy after training."""
    return report.markdown(
        ["data set", "network", "epochs", "test images", "test accuracy", "minutes"],
        [
            [
                row["dataset"],
                row["network"],
                number(row["epochs"], "d"),
                f"{row['test_images']:,}",
                f"{row['test_accuracy']:.2%}",
                row["minutes"],
            ]
            for row in read("accuracy")
        ],
    )


@block
def accuracy_run():
    """The run on Fashion-MNIST."""
    return run_details("accuracy", "fashion-mnist")


@block
def quantization_table():
    """Accuracy of TFLite files."""
    runs = {
        "fashion-6-epochs": "Fashion-MNIST, 6 epochs",
        "fashion-2-epochs": "2 epochs",
        "digits": "digits",
    }
    accuracy = {
        run: column_by(select("quantization", run=run), "form", "accuracy")
        for run in runs
    }
    rows = []
    for row in select("quantization", run="fashion-6-epochs"):
        outside = row["outside_xnnpack"]
        rows.append(
            [
                row["form"],
                *(f"{accuracy[run][row['form']]:.2%}" for run in runs),
                number(row["same_class"], ".2%"),
                number(row["file_kb"], "d"),
                MISSING if outside is None else f"{outside} of {row['operations']}",
            ]
        )
    return report.markdown(
        ["form", *runs.values(), "same class as Keras", "kB", "outside XNNPACK"], rows
    )


@block
def quantization_run():
    """The run of the table above."""
    return run_details("quantization", "fashion-6-epochs")


@block
def paper_errors():
    """ImageNet errors that the paper reports."""
    return report.markdown(
        ["network", "top-1 / top-5 error, %", "with SE"],
        [
            [
                row["network"],
                *(
                    f"{row[f'{kind}_top1_error_percent']} / "
                    f"{row[f'{kind}_top5_error_percent']}"
                    for kind in ("plain", "se")
                ),
            ]
            for row in report.read_text(DATA / "paper.csv")
        ],
    )


# Training


@paragraph
def training_answer():
    """How fast a training step is, in a few sentences."""

    def speed(run, step, over):
        return one("train_step_ratio", "speed_ratio", run=run, step=step, over=over)

    se = "Trainer se_resnet50"
    return (
        f"On two CPU cores, a step of SE-ResNet-50 with `Trainer` is "
        f"{speed('imagenet', se, 'fit se_resnet50'):.2f} times as fast as with Keras's "
        f"`fit`, and {speed('imagenet', se, 'timm compiled seresnet50'):.2f} times as "
        f"fast as timm's network under `torch.compile`. SE makes a step "
        f"{1 / speed('imagenet', se, 'Trainer resnet50'):.2f} times as long."
    )


def step_table(run):
    """Returns the times of steps."""
    return report.markdown(
        [
            "step",
            "median, ms",
            "quartiles",
            "fastest",
            "CPU time, ms",
            "images/s",
            "peak memory, MB",
        ],
        [
            [
                row["step"],
                f"{row['median_ms']:.0f}",
                f"{row['quartile_1_ms']:.0f} to {row['quartile_3_ms']:.0f}",
                f"{row['fastest_ms']:.0f}",
                f"{row['cpu_ms']:.0f}",
                f"{row['images_per_s']:.2f}",
                f"{row['peak_memory_mb']:.0f}",
            ]
            for row in select("train_step", run=run)
        ],
    )


@block
def training_steps():
    """Steps at 224 x 224."""
    return step_table("imagenet")


@block
def training_steps_small():
    """Steps at 28 x 28."""
    return step_table("cifar")


@block
def training_ratios():
    """Speed of steps compared with others."""
    earlier = {
        (row["run"].removesuffix("-earlier"), row["step"], row["over"]): row
        for row in read("train_step_ratio")
        if row["run"].endswith("-earlier")
    }
    rows = []
    for row in read("train_step_ratio"):
        if row["run"].endswith("-earlier"):
            continue
        before = earlier.get((row["run"], row["step"], row["over"]), {})
        rows.append(
            [
                row["step"],
                row["over"],
                f"{row['speed_ratio']:.2f}",
                f"{row['lowest_round']:.2f} to {row['highest_round']:.2f}",
                f"{row['of_cpu_time']:.2f}",
                number(before.get("speed_ratio"), ".2f"),
                number(row["target"], ".2f"),
            ]
        )
    return report.markdown(
        [
            "speed of",
            "compared with",
            "median",
            "rounds",
            "by CPU time",
            "earlier run",
            "target",
        ],
        rows,
    )


@block
def training_run():
    """The run at 224 x 224."""
    return run_details("train_step", "imagenet")


@block
def training_profile():
    """Where the time of a step goes."""
    rows = select("experiments", experiment="profile of one step, se_resnet50")
    return report.markdown(
        ["operations", "fraction of the time"],
        [[row["variant"], f"{row['value']:.1%}"] for row in rows],
    )


def scaling_table(run):
    """Returns the computed model of training on many GPUs."""
    times = ("compute_ms", "all_reduce_ms", "batch_norm_ms", "decode_ms", "read_ms")
    rows = select("scaling_model", run=run)
    return report.markdown(
        [
            "GPUs",
            "machines",
            *(f"{time.removesuffix('_ms').replace('_', ' ')}, ms" for time in times),
            "images/s",
            "efficiency",
            "limited by",
        ],
        [
            [
                row["gpus"],
                row["machines"],
                *(f"{row[time]:.1f}" for time in times),
                f"{row['images_per_s']:,.0f}",
                f"{row['efficiency']:.0%}",
                row["limited_by"],
            ]
            for row in rows
        ],
    )


@block
def scaling_default():
    """The model with the script's defaults."""
    return scaling_table("default")


@block
def scaling_service():
    """The model with a tf.data service and synchronized batch norm."""
    return scaling_table("service, sync_batch_norm")


# Input


@paragraph
def input_answer():
    """How fast the input is, in a few sentences."""
    rates = column_by(select("input", run="quiet"), "pipeline", "images_per_s")
    torchvision = rates["torchvision, 2 workers"]
    return (
        f"Two CPU cores prepare {rates['paper']:,} training images of 224 x 224 a "
        f"second from JPEGs of 500 x 375 (crop, resize, flip, normalize): "
        f"{rates['paper'] / torchvision:.1f} times as many as torchvision with two "
        f"workers, and {rates['paper'] / rates['decode only']:.0%} of what decoding "
        f"alone gives."
    )


@block
def input_table():
    """Images per second of each pipeline."""
    rates = {
        run: column_by(select("input", run=run), "pipeline", "images_per_s")
        for run in PIPELINE_RUNS
    }
    shares = {
        run: column_by(select("input", run=run), "pipeline", "of_decode_only")
        for run in PIPELINE_RUNS
    }
    pipelines = dict.fromkeys(row["pipeline"] for row in read("input"))
    return report.markdown(
        ["pipeline, images/s (of decode only)", *PIPELINE_RUNS.values()],
        [
            [
                pipeline,
                *(
                    f"{rates[run][pipeline]:,} ({shares[run][pipeline]:.2f})"
                    if pipeline in rates[run]
                    else MISSING
                    for run in PIPELINE_RUNS
                ),
            ]
            for pipeline in pipelines
        ],
    )


@block
def input_run():
    """The run of the table above."""
    return run_details("input", "all")


@block
def input_exif():
    """What EXIF and the crop before resizing cost."""
    rows = select("experiments", experiment="EXIF and crop before resizing")
    return report.markdown(
        ["pipeline", "rate compared with before"],
        [[row["variant"], f"{row['value']:.2f}"] for row in rows],
    )


@block
def input_costs():
    """CPU time of each step of the input."""
    rows = select("experiments", experiment="CPU time of one image of 500 x 375")
    return report.markdown(
        ["step", "microseconds of CPU time"],
        [[row["variant"], f"{row['value']:,}"] for row in rows],
    )


# Networks


def twin(name):
    """Returns the name of the same network with SE."""
    return f"se_{name}"


@paragraph
def networks_answer():
    """What SE costs in parameters and multiply-adds."""
    networks = {row["network"]: row for row in read("networks")}
    se = networks["se_resnet50"]
    paper = read("paper")
    close = sum(
        abs(networks[twin(row["network"])]["gmacs"] / row["se_gmacs"] - 1) < 0.01
        for row in paper
    )
    return (
        f"SE adds {se['gate_parameters']:,} parameters to ResNet-50, which has "
        f"{networks['resnet50']['parameters']:,}, and "
        f"{se['gate_gmacs'] / se['gmacs']:.2%} of its multiply-adds. {close} of the "
        f"paper's {len(paper)} networks have its multiply-adds within 1%."
    )


@block
def networks_paper():
    """Multiply-adds compared with the paper's."""
    counted = column_by(read("networks"), "network", "gmacs")
    rows = []
    for row in read("paper"):
        cells = []
        for name, paper in (
            (row["network"], row["plain_gmacs"]),
            (twin(row["network"]), row["se_gmacs"]),
        ):
            cells += [
                f"{paper:g}",
                f"{counted[name]:.4g} ({counted[name] / paper - 1:+.1%})",
            ]
        rows.append([f"`{row['network']}`", *cells])
    return report.markdown(
        ["network", "plain, paper", "plain, here", "SE, paper", "SE, here"], rows
    )


@block
def networks_all():
    """All networks."""
    return report.markdown(
        [
            "network",
            "image",
            "parameters",
            "of SE layers",
            "GMACs",
            "of SE layers",
        ],
        [
            [
                f"`{row['network']}`",
                f"{row['height_px']} x {row['width_px']}",
                f"{row['parameters']:,}",
                f"{row['gate_parameters']:,}",
                f"{row['gmacs']:.4g}",
                f"{row['gate_gmacs']:.2g}",
            ]
            for row in read("networks")
        ],
    )


@block
def build_time():
    """Seconds to build a network."""
    return report.markdown(
        ["network", "seconds", "of keras.applications"],
        [
            [row["network"], number(row["median_s"], ".2f"), f"{row['of_first']:.2f}"]
            for row in read("build_time")
        ],
    )


# The overview

QUESTIONS = {
    "How fast is inference, and what does SE cost?": ("inference", inference_answer),
    "How exact are networks and exported files?": ("exactness", exactness_answer),
    "How accurate are trained and quantized networks?": ("accuracy", accuracy_answer),
    "How fast is a training step?": ("training_speed", training_answer),
    "How fast is the input?": ("input", input_answer),
    "How large are the networks?": ("networks", networks_answer),
}
COMMANDS = {
    "inference": ("benchmarks/inference.py", "benchmarks/fold.py"),
    "exactness": ("-m tests.parity.timm_networks", "-m tests.export.networks"),
    "accuracy": ("examples/train_imagenet.py", "benchmarks/quantization.py"),
    "training_speed": ("benchmarks/train_step.py", "benchmarks/scaling_model.py"),
    "input": ("benchmarks/input.py",),
    "networks": ("benchmarks/costs.py", "benchmarks/build_time.py"),
}


@block
def overview():
    """Each question with a short answer, page and command."""
    return report.markdown(
        ["question", "answer", "command"],
        [
            [
                f"[{question}]({page}.md)",
                answer(),
                ", ".join(f"`python {command}`" for command in COMMANDS[page]),
            ]
            for question, (page, answer) in QUESTIONS.items()
        ],
    )


def filled(text):
    """Returns the text of a page with its blocks written anew."""
    return BLOCK.sub(
        lambda match: f"{match[1]}{BLOCKS[match[2]]()}\n<!-- end -->", text
    )


def main():
    """Writes or checks the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a page is out of date",
    )
    check = parser.parse_args().check
    stale = []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text()
        new = filled(text)
        if new != text:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(new)
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path}")
    if check and stale:
        sys.exit("Run: python benchmarks/tables.py")


if __name__ == "__main__":
    main()

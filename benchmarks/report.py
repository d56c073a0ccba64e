"""Benchmark results as data: CSV files with their runs, and tables in Markdown.

A script measures rows: dictionaries whose keys are column names that end in a unit
(`median_ms`). `publish` prints them as a table and, with `--output=NAME.csv`, adds them
to that file. Each row has the name of its run in the column `run`, and `NAME.json` has
the date, machine, versions and command of each run.
"""

import csv
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import sys

# Packages whose versions decide a result.
PACKAGES = (
    "keras",
    "tensorflow",
    "torch",
    "timm",
    "ai-edge-litert",
    "onnxruntime",
    "openvino",
    "keras-cv",
    "torchvision",
)
MISSING = ""


def add_flags(parser):
    """Adds `--output` and `--run` to the flags of a script."""
    parser.add_argument(
        "--output", type=pathlib.Path, help="a CSV file to add the results to"
    )
    parser.add_argument(
        "--run",
        default=datetime.date.today().isoformat(),
        help="name of this run in the CSV file (default: the date)",
    )


def publish(options, rows, suffix=""):
    """Prints rows as a table and adds them to the file of `--output`.

    Args:
        options: The parsed flags, those of `add_flags` among them.
        rows: Dictionaries of values by column.
        suffix: String added to the name of the file, for a script that has more than
            one table.
    """
    rows = list(rows)
    print("\n" + markdown(*_cells(rows)), flush=True)
    if options.output:
        path = options.output.with_stem(options.output.stem + suffix)
        write(path, rows, options.run)
        print(f"\nWritten: {path}", file=sys.stderr)


def write(path, rows, run, description=None):
    """Adds the rows of a run to a CSV file, and the run to the JSON file next to it.

    Rows of an earlier run of the same name are replaced.

    Args:
        path: `pathlib.Path` of the CSV file.
        rows: Dictionaries of values by column.
        run: Name of the run.
        description: Dictionary that describes the run. Default: `describe_run()`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    old, runs = [], {}
    if path.exists():
        old = [row for row in read_text(path) if row["run"] != run]
        runs = read_runs(path)
    runs[run] = description or describe_run()
    new = old + [{"run": run} | row for row in rows]
    columns = list(dict.fromkeys(column for row in new for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval=MISSING, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _plain(value) for key, value in r.items()} for r in new)
    path.with_suffix(".json").write_text(json.dumps(runs, indent=2) + "\n")


def read(path):
    """Returns the rows of a CSV file; numbers are numbers, and empty cells None."""
    return [
        {column: _parse(cell) for column, cell in row.items()}
        for row in read_text(path)
    ]


def read_runs(path):
    """Returns the descriptions of the runs of a CSV file by name."""
    return json.loads(path.with_suffix(".json").read_text())


def markdown(columns, rows):
    """Returns a table in Markdown, with numbers aligned to the right.

    Args:
        columns: Titles.
        rows: Sequences of strings.
    """
    rows = [list(map(str, row)) for row in rows]
    right = [
        any(row[i] for row in rows)
        and all(not row[i] or row[i].lstrip("-+")[:1].isdigit() for row in rows)
        for i in range(len(columns))
    ]
    lines = [columns, ["---:" if number else "---" for number in right], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def describe_run():
    """Returns the date, machine, versions and command of this process."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": _machine(),
        "versions": {"python": platform.python_version()} | _versions(),
        "command": shlex.join(["python", *sys.argv]),
    }


def _machine():
    cpu, memory = platform.processor() or platform.machine(), ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            models = [line.partition(":")[2] for line in file if "model name" in line]
        cpu = models[0].strip() if models else cpu
    if hasattr(os, "sysconf"):
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = f", {size / 1e9:.0f} GB"
    return f"{os.cpu_count()} cores of {cpu}{memory}"


def _versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def read_text(path):
    """Returns the rows of a CSV file as text, with the digits that it has."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _cells(rows):
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return columns, [[_text(row.get(column)) for column in columns] for row in rows]


def _text(value):
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _plain(value):
    """Returns what a CSV file has for a value: six digits are more than is measured."""
    if value is None:
        return MISSING
    return f"{value:.6g}" if isinstance(value, float) else value


def _parse(cell):
    if cell == MISSING:
        return None
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell

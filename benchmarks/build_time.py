"""Seconds to build a network, compared with ResNet50 of `keras.applications`.

    python benchmarks/build_time.py

Networks are built in turn in one process; the table has medians, and the ratio to the
first row. Weights are random, not loaded.
"""

import argparse
import statistics
import time

import keras
import report

import se_keras

BUILDERS = {
    "keras.applications.ResNet50": lambda: keras.applications.ResNet50(weights=None),
    "resnet50": lambda: se_keras.create_model("resnet50"),
    "se_resnet50": lambda: se_keras.create_model("se_resnet50"),
}


def seconds_to_build(build) -> float:
    """Returns the seconds that one call takes, from a fresh session of Keras."""
    keras.backend.clear_session()
    started = time.perf_counter()
    build()
    return time.perf_counter() - started


def main():
    """Measures and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    report.add_flags(parser)
    options = parser.parse_args()
    times = {name: [] for name in BUILDERS}
    progress = keras.utils.Progbar(options.rounds, unit_name="round")
    for _ in range(options.rounds + 1):
        for name, build in BUILDERS.items():
            times[name].append(seconds_to_build(build))
        progress.add(len(times[name]) > 1)
    # The first round also imports what is imported on first use.
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    reference = next(iter(medians.values()))
    rows = [
        {"network": name, "median_s": median, "of_first": median / reference}
        for name, median in medians.items()
    ]
    report.publish(options, rows)


if __name__ == "__main__":
    main()

"""How long a network takes to build, beside the same depth in `keras.applications`.

    python benchmarks/build_time.py

Networks are built in turn in one process; the table has medians, and the ratio to the
first row. Weights are drawn, not loaded.
"""

import argparse
import statistics
import time

import keras

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
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    times = {name: [] for name in BUILDERS}
    progress = keras.utils.Progbar(rounds, unit_name="round")
    for _ in range(rounds + 1):
        for name, build in BUILDERS.items():
            times[name].append(seconds_to_build(build))
        progress.add(len(times[name]) > 1)
    # The first round also imports what is imported on first use.
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    reference = next(iter(medians.values()))
    print("| network | seconds | ratio |\n| --- | ---: | ---: |")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / reference:.2f} |")


if __name__ == "__main__":
    main()

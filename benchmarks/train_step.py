"""Time of a training step: this package, Keras's `fit`, and timm.

    python benchmarks/train_step.py                    # ImageNet's size: 224, batch 8
    python benchmarks/train_step.py --group=cifar      # 28 x 28, batch 128

Each contestant is a process of its own, so that none shares memory or threads with
another. All are started first; then they take a few steps each in turn, round after
round, so that other load on the machine affects all of them. A step is forward,
backward and SGD with momentum and weight decay, on one batch in memory; it ends when
the loss is known. The ratio of two contestants is the median of their ratios in each
round.

Contestants whose names start with `timm` need timm and torch; without them, use
`--skip=timm`.
"""

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time

import report

RATE, MOMENTUM, DECAY = 0.01, 0.9, 1e-4
# Idle threads keep a core busy for a short time after each step.
PAUSE_SECONDS = 0.3


@dataclasses.dataclass(frozen=True)
class Group:
    """Contestants that train on images of the same size.

    Attributes:
        size: Height and width of an image.
        batch: Number of images of a step.
        classes: Number of classes.
        contestants: The kind of step and the network, by name.
        ratios: Comparisons `(name, over, target)`: the speed of `name` divided by that
            of `over`, and the smallest ratio to reach.
    """

    size: int
    batch: int
    classes: int
    contestants: dict
    ratios: tuple


GROUPS = {
    "imagenet": Group(
        224,
        8,
        1000,
        {
            "Trainer se_resnet50": ("trainer", "se_resnet50"),
            "fit se_resnet50": ("fit", "se_resnet50"),
            "timm compiled seresnet50": ("compiled", "seresnet50"),
            "timm eager seresnet50": ("eager", "seresnet50"),
            "Trainer resnet50": ("trainer", "resnet50"),
            "timm compiled resnet50": ("compiled", "resnet50"),
        },
        (
            ("Trainer se_resnet50", "fit se_resnet50", 1.2),
            ("Trainer se_resnet50", "timm compiled seresnet50", 0.95),
            ("Trainer se_resnet50", "timm eager seresnet50", None),
            ("Trainer se_resnet50", "Trainer resnet50", 1 / 1.08),
            ("Trainer resnet50", "timm compiled resnet50", None),
            ("timm compiled seresnet50", "timm compiled resnet50", None),
        ),
    ),
    "cifar": Group(
        28,
        128,
        10,
        {
            "Trainer se_resnet20": ("trainer", "se_resnet20"),
            "fit se_resnet20": ("fit", "se_resnet20"),
            "Trainer resnet20": ("trainer", "resnet20"),
        },
        (
            ("Trainer se_resnet20", "fit se_resnet20", 2.0),
            ("Trainer se_resnet20", "Trainer resnet20", None),
        ),
    ),
}


def trainer(network, group):
    """Returns a function that takes steps with `se_keras.training.Trainer`."""
    import tensorflow as tf

    from se_keras.training import Classification, Trainer, make_recipe
    from se_keras.training.sgd import SGD

    recipe = make_recipe("sample", batch_size=group.batch, weight_decay=DECAY)
    loop = Trainer(
        _keras_network(network, group),
        SGD(RATE, momentum=MOMENTUM),
        Classification(recipe),
    )
    batch = tuple(tf.constant(array) for array in _batch(group))
    return _timed(lambda: float(loop.train_step(batch)["loss"]))


def fit(network, group):
    """Returns a function that takes steps with Keras's batch norm and `fit`.

    Keras's defaults are used; they do not use XLA on a machine with CPUs only.
    """
    import keras
    import tensorflow as tf

    model = keras.models.clone_model(
        _keras_network(network, group), clone_function=_with_keras_batch_norm
    )
    model.compile(
        keras.optimizers.SGD(RATE, momentum=MOMENTUM, weight_decay=DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    data = tf.data.Dataset.from_tensors(_batch(group)).repeat()

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(_now())

    def steps(count):
        clock = Clock()
        # The first step includes the start of the data set, and is not counted.
        model.fit(
            data, steps_per_epoch=count + 1, epochs=1, verbose=0, callbacks=[clock]
        )
        return list(map(_passed, clock.ends, clock.ends[1:]))

    return steps


def eager(network, group):
    """Returns a function that takes steps with timm, channels last."""
    return _torch_steps(network, group, lambda model: model)


def compiled(network, group):
    """Returns a function that takes steps with timm, channels last, compiled."""
    import torch

    return _torch_steps(network, group, torch.compile)


KINDS = {kind.__name__: kind for kind in (trainer, fit, eager, compiled)}


def _batch(group):
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (group.batch, group.size, group.size, 3)
    images = rng.normal(size=shape).astype("float32")
    return images, rng.integers(0, group.classes, group.batch)


def _keras_network(network, group):
    import se_keras

    return se_keras.create_model(
        network,
        input_shape=(group.size, group.size, 3),
        classes=group.classes,
        classifier_activation=None,
    )


def _with_keras_batch_norm(layer):
    """Returns a copy of a layer; of batch norm Keras's own."""
    import keras

    from se_keras.layers import BatchNormalization

    kind = type(layer)
    if kind is BatchNormalization:
        kind = keras.layers.BatchNormalization
    return kind.from_config(layer.get_config())


def _torch_steps(network, group, wrap):
    import timm
    import torch

    model = timm.create_model(network, num_classes=group.classes).train()
    model = wrap(model.to(memory_format=torch.channels_last))
    optimizer = torch.optim.SGD(
        model.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY
    )
    images, labels = (torch.from_numpy(array) for array in _batch(group))
    images = images.permute(0, 3, 1, 2)  # from channels last

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return _timed(step)


def _timed(step):
    def steps(count):
        times = []
        for _ in range(count):
            start = _now()
            step()
            times.append(_passed(start, _now()))
        return times

    return steps


def _now():
    return time.perf_counter(), time.process_time()


def _passed(start, end):
    """Returns milliseconds of wall time, and of CPU time of all threads."""
    return [1e3 * (b - a) for a, b in zip(start, end, strict=True)]


def serve(group, name):
    """Takes the number of steps in each line of the input; prints their times."""
    # What libraries print goes to stderr.
    answers, sys.stdout = sys.stdout, sys.stderr
    kind, network = group.contestants[name]
    steps = KINDS[kind](network, group)
    steps(3)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        times = steps(int(line))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([times, peak]), file=answers, flush=True)


class Contestant:
    """A process that takes steps on request."""

    def __init__(self, group_name, name):
        self.rounds = []
        self.cpu = []
        self.peak = 0.0
        self._process = subprocess.Popen(
            [sys.executable, __file__, f"--group={group_name}", f"--serve={name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._process.stdout.readline().strip() != "ready":
            raise SystemExit(
                f"{name} could not be started. To see the error:\n"
                f"  {sys.executable} {__file__} --group={group_name} '--serve={name}'"
            )

    def steps(self, count):
        """Takes steps and keeps their times."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        times, self.peak = json.loads(self._process.stdout.readline())
        wall, cpu = zip(*times, strict=True)
        self.rounds.append(wall)
        self.cpu.extend(cpu)

    @property
    def fastest(self):
        """Milliseconds of the fastest step."""
        return min(map(min, self.rounds))

    @property
    def cpu_time(self):
        """Median CPU time of a step, of all threads, in milliseconds."""
        return statistics.median(self.cpu)

    def stop(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def run(group_name, names, rounds, steps, minutes):
    """Runs contestants in turn, at most for some minutes, and returns them by name."""
    contestants = {}
    start = time.perf_counter()
    try:
        for name in names:
            contestants[name] = Contestant(group_name, name)
            print(
                f"started {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr
            )
        for _ in range(rounds):
            if time.perf_counter() - start > 60 * minutes:
                break
            for contestant in contestants.values():
                time.sleep(PAUSE_SECONDS)
                contestant.steps(steps)
    finally:
        for contestant in contestants.values():
            contestant.stop()
    return contestants


def times(group, contestants):
    """Yields a row of times and memory for each contestant."""
    for name, contestant in contestants.items():
        values = [value for round_ in contestant.rounds for value in round_]
        first, median, third = statistics.quantiles(values, n=4)
        yield {
            "step": name,
            "median_ms": median,
            "quartile_1_ms": first,
            "quartile_3_ms": third,
            "fastest_ms": contestant.fastest,
            "cpu_ms": contestant.cpu_time,
            "images_per_s": 1e3 * group.batch / median,
            "peak_memory_mb": round(contestant.peak),
        }


def ratios(group, contestants):
    """Yields a row for each comparison of the group."""
    for name, other, target in group.ratios:
        if not {name, other} <= set(contestants):
            continue
        one, two = contestants[name], contestants[other]
        found = [
            statistics.median(b) / statistics.median(a)
            for a, b in zip(one.rounds, two.rounds, strict=True)
        ]
        yield {
            "step": name,
            "over": other,
            "speed_ratio": statistics.median(found),
            "lowest_round": min(found),
            "highest_round": max(found),
            "of_fastest": two.fastest / one.fastest,
            "of_cpu_time": two.cpu_time / one.cpu_time,
            "target": target,
        }


def main():
    """Measures and publishes the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--group", choices=GROUPS, default="imagenet")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--steps", type=int, default=2, help="number of steps of a round"
    )
    parser.add_argument(
        "--minutes", type=float, default=60, help="start no round after this time"
    )
    parser.add_argument("--only", nargs="*", default=[], help="contestants by name")
    parser.add_argument("--skip", default=None, help="skip names that contain this")
    report.add_flags(parser)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    group = GROUPS[arguments.group]
    if arguments.serve:
        serve(group, arguments.serve)
        return
    unknown = set(arguments.only) - set(group.contestants)
    if unknown:
        parser.error(
            f"Expected contestants among {', '.join(group.contestants)}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    names = arguments.only or [
        name
        for name in group.contestants
        if arguments.skip is None or arguments.skip not in name
    ]
    contestants = run(
        arguments.group, names, arguments.rounds, arguments.steps, arguments.minutes
    )
    report.publish(arguments, times(group, contestants))
    compared = list(ratios(group, contestants))
    if compared:
        report.publish(arguments, compared, suffix="_ratio")


if __name__ == "__main__":
    main()

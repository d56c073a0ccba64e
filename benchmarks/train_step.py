"""Training steps side by side: this package, plain Keras, and timm.

    python benchmarks/train_step.py                    # ImageNet's size: 224, batch 8
    python benchmarks/train_step.py --group=cifar      # 28 x 28, batch 128

Each contestant is a process of its own, so that none shares memory or threads with
another. All are started first; then they take a few steps each in turn, round after
round, so that whatever else the machine does falls on all alike. A step is forward,
backward and SGD with momentum and weight decay, on one batch that is in memory; it ends
when the loss is known. The ratio of two contestants is the median of their ratios in
each round.

timm and torch are needed for the contestants whose names start with `timm`; without
them, `--skip=timm`.
"""

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time

RATE, MOMENTUM, DECAY = 0.01, 0.9, 1e-4
# Threads that wait for more work keep a core busy for a moment after each step.
PAUSE_SECONDS = 0.3


@dataclasses.dataclass(frozen=True)
class Group:
    """Contestants that train on images of the same size.

    Attributes:
        size: Height and width of an image.
        batch: Images of a step.
        classes: Number of classes.
        contestants: For each name, the kind of step and the network.
        ratios: What to print: `(name, of, target)`. Speed of `name` over that of `of`,
            and the target, at least.
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
            "ours se_resnet50": ("ours", "se_resnet50"),
            "fit se_resnet50": ("fit", "se_resnet50"),
            "timm compiled seresnet50": ("compiled", "seresnet50"),
            "timm eager seresnet50": ("eager", "seresnet50"),
            "ours resnet50": ("ours", "resnet50"),
            "timm compiled resnet50": ("compiled", "resnet50"),
        },
        (
            ("ours se_resnet50", "fit se_resnet50", 1.2),
            ("ours se_resnet50", "timm compiled seresnet50", 0.95),
            ("ours se_resnet50", "timm eager seresnet50", None),
            ("ours se_resnet50", "ours resnet50", 1 / 1.08),
            ("ours resnet50", "timm compiled resnet50", None),
            ("timm compiled seresnet50", "timm compiled resnet50", None),
        ),
    ),
    "cifar": Group(
        28,
        128,
        10,
        {
            "ours se_resnet20": ("ours", "se_resnet20"),
            "fit se_resnet20": ("fit", "se_resnet20"),
            "ours resnet20": ("ours", "resnet20"),
        },
        (
            ("ours se_resnet20", "fit se_resnet20", 2.0),
            ("ours se_resnet20", "ours resnet20", None),
        ),
    ),
}


def ours(network, group):
    """Returns a function that takes steps with this package's training loop."""
    import tensorflow as tf

    from se_keras.training import Trainer
    from se_keras.training.sgd import SGD

    trainer = Trainer(
        _keras_network(network, group),
        SGD(RATE, momentum=MOMENTUM),
        tf.distribute.get_strategy(),
        classes=group.classes,
        batch_size=group.batch,
        weight_decay=DECAY,
    )
    batch = tuple(tf.constant(array) for array in _batch(group))
    return _timed(lambda: float(trainer.train_step(batch)["loss"]))


def fit(network, group):
    """Returns a function that takes steps with Keras's batch norm and `fit`.

    With Keras's defaults: no XLA on a machine that has nothing but CPUs.
    """
    import keras
    import tensorflow as tf

    from se_keras.models import blocks

    blocks.BatchNormalization = keras.layers.BatchNormalization
    model = _keras_network(network, group)
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
        # The first step waits for the data set, and is not counted.
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


KINDS = {kind.__name__: kind for kind in (ours, fit, eager, compiled)}


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


def _torch_steps(network, group, wrap):
    import timm
    import torch

    model = timm.create_model(network, num_classes=group.classes).train()
    model = wrap(model.to(memory_format=torch.channels_last))
    optimizer = torch.optim.SGD(
        model.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY
    )
    images, labels = (torch.from_numpy(array) for array in _batch(group))
    images = images.permute(0, 3, 1, 2)  # Of an array with the channels last.

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
    """Returns milliseconds of the clock on the wall, and of all cores together."""
    return [1e3 * (b - a) for a, b in zip(start, end, strict=True)]


def serve(group, name):
    """Takes as many steps as each line of the input says; answers with their times."""
    # What libraries print is no answer.
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
    """A process that takes steps when told to."""

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
                f"{name} could not start. To see why:\n  {sys.executable} {__file__} "
                f"--group={group_name} '--serve={name}'"
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
        """Median of the milliseconds that all threads together took for a step."""
        return statistics.median(self.cpu)

    def stop(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def run(group_name, names, rounds, steps, minutes):
    """Runs contestants in turn and prints a table; ends early after some minutes."""
    group = GROUPS[group_name]
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
    report(group, contestants)


def report(group, contestants):
    """Prints times, memory and ratios, as tables of Markdown."""
    print("| step | median ms | quartiles | fastest | CPU ms | images/s | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, contestant in contestants.items():
        times = [value for values in contestant.rounds for value in values]
        low, median, high = statistics.quantiles(times, n=4)
        print(
            f"| {name} | {median:.0f} | {low:.0f} - {high:.0f} | "
            f"{contestant.fastest:.0f} | {contestant.cpu_time:.0f} | "
            f"{1e3 * group.batch / median:.2f} | {contestant.peak:.0f} |"
        )
    print()
    print("| speed of | over | ratio | rounds | fastest | CPU time | target |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, other, target in group.ratios:
        if {name, other} <= set(contestants):
            ratios = [
                statistics.median(b) / statistics.median(a)
                for a, b in zip(
                    contestants[name].rounds, contestants[other].rounds, strict=True
                )
            ]
            print(
                f"| {name} | {other} | {statistics.median(ratios):.3f} | "
                f"{min(ratios):.2f} - {max(ratios):.2f} | "
                f"{contestants[other].fastest / contestants[name].fastest:.3f} | "
                f"{contestants[other].cpu_time / contestants[name].cpu_time:.3f} | "
                f"{'' if target is None else f'{target:.3f}'} |"
            )


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--group", choices=GROUPS, default="imagenet")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2, help="steps of a round")
    parser.add_argument(
        "--minutes", type=float, default=60, help="no new round after so many"
    )
    parser.add_argument("--only", nargs="*", default=[], help="contestants by name")
    parser.add_argument("--skip", default=None, help="those whose name has this in it")
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
    run(arguments.group, names, arguments.rounds, arguments.steps, arguments.minutes)


if __name__ == "__main__":
    main()

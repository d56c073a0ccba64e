"""Trains with all that counts epochs or draws images, undisturbed and stopped.

python -m tests.training.stopped_runs DATA_DIR WORKDIR

Prints, as JSON, what came out of both, on one and on two devices.
"""

import csv
import hashlib
import json
import os
import pathlib
import signal
import sys

import keras
import tensorflow as tf

from se_keras import training
from se_keras.errors import InterruptionError
from se_keras.training import run
from se_keras.training.strategy import make_strategy
from tests.training.networks import SMALL, small_network

STOPS = ((0, 3), (1, 0), (2, 4))  # finished epochs, and steps after them


class StoppedTrainer(training.Trainer):
    """Receives SIGTERM in the next of some steps."""

    stops: tuple[tuple[int, int], ...] = ()

    def _train_step(self, batch):
        if self.stops and (self.progress.epoch, self.progress.step) == self.stops[0]:
            type(self).stops = self.stops[1:]
            os.kill(os.getpid(), signal.SIGTERM)
        return super()._train_step(batch)


def outcome(recipe, strategy, stops):
    StoppedTrainer.stops = stops
    times = 0
    while True:
        try:
            report = training.train(recipe, strategy)
            break
        except InterruptionError:
            times += 1
    workdir = pathlib.Path(recipe.runtime.workdir)
    with (workdir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["images_per_second"]
    digest = hashlib.sha256()
    for weight in keras.models.load_model(workdir / "model.keras").get_weights():
        digest.update(weight.tobytes())
    names = ("epochs", "epoch", "export", "accuracy", "loss", "examples")
    return {
        "stops": times,
        "weights": digest.hexdigest(),
        "rows": rows,
        "report": {name: report[name] for name in names},
    }


def main(data_dir, workdir):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    run.Trainer = StoppedTrainer
    recipe = training.make_recipe(
        "sample",
        data_dir=data_dir,
        model=SMALL,
        epochs=12,
        batch_size=50,
        image_size=8,
        learning_rate=0.5,
        schedule="step",  # a rate that is too high: accuracies go up and down
        warmup_epochs=0,
        exports=(),
        limit=300,
        sampling="balanced",
        early_stopping=2,
        export="best",
        keep_checkpoints=1,
        deterministic=True,
    )
    outcomes = {}
    for devices, name in (("one", "none"), ("two", "mirrored")):
        strategy = make_strategy(name)
        # Each start on two devices takes a minute.
        several = STOPS if devices == "one" else STOPS[1:2]
        for kind, stops in (("whole", ()), ("stopped", several)):
            own = recipe.replace(
                workdir=f"{workdir}/{devices}-{kind}",
                # A checkpoint within an epoch averages the statistics of devices.
                sync_batch_norm=devices == "two",
            )
            outcomes[f"{devices} {kind}"] = outcome(own, strategy, stops)
    (pathlib.Path(workdir) / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    with small_network():
        main(*sys.argv[1:])

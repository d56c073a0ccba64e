"""Trains as one worker of a cluster, or as the one process that it is compared with.

python -m tests.training.cluster DATA_DIR WORKDIR [--workers=A,B --worker_index=I]
    [--pause=SECONDS] [--precision=P] [--seconds=...]

Prints a line of JSON a step, `{"step": ..., "loss": ...}`, and at the end the report.
"""

import argparse
import json
import time

import keras

from se_keras import training
from se_keras.cli.exit import exit_on_usage_error
from se_keras.training import run
from tests.training.networks import SMALL, small_network


class RecordingTrainer(training.Trainer):
    """Prints the loss of each step, and takes its time."""

    pause = 0.0

    def _train_step(self, batch):
        sums = super()._train_step(batch)
        loss = float(sums["loss"] / sums["examples"])
        iterations = int(keras.ops.convert_to_numpy(self.optimizer.iterations))
        print(json.dumps({"step": iterations, "loss": loss}), flush=True)
        time.sleep(self.pause)
        return sums


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir")
    parser.add_argument("workdir")
    parser.add_argument("--workers", default="")
    parser.add_argument("--worker_index", type=int)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--checkpoint_every", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0.0)
    arguments = parser.parse_args()
    RecordingTrainer.pause = arguments.pause
    run.Trainer = RecordingTrainer
    recipe = training.make_recipe(
        "sample",
        data_dir=arguments.data_dir,
        workdir=arguments.workdir,
        model=SMALL,
        epochs=arguments.epochs,
        batch_size=128,
        image_size=8,
        learning_rate=0.005,  # rounding grows with it
        strategy="multi_worker" if arguments.workers else "none",
        workers=tuple(arguments.workers.split(",")) if arguments.workers else (),
        worker_index=arguments.worker_index,
        sync_batch_norm=bool(arguments.workers),
        checkpoint_every=arguments.checkpoint_every,
        deterministic=True,
        exports=(),
    )
    with exit_on_usage_error(), small_network():
        report = training.train(recipe)
    print(json.dumps({k: report[k] for k in ("loss", "accuracy", "examples")}))


if __name__ == "__main__":
    main()

"""Trains with deterministic operations, in one or more work directories.

python -m tests.training.killed_run DATA_DIR WORKDIR... [--kill]

With --kill the process kills itself in the middle of the second epoch.
"""

import os
import signal
import sys

import tensorflow as tf

from se_keras import training
from se_keras.training import run
from tests.training.networks import SMALL, small_network

LAST_STEP = 11 + 5


class KilledTrainer(training.Trainer):
    steps = 0

    def _train_step(self, batch):
        if self.steps == LAST_STEP:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps += 1
        return super()._train_step(batch)


def main(data_dir, *workdirs):
    if "--kill" in workdirs:
        run.Trainer = KilledTrainer
    tf.config.experimental.enable_op_determinism()
    for workdir in workdirs:
        if workdir.startswith("--"):
            continue
        training.train(
            training.make_recipe(
                data_dir=data_dir,
                model=SMALL,
                epochs=3,
                batch_size=128,
                image_size=8,
                precision="mixed_float16",
                exports=(),
                workdir=workdir,
            )
        )


if __name__ == "__main__":
    with small_network():
        main(*sys.argv[1:])

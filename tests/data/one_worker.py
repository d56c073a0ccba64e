"""Writes the batches that a worker of `TF_CONFIG` sees, or without it a process alone.

python -m tests.data.one_worker DATA_DIR FILE plain|mixed
"""

import os
import sys

import numpy as np
import tensorflow as tf

from se_keras.data import (
    Augmentation,
    evaluation_batches,
    open_source,
    training_batches,
)
from se_keras.models import Preprocessing


def main(data_dir, file, mixing):
    alone = "TF_CONFIG" not in os.environ
    strategy = (
        tf.distribute.get_strategy()
        if alone
        else tf.distribute.MultiWorkerMirroredStrategy()
    )
    tf.random.set_seed(0)
    source = open_source("digits", data_dir)
    preprocessing = Preprocessing((8, 8), 1.0, mean=(0.0,), std=(1 / 255,))
    mixed = mixing == "mixed"
    config = Augmentation(mixup=0.2, cutmix=1.0) if mixed else Augmentation()
    data = {
        "train": training_batches(
            source, preprocessing, config, batch_size=64, seed=0, epoch=3, first_step=5
        ),
        "evaluation": evaluation_batches(source, preprocessing, batch_size=64),
    }
    arrays = {}
    for name, batches in data.items():
        if not alone:
            batches = strategy.experimental_distribute_dataset(batches)
        seen = [
            [strategy.experimental_local_results(part)[0] for part in batch]
            for batch in batches
        ]
        for place, parts in enumerate(zip(*seen, strict=True)):
            arrays[f"{name}_{place}"] = np.concatenate(parts)
    np.savez(file, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])

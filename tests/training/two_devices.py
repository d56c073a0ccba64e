"""Trains one network on one and on two devices; prints what came out as JSON.

python -m tests.training.two_devices DATA_DIR WORKDIR
"""

import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from se_keras import training
from se_keras.data import evaluation_batches, open_source
from se_keras.errors import UsageError
from se_keras.training import run
from se_keras.training.strategy import make_strategy
from tests.training.networks import SMALL, small_network

losses = []


class RecordingTrainer(training.Trainer):
    def _train_step(self, batch):
        sums = super()._train_step(batch)
        losses.append(float(sums["loss"] / sums["examples"]))
        return sums


def outcome(data_dir, workdir, strategy, sync_batch_norm):
    losses.clear()
    recipe = training.make_recipe(
        "sample",
        data_dir=data_dir,
        model=SMALL,
        epochs=1,
        batch_size=128,
        image_size=8,
        learning_rate=0.02,
        weight_decay=0.05,  # enough to see whether it is shared out too
        exports=(),
        sync_batch_norm=sync_batch_norm,
        workdir=str(workdir),
    )
    report = training.train(recipe, strategy)
    model = keras.models.load_model(workdir / "model.keras")
    return {
        "losses": list(losses),
        "weights": np.concatenate([w.ravel() for w in model.get_weights()]).tolist(),
        "report": {k: report[k] for k in ("loss", "accuracy", "examples")},
        "recomputed": recompute(model, data_dir),
    }


def recompute(model, data_dir):
    """Evaluates on one device, by NumPy and with a batch that leaves no remainder."""
    source = open_source("digits", data_dir)
    (batch,) = evaluation_batches(source, model.preprocessing, batch_size=360)
    images, labels, _ = (part.numpy() for part in batch)
    scores = model.predict(images, verbose=0).astype("float64")
    return {
        "loss": float(-np.log(scores[np.arange(360), labels]).mean()),
        "accuracy": float((scores.argmax(-1) == labels).mean()),
        "examples": len(labels),
    }


def main(data_dir, workdir):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    run.Trainer = RecordingTrainer
    workdir = pathlib.Path(workdir)
    one = make_strategy("none")
    # One object for both runs: a second one would reuse the keys of its collectives.
    two = make_strategy("mirrored")
    outcomes = {
        name: outcome(data_dir, workdir / name, strategy, sync_batch_norm)
        for name, strategy, sync_batch_norm in (
            ("one", one, False),
            ("two", two, True),
            ("two_apart", two, False),
        )
    }
    outcomes["replicas"] = two.num_replicas_in_sync
    try:
        training.train(
            training.make_recipe(
                data_dir=data_dir, batch_size=33, workdir=str(workdir / "odd")
            ),
            two,
        )
    except UsageError as error:
        outcomes["odd_batch"] = {
            "message": str(error),
            "workdir": (workdir / "odd").exists(),
        }
    (workdir / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    with small_network():
        main(*sys.argv[1:])

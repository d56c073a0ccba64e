"""Trains with each optimizer on one and on two devices; prints the weights as JSON.

python -m tests.training.two_replicas
"""

import json

import keras
import numpy as np
import tensorflow as tf

from se_keras.training.optimizer import SGD, AdamW, Lamb
from tests.training import trainers

CASES = {
    "sgd, clipped": (lambda: SGD(0.1, momentum=0.9), {"clip_norm": 0.05}),
    "adamw": (lambda: AdamW(0.01, decoupled_decay=0.1), {}),
    "lamb, clipped": (lambda: Lamb(0.02, decoupled_decay=0.1), {"clip_norm": 0.05}),
    "scaled": (
        lambda: keras.optimizers.LossScaleOptimizer(SGD(0.1)),
        {"clip_norm": 0.05, "weight_decay": 0.01},
    ),
}


def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9, synchronized=True),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5),
        ]
    )


def outcome(strategy, make_optimizer, settings):
    with strategy.scope():
        model, average = network(), network()
        optimizer = make_optimizer()
    trainer = trainers.make_trainer(
        model,
        optimizer,
        strategy=strategy,
        average=average,
        batch_size=8,
        ema=0.5,
        **settings,
    )
    rng = np.random.default_rng(0)
    images = rng.normal(size=(40, 6, 6, 3), scale=3).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, rng.integers(0, 5, 40)))
    for batch in strategy.experimental_distribute_dataset(data.batch(8)):
        trainer.train_step(batch)
    return {
        "replicas": strategy.num_replicas_in_sync,
        "model": weights(model),
        "average": weights(average),
    }


def weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()]).tolist()


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy()
    print(
        json.dumps(
            {
                name: [outcome(strategy, *case) for strategy in strategies]
                for name, case in CASES.items()
            }
        )
    )


if __name__ == "__main__":
    main()

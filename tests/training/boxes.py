"""A task that is not classification: find a square in an image.

Like detection, it has padded boxes as targets, two outputs and two terms of the loss,
and a metric that NumPy computes over all evaluation images at once.

python -m tests.training.boxes

trains on one and on two devices, and prints what came out as JSON.
"""

import json

import keras
import numpy as np
import tensorflow as tf

from se_keras.training import TASKS, Cluster, Task, Trainer, make_optimizer, make_recipe

SIZE, BATCH, STEPS, EVALUATED = 12, 8, 6, 21


def draw(count, seed):
    """Draws images of a square of one of two brightnesses, and their targets."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, SIZE, SIZE, 1), scale=0.1).astype("float32")
    boxes = np.full((count, 3, 4), -1, "float32")  # one box, and padding
    classes = np.full((count, 3), -1, "int32")
    for i in range(count):
        top, left = rng.integers(0, SIZE - 4, 2)
        side, kind = rng.integers(3, 5), rng.integers(0, 2)
        images[i, top : top + side, left : left + side] += 1 + kind
        boxes[i, 0] = np.array([top, left, top + side, left + side]) / SIZE
        classes[i, 0] = kind
    return images, {"boxes": boxes, "classes": classes, "id": np.arange(count)}


class Boxes(Task):
    monitor, monitor_mode = "val_iou", "max"

    def open(self, shard=(0, 1)):
        assert shard == (0, 1)

    num_train_examples = BATCH * STEPS
    evaluation_split = "validation"

    def training_batches(self, epoch, first_step=0):
        data = tf.data.Dataset.from_tensor_slices(draw(BATCH * STEPS, 1 + epoch))
        return data.batch(BATCH, drop_remainder=True).skip(first_step)

    def evaluation_batches(self):
        """The last batch is filled up, with images of weight 0."""
        images, targets = draw(-(-EVALUATED // BATCH) * BATCH, 0)
        weights = np.float32(targets["id"] < EVALUATED)
        return tf.data.Dataset.from_tensor_slices((images, targets, weights)).batch(
            BATCH
        )

    def create_model(self, load_weights=True):
        inputs = keras.Input((SIZE, SIZE, 1))
        x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.Dropout(0.1)(keras.layers.Flatten()(x))
        box = keras.layers.Dense(4, name="box")(x)
        classes = keras.layers.Dense(2, name="classes")(x)
        return keras.Model(inputs, {"box": box, "classes": classes})

    def inference_model(self, trained):
        model = self.create_model()
        model.set_weights(trained.get_weights())
        return model

    def losses(self, targets, outputs):
        error = tf.abs(targets["boxes"][:, 0] - outputs["box"])
        return {
            "box_loss": tf.reduce_mean(error, -1),
            "class_loss": keras.losses.sparse_categorical_crossentropy(
                targets["classes"][:, 0], outputs["classes"], from_logits=True
            ),
        }

    def predictions(self, targets, outputs):
        return {
            "id": targets["id"],
            "box": outputs["box"],
            "truth": targets["boxes"][:, 0],
        }

    def evaluate(self, sums, predictions):
        assert sorted(predictions["id"]) == list(range(EVALUATED))
        return self.logs(sums) | {"iou": mean_iou(**predictions)}


def mean_iou(id, box, truth):
    low = np.maximum(box[:, :2], truth[:, :2])
    high = np.minimum(box[:, 2:], truth[:, 2:])
    both = np.prod(np.maximum(high - low, 0), -1)
    areas = [np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), -1) for b in (box, truth)]
    return float(np.mean(both / (areas[0] + areas[1] - both)))


TASKS["boxes"] = Boxes


def box_recipe(**settings):
    return make_recipe(
        "sample",
        task="boxes",
        dataset="squares",
        model="small",
        batch_size=BATCH,
        image_size=SIZE,
        learning_rate=0.01,
        epochs=3,
        strategy="none",
        **settings,
    )


def outcome(strategy):
    cluster = Cluster(strategy)
    task = Boxes(box_recipe(sync_batch_norm=True))
    keras.utils.set_random_seed(0)
    with cluster.scope():
        model = task.create_model()
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0  # the devices draw for themselves
        optimizer = make_optimizer(task.recipe, STEPS)
    trainer = Trainer(model, optimizer, task, cluster)
    history = trainer.fit(
        task.training_batches,
        task.evaluation_batches(),
        steps_per_epoch=STEPS,
        epochs=2,
        verbose=0,
    )
    return {"replicas": cluster.replicas, "history": history}


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy()
    print(json.dumps([outcome(strategy) for strategy in strategies]))


if __name__ == "__main__":
    main()

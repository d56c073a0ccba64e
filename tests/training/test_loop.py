import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras.errors import InterruptionError, UsageError
from se_keras.layers import SqueezeExcite
from se_keras.training.loop import Progress
from tests.training import trainers

CLASSES, BATCH, STEPS = 7, 8, 5


def network(regularizer=None, classes=CLASSES):
    """Builds a network with all kinds of weights; it is the same at each call."""
    keras.utils.set_random_seed(3)
    conv = {"kernel_regularizer": regularizer, "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.Conv2D(8, 3, use_bias=False, **conv),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            SqueezeExcite(ratio=2, kernel_regularizer=regularizer),
            keras.layers.Conv2D(8, 3, bias_initializer="ones", **conv),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, kernel_regularizer=regularizer),
        ]
    )


def sgd(**settings):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.3, STEPS)
    return keras.optimizers.SGD(schedule, momentum=0.9, **settings)


def trainer(model=None, optimizer=None, classes=CLASSES, **settings):
    return trainers.make_trainer(
        model or network(classes=classes),
        optimizer or sgd(),
        batch_size=BATCH,
        **settings,
    )


def batches(count=STEPS, classes=CLASSES):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(count, BATCH, 6, 5, 3)).astype("float32")
    labels = rng.integers(0, classes, (count, BATCH))
    return tf.data.Dataset.from_tensor_slices((images, labels))


def kernels(model):
    """Returns the weights that multiply: not batch norm, not biases."""
    return [w for w in model.trainable_variables if w.shape.rank > 1]


def cross_entropy(logits, labels):
    """Returns the cross-entropy of each image."""
    logits = logits.astype("float64")
    log_sum = np.log(np.exp(logits).sum(-1))
    return log_sum - logits[np.arange(len(labels)), labels]


@pytest.mark.parametrize(
    ("decay", "smoothing", "nesterov"),
    [(0.0, 0.0, False), (0.05, 0.0, False), (0.05, 0.1, True)],
)
def test_steps_are_those_of_keras(decay, smoothing, nesterov):
    ours = trainer(
        optimizer=sgd(nesterov=nesterov), weight_decay=decay, label_smoothing=smoothing
    )
    theirs = network(keras.regularizers.L2(decay / 2))
    theirs.compile(
        sgd(nesterov=nesterov),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=smoothing
        ),
    )
    for images, labels in batches():
        penalty = decay / 2 * sum(np.square(w).sum() for w in kernels(ours.model))
        sums = ours.train_step((images, labels))
        assert sums["examples"] == BATCH
        expected = theirs.train_on_batch(images, tf.one_hot(labels, CLASSES))
        assert float(sums["loss"]) / BATCH + penalty == pytest.approx(expected, 1e-5)
    for actual, expected in zip(
        ours.model.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_class_weights_are_those_of_keras():
    """In training; the loss of an evaluation is not weighted, as in Keras."""
    factors = np.linspace(0.2, 3, CLASSES).astype("float32")
    ours, theirs = trainer(), network()
    ours.task._class_weights = factors
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs.compile(sgd(), loss)
    by_class = dict(enumerate(factors.tolist()))
    for images, labels in batches():
        sums = ours.train_step((images, labels))
        expected = theirs.train_on_batch(images, labels, class_weight=by_class)
        assert float(sums["loss"]) / BATCH == pytest.approx(expected, 1e-5)
    for actual, expected in zip(
        ours.model.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)
    evaluated = ours.evaluate(batches(1).map(lambda x, y: (x, y, tf.ones(BATCH))))
    images, labels = next(iter(batches(1)))
    assert evaluated["loss"] == pytest.approx(
        theirs.evaluate(images, labels, verbose=0), 1e-5
    )


def test_decay_is_on_kernels_alone():
    """Where the loss has no gradient, kernels shrink and nothing else moves."""
    model = network()
    ours = trainer(model, keras.optimizers.SGD(0.5), weight_decay=0.1)
    images = np.zeros((BATCH, 6, 5, 3), "float32")
    # A classifier of zeros lets no gradient through to the layers before it.
    classifier = model.layers[-1]
    classifier.set_weights([np.zeros((8, CLASSES)), np.zeros(CLASSES)])
    model.layers[1].gamma.assign(np.full(8, 2.0))
    before = [w.numpy() for w in model.trainable_variables]
    ours.train_step((images, np.arange(BATCH) % CLASSES))
    decayed = {id(w) for w in kernels(model)}
    for variable, value in zip(model.trainable_variables, before, strict=True):
        if any(variable is own for own in classifier.trainable_variables):
            continue
        share = 0.95 if id(variable) in decayed else 1
        np.testing.assert_allclose(variable.numpy(), share * value, atol=1e-6)


def test_penalties_of_the_model_itself_count():
    own = trainer(network(keras.regularizers.L2(0.025)))
    ours = trainer(weight_decay=0.05)
    for batch in batches():
        losses = [float(each.train_step(batch)["loss"]) for each in (own, ours)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("classes", [4, 7])
def test_evaluation_matches_numpy(classes):
    ours = trainer(classes=classes)
    images, labels = next(iter(batches(1, classes).unbatch().batch(BATCH)))
    images, labels = images.numpy(), labels.numpy()
    images = np.concatenate([images, 2 * images])
    labels = np.concatenate([labels, labels])
    weights = np.float32(np.arange(2 * BATCH) < 11)
    data = tf.data.Dataset.from_tensor_slices((images, labels, weights)).batch(BATCH)
    found = ours.evaluate(data)

    logits = ours.model.predict(images[:11], verbose=0)
    rank = (logits > logits[np.arange(11), labels[:11]][:, None]).sum(-1)
    expected = {
        "loss": cross_entropy(logits, labels[:11]).mean(),
        "accuracy": (rank == 0).mean(),
        "examples": 11,
    }
    if classes > 5:
        expected["top5_accuracy"] = (rank < 5).mean()
    assert found == pytest.approx(expected, rel=1e-5)


def test_evaluation_changes_nothing():
    ours = trainer()
    before = ours.model.get_weights()
    ours.evaluate(batches().map(lambda x, y: (x, y, tf.ones(BATCH))))
    for actual, expected in zip(ours.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


class Watch(keras.callbacks.Callback):
    """Notes what it is called with; stops after an epoch."""

    def __init__(self, last=None):
        super().__init__()
        self.epochs, self.steps, self.last = {}, [], last

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs[epoch] = dict(logs)
        self.model.stop_training = epoch == self.last


def fit(ours, watch, **settings):
    asked = []

    def training_data(epoch, first_step):
        asked.append(epoch)
        return batches().skip(first_step)

    model_logs = ours.fit(
        training_data,
        batches(1).map(lambda x, y: (x, y, tf.ones(BATCH))),
        steps_per_epoch=STEPS,
        callbacks=[watch],
        verbose=0,
        **settings,
    )
    return asked, model_logs


def test_fit_counts_and_logs():
    watch, ours = Watch(), trainer()
    asked, history = fit(ours, watch, epochs=4, progress=Progress(1))
    assert asked == list(watch.epochs) == [1, 2, 3]
    assert watch.steps == list(range(STEPS)) * 3
    names = {"loss", "accuracy", "top5_accuracy"}
    assert set(watch.epochs[1]) == names | {f"val_{name}" for name in names}
    assert history["loss"] == [logs["loss"] for logs in watch.epochs.values()]
    assert int(ours.optimizer.iterations) == 3 * STEPS

    # The logs are means over the epoch's images, whatever the progress bar shows.
    again = trainer()
    losses = [
        float(again.train_step(batch)["loss"]) for _ in range(3) for batch in batches()
    ]
    expected = np.reshape(losses, (3, STEPS)).mean(-1) / BATCH
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)


def test_fit_stops_when_a_callback_says_so():
    watch = Watch(last=1)
    assert fit(trainer(), watch, epochs=9)[0] == [0, 1]


def test_fit_of_no_epoch():
    assert fit(trainer(), Watch(), epochs=3, progress=Progress(3)) == ([], {})


@pytest.mark.parametrize("bad", [0, 2, STEPS - 1])
def test_fit_says_in_which_step_a_loss_is_not_finite(bad):
    watch, ours = Watch(), trainer()

    def training_data(epoch, first_step):
        def spoil(step, batch):
            images, labels = batch
            return tf.where(step == bad and epoch == 1, np.inf, images), labels

        return batches().enumerate().map(spoil)

    with pytest.raises(UsageError, match=rf"loss is nan in step {bad + 1} of epoch 2:"):
        ours.fit(
            training_data,
            batches(1).map(lambda x, y: (x, y, tf.ones(BATCH))),
            steps_per_epoch=STEPS,
            epochs=3,
            callbacks=[watch],
            verbose=0,
        )
    assert list(watch.epochs) == [0]
    # Found at the latest while the step after it is done.
    assert len(watch.steps) <= STEPS + bad + 1


def test_fit_hears_a_stop_that_came_before_it():
    ours = trainer()
    ours.request_stop()
    with pytest.raises(InterruptionError, match="After step 1 of epoch 1"):
        fit(ours, Watch(), epochs=2)


def test_fit_stops_before_a_loss_that_is_not_finite_is_saved():
    watch, ours = Watch(), trainer()
    ours.model.trainable_variables[0].assign(
        np.full(ours.model.trainable_variables[0].shape, np.nan)
    )
    with pytest.raises(UsageError, match="loss is nan in step 1 of epoch 1"):
        fit(ours, watch, epochs=2)
    assert not watch.epochs

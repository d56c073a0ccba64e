import csv
import dataclasses
import json

import huggingface_hub
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from se_keras import create_model, training
from se_keras.errors import UsageError
from se_keras.training.finetune import FreezeBackbone, layer_rates
from se_keras.training.optimizer import SGD
from tests.training import trainers
from tests.training.networks import SMALL, small_network

SHAPE = (8, 8, 1)


@pytest.fixture
def small():
    with small_network():
        yield


@pytest.mark.usefixtures("small")
def test_layer_rates():
    network = create_model(SMALL, input_shape=SHAPE)
    rates = layer_rates(network, 0.5)
    found = {v.path: rates(v) for v in network.trainable_variables}
    assert found["predictions/kernel"] == found["predictions/bias"] == 1
    assert found["stage3_block1_se/fc1/kernel"] == 0.5
    assert found["stage1_block1_conv1/kernel"] == 0.5**3
    assert found["stem_conv/kernel"] == 0.5**4
    assert layer_rates(network, 1.0) is None


@pytest.mark.parametrize(
    ("name", "stages"), [("se_vgg16", 5), ("se_mobilenet", 5), ("se_shufflenet", 3)]
)
def test_layer_rates_of_other_families(name, stages):
    """Each stage has its own, and a family without a stem has none for it."""
    network = create_model(name, input_shape=(32, 32, 3))
    rates = layer_rates(network, 0.5)
    found = [rates(layer.weights[0]) for layer in network.layers if layer.weights]
    assert found == sorted(found)
    assert found[-1] == 1
    stem = name != "se_vgg16"
    assert set(found) == {0.5**n for n in range(stages + 1 + stem)}


def test_layer_rates_need_a_known_network():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="mine")
    assert layer_rates(model, 1.0) is None
    with pytest.raises(UsageError, match=r"layer_decay=0.5 and model 'mine'"):
        layer_rates(model, 0.5)


@pytest.mark.slow
def test_layer_rates_of_the_deepest_network():
    """Its layers are more than Keras can walk over without a higher limit."""
    network = create_model("se_resnet269d", input_shape=(32, 32, 3))
    rates = layer_rates(network, 0.5)
    assert rates(network.get_layer("stem_conv1").kernel) == 0.5**5


def test_layer_rates_of_a_model_without_stages():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(UsageError, match=r"layer_decay=0\.5"):
        layer_rates(model, 0.5)


@pytest.mark.usefixtures("small")
def test_frozen_epochs_train_the_classifier_alone():
    model = create_model(
        SMALL, input_shape=SHAPE, classes=4, classifier_activation=None
    )
    optimizer = SGD(0.1)
    model.compile(optimizer)
    trainer = trainers.make_trainer(model, optimizer, batch_size=4)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, *SHAPE)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, np.arange(8) % 4)).batch(4)
    changed = {}

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.before = [w.numpy() for w in model.weights]

        def on_epoch_end(self, epoch, logs=None):
            changed[epoch] = {
                w.path
                for w, before in zip(model.weights, self.before, strict=True)
                if not np.array_equal(w, before)
            }

    trainer.fit(
        lambda epoch, step: data,
        data.map(lambda x, y: (x, y, tf.ones(4))),
        steps_per_epoch=2,
        epochs=4,
        callbacks=[FreezeBackbone(trainer, 2), Watch()],
        verbose=0,
    )
    assert changed[0] == changed[1] == {"predictions/kernel", "predictions/bias"}
    everything = {w.path for w in model.weights}
    assert changed[2] == changed[3] == everything


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory):
    """The digits in three classes with names of their own, as a data set of TFDS."""
    from sklearn.datasets import load_digits

    path = tmp_path_factory.mktemp("tfds")
    images, labels = load_digits(return_X_y=True)
    images = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype("uint8")
    examples = [
        (int(i), {"image": images[i], "label": int(labels[i] % 3)}) for i in range(480)
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="thirds",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
                "label": tfds.features.ClassLabel(names=["none", "one", "two"]),
            }
        ),
        split_datasets={"train": examples[:360], "test": examples[360:]},
        data_dir=path,
    )
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_fine_tuning_from_own_weights(digits_run, shapes_dir, tmp_path, capsys):
    """Its images, the classes of the data set, and features that are of use at once."""
    weights = tmp_path / "model.keras"
    source = keras.models.load_model(digits_run.workdir / "model.keras")
    # A preprocessing that no network of the registry has.
    source.preprocessing = dataclasses.replace(
        source.preprocessing, mean=(0.48,), std=(0.26,), interpolation="bicubic"
    )
    source.save(weights)
    recipe = training.make_recipe(
        "finetune",
        weights=str(weights),
        dataset="thirds",
        data_dir=str(shapes_dir),
        model=SMALL,
        image_size=12,
        batch_size=20,
        epochs=3,
        freeze_epochs=1,
        warmup_epochs=0,
        learning_rate=0.05,
        exports=("tflite",),
        workdir=str(tmp_path / "run"),
        **{"augmentation.flip": False, "augmentation.crop": "padded"},
    )
    report = training.train(recipe)
    tuned = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert tuned.class_names == ("none", "one", "two")
    assert tuned.preprocessing == source.preprocessing
    assert tuned.output_shape == (None, 3)
    assert report["exports"]["tflite"]["top1_agreement"] == 1
    loaded = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert loaded["info"]["source"] == str(weights)
    assert loaded["skipped"][0]["names"] == ["predictions/kernel", "predictions/bias"]
    assert "Weights: " in capsys.readouterr().out
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        first, *_ = csv.DictReader(file)
    # Of three classes, of which the weights have seen none, with the classifier alone.
    assert float(first["val_accuracy"]) > 0.55


@pytest.mark.usefixtures("small")
def test_loaded_weights_are_reported_once(digits_run, shapes_dir, caplog):
    recipe = training.make_recipe(
        "finetune",
        weights=str(digits_run.workdir / "model.keras"),
        dataset="thirds",
        data_dir=str(shapes_dir),
        model=SMALL,
        image_size=12,
        exports=(),
    )
    task = training.Classification(recipe)
    task.open()
    model = task.create_model()
    report = task.load_report
    assert len(report.loaded) == len(model.weights) - 2
    (skipped,) = report.skipped
    assert skipped.names == ("predictions/kernel", "predictions/bias")
    assert "10 classes in the file, 3 in the model" in str(report)
    assert "se_keras.weights" not in {record.name for record in caplog.records}
    task.create_model(load_weights=False)
    assert task.load_report is report


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("{folder}/none.safetensors", "none.safetensors"),
        ("timm/seresnet50.a1_in1k", "weights of se_resnet8. Received: .*se_resnet50"),
        ("timm/seresnet5.a1_in1k", "seresnet5"),
    ],
)
def test_bad_weights(weights, message, recipe, tmp_path, monkeypatch):
    def download(*args, **kwargs):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    weights = weights.format(folder=tmp_path)
    with pytest.raises(UsageError, match=message):
        training.train(dataclasses.replace(recipe, weights=weights))
    assert not (tmp_path / "run").exists()

"""What a SavedModel makes of encoded images, and of images of another size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras import create_model, export, fold
from se_keras.data import read_image
from se_keras.errors import UsageError
from se_keras.export.formats import FORMATS, saved_model
from se_keras.layers import SqueezeExcite
from se_keras.models import Preprocessing
from tests.helpers import relative_error
from tests.models.tools import randomize

NAMES = ("eins", "zwei", "drei", "vier", "fünf")


@pytest.fixture(scope="module")
def model():
    network = create_model("se_resnet20", classes=5, input_shape=(16, 20, 3))
    network = randomize(network)
    # Probabilities of random networks are 0 and 1.
    network.layers[-1].activation = keras.activations.linear
    network.preprocessing = Preprocessing(
        (16, 20), 0.8, "bicubic", (0.4, 0.5, 0.6), (0.3, 0.2, 0.1)
    )
    network.class_names = NAMES
    return network


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images of several sizes and formats."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(1)
    sizes = [(30, 40), (25, 20), (16, 60)]
    for index, suffix in enumerate(("png", "jpg", "bmp")):
        size, coarse = (
            sizes[index],
            rng.uniform(0, 255, (4, 5, 3)) * rng.uniform(size=3),
        )
        image = tf.image.resize(coarse, size).numpy().astype("uint8")
        keras.utils.save_img(folder / f"{index}.{suffix}", image, scale=False)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("include_preprocessing", [True, False])
def test_encoded_images(include_preprocessing, model, files, tmp_path):
    path = tmp_path / "model"
    export.saved_model(model, path, include_preprocessing=include_preprocessing)
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["classify"](
        encoded_images=tf.constant([file.read_bytes() for file in files])
    )
    pixels = np.stack([read_image(file, model.preprocessing) for file in files])
    expected = model.predict(model.preprocessing.normalize(pixels), verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.1 * np.abs(expected).max()
    order = np.argsort(-expected, axis=-1)
    np.testing.assert_allclose(
        answer["scores"], np.take_along_axis(expected, order, -1), rtol=1e-4, atol=1e-4
    )
    names = [[NAMES[index].encode() for index in row] for row in order]
    assert answer["classes"].numpy().tolist() == names


def test_a_bad_file_does_not_fail_its_batch(model, files, tmp_path):
    path = tmp_path / "model"
    export.saved_model(model, path, include_preprocessing=True)
    classify = tf.saved_model.load(str(path)).signatures["classify"]
    good = [file.read_bytes() for file in files]
    bad = [b"", b"not an image", good[0][:60], good[0][:8] + good[0][9:]]
    answer = classify(encoded_images=tf.constant([*bad, *good]))
    assert answer["valid"].numpy().tolist() == [False] * 4 + [True] * 3
    assert not answer["scores"][:4].numpy().any()
    assert {*answer["classes"][:4].numpy().ravel()} == {b""}
    alone = classify(encoded_images=tf.constant(good))
    np.testing.assert_allclose(answer["scores"][4:], alone["scores"], rtol=1e-4)
    np.testing.assert_array_equal(answer["classes"][4:], alone["classes"])


def test_without_names_classes_are_numbers(model, files, tmp_path):
    model = keras.Model(model.input, model.output)
    path = tmp_path / "model"
    export.saved_model(model, path, preprocessing=Preprocessing((16, 20)))
    answer = tf.saved_model.load(str(path)).classify(
        tf.constant([files[0].read_bytes()])
    )
    assert {*answer["classes"].numpy().ravel()} == {b"0", b"1", b"2", b"3", b"4"}


def test_without_preprocessing_there_is_no_such_signature(tmp_path):
    path = tmp_path / "model"
    image = keras.Input((16, 20, 3))
    export.saved_model(
        keras.Model(image, keras.layers.GlobalAveragePooling2D()(image)), path
    )
    assert [*tf.saved_model.load(str(path)).signatures] == ["serving_default"]


@pytest.mark.parametrize(
    ("write", "file", "run"),
    [
        (export.saved_model, "model", FORMATS["saved_model"].open),
        (export.tflite, "model.tflite", FORMATS["tflite"].open),
    ],
)
@pytest.mark.parametrize("size", [24, pytest.param((32, 28), marks=pytest.mark.slow)])
def test_another_size(write, file, run, size, model, tmp_path):
    write(model, tmp_path / file, input_size=size)
    height, width = (size, size) if isinstance(size, int) else size
    twin = create_model("se_resnet20", classes=5, input_shape=(height, width, 3))
    twin.layers[-1].activation = keras.activations.linear
    twin.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(2, height, width, 3))
    scores = run(tmp_path / file)(images.astype("float32"))
    assert relative_error(scores, twin.predict(images, verbose=0)) < 1e-5
    preprocessing = export.load_classifier(tmp_path / file).preprocessing
    assert preprocessing.size == (height, width)


def test_grouped_convolutions_are_operations_of_the_graph(model, tmp_path):
    """Keras has XLA compile them, which takes twice as long."""
    image = keras.Input((8, 8, 8))
    grouped = keras.Model(image, keras.layers.Conv2D(12, 3, groups=4)(image))
    export.saved_model(grouped, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    (serve,) = loaded.serve.concrete_functions
    kinds = [operation.type for operation in serve.graph.get_operations()]
    assert "Conv2D" in kinds
    assert not tf.config.functions_run_eagerly()


def test_both_signatures_have_one_copy_of_the_weights(model, tmp_path):
    report = export.saved_model(model, tmp_path / "model")
    weights = sum(weight.numpy().nbytes for weight in fold(model).weights)
    assert report["bytes"] < 1.5 * weights


@pytest.mark.parametrize("frozen", [None, True, False])
def test_frozen_weights_are_nodes_of_the_function(frozen, model, tmp_path):
    """As arguments of it, kernels would bring them into their layout each time."""
    report = export.saved_model(model, tmp_path / "model", frozen=frozen)
    assert report["largest_difference"] < 1e-5
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    (serve,) = loaded.serve.concrete_functions
    assert bool(serve.captured_inputs) == (frozen is False)


def test_large_networks_are_not_frozen(model, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "FROZEN_BYTES", 100_000)
    export.saved_model(model, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    (serve,) = loaded.serve.concrete_functions
    assert serve.captured_inputs


def _block(gate):
    """Returns a network of a pointwise convolution and a gate of its output."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    y = keras.layers.Conv2D(16, 1, name="last")(x)
    y = keras.layers.ReLU()(gate(x, y))
    y = keras.layers.GlobalAveragePooling2D()(y)
    return randomize(keras.Model(image, keras.layers.Dense(3)(y)))


def _waits(path):
    """Returns what convolutions wait for: the types of operations."""
    (serve,) = tf.saved_model.load(str(path)).serve.concrete_functions
    return [
        before.type
        for operation in serve.graph.get_operations()
        if operation.type == "Conv2D"
        for before in operation.inputs[0].op.control_inputs
    ]


def test_a_convolution_waits_for_the_gate_of_its_output(tmp_path):
    model = _block(lambda x, y: SqueezeExcite(ratio=2)(y))
    export.saved_model(model, tmp_path / "model")
    assert _waits(tmp_path / "model") == ["Sigmoid"]


def test_no_convolution_waits_for_a_gate_that_needs_it(tmp_path):
    def gate(x, y):
        means = [keras.ops.mean(part, (1, 2), keepdims=True) for part in (x, y)]
        x, y_mean = (keras.layers.Dense(16)(mean) for mean in means)
        return y * keras.ops.sigmoid(x + y_mean)

    export.saved_model(_block(gate), tmp_path / "model")
    assert not _waits(tmp_path / "model")


def test_a_gate_after_a_convolution_that_waits(tmp_path):
    block = _block(lambda x, y: SqueezeExcite(ratio=2)(y))
    x = block.layers[-3].output
    y = keras.layers.Conv2D(4, 1)(keras.layers.Conv2D(4, 1, activation="relu")(x))
    gate = keras.layers.Conv2D(4, 1, activation="sigmoid")(x)
    export.saved_model(keras.Model(block.input, y * gate), tmp_path / "model")
    assert _waits(tmp_path / "model") == ["Sigmoid"]


def test_features_have_no_classes(tmp_path):
    model = create_model("se_resnet20", include_top=False, input_shape=(16, 16, 3))
    export.saved_model(model, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert set(loaded.signatures) == {"serving_default"}


def test_a_size_below_what_a_network_of_ours_takes(tmp_path):
    model = create_model("vgg16", classes=3, input_shape=(32, 32, 3))
    with pytest.raises(UsageError, match=r"at least 32.*vgg16.*\(31, 40\)"):
        export.saved_model(model, tmp_path / "model", input_size=(31, 40))
    assert not list(tmp_path.iterdir())


def test_a_size_that_the_network_cannot_take(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(2, 9),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    with pytest.raises(UsageError, match=r"accepts\. Received: input_size=\(8, 8\)"):
        export.saved_model(model, tmp_path / "model", input_size=8)
    assert not list(tmp_path.iterdir())

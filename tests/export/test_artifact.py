import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from se_keras import create_model, export
from se_keras.errors import InterruptionError, UsageError
from se_keras.export import FORMATS, verification
from se_keras.export.network import as_float32, inference_form
from se_keras.export.verification import VerificationError
from se_keras.layers import SqueezeExcite
from se_keras.models import ImageModel, Preprocessing
from tests.export.tools import with_changed_row

PREPROCESSING = Preprocessing((6, 5), 1.0, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3))
NAMES = ("chat", "chien", "éléphant")


def network(*shape, dtype=None):
    """A small classifier, as a user of Keras writes it."""
    return keras.Sequential(
        [
            keras.Input(shape or (6, 5, 3)),
            keras.layers.Conv2D(8, 3, dtype=dtype),
            keras.layers.BatchNormalization(dtype=dtype),
            SqueezeExcite(ratio=2, dtype=dtype),
            keras.layers.GlobalAveragePooling2D(dtype=dtype),
            keras.layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )


def images(count=5, size=(6, 5), scale=1.0):
    shape = (count, *size, 3)
    return (scale * np.random.default_rng(0).uniform(size=shape)).astype("float32")


def write_saved_model(model, directory, **settings):
    return export.saved_model(model, directory / "model", **settings)


def write_tflite(model, directory, **settings):
    return export.tflite(model, directory / "model.tflite", **settings)


WRITERS = {
    write_saved_model: ("model", "saved_model"),
    write_tflite: ("model.tflite", "tflite"),
}


@pytest.fixture(params=WRITERS, ids=lambda write: write.__name__)
def write(request):
    return request.param


def run(write, directory, inputs):
    file, name = WRITERS[write]
    return FORMATS[name].open(directory / file)(inputs)


def read(write, directory):
    file, name = WRITERS[write]
    return FORMATS[name].attachment.read(directory / file)


def change_scores(monkeypatch, name, change):
    """Changes the scores of what is exported in a format."""
    opener = FORMATS[name].opener

    def open_changed(path):
        run = opener(path)
        return lambda inputs: change(run(inputs))

    with_changed_row(monkeypatch, name, opener=open_changed)


def test_plain_keras_model(write, tmp_path):
    model = network()
    report = write(model, tmp_path, images=images())
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, images()), expected, atol=1e-6)
    assert report["images"] == 5
    metadata = read(write, tmp_path)
    assert (metadata.class_names, metadata.preprocessing) == (None, None)
    assert not metadata.normalizes
    assert [path.name for path in tmp_path.iterdir()] == [WRITERS[write][0]]


def test_preprocessing_can_be_part_of_it(write, tmp_path):
    model, pixels = network(), images(scale=255)
    write(
        model,
        tmp_path,
        include_preprocessing=True,
        preprocessing=PREPROCESSING,
        class_names=NAMES,
    )
    normalized = (
        pixels.astype("float64") / 255 - PREPROCESSING.mean
    ) / PREPROCESSING.std
    expected = model.predict(normalized, verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, pixels), expected, atol=1e-5)

    classifier = export.load_classifier(tmp_path / WRITERS[write][0])
    assert classifier.preprocessing == PREPROCESSING
    assert classifier.class_names == NAMES
    np.testing.assert_allclose(classifier.predict(pixels), expected, atol=1e-5)


def test_classifier_normalizes_what_the_model_does_not(write, tmp_path):
    model, pixels = network(), images(scale=255)
    write(model, tmp_path, preprocessing=PREPROCESSING)
    normalized = (
        pixels.astype("float64") / 255 - PREPROCESSING.mean
    ) / PREPROCESSING.std
    expected = model.predict(normalized, verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, normalized), expected, atol=1e-5)
    classifier = export.load_classifier(tmp_path / WRITERS[write][0])
    np.testing.assert_allclose(classifier.predict(pixels), expected, atol=1e-5)
    assert classifier.name_of(2) == "class 2"


def test_preprocessing_and_class_names_of_an_image_model_are_stored(write, tmp_path):
    plain = network()
    model = ImageModel(plain.inputs[0], plain.outputs[0])
    model.preprocessing, model.class_names = PREPROCESSING, NAMES
    write(model, tmp_path, class_names=NAMES[::-1])
    classifier = export.load_classifier(tmp_path / WRITERS[write][0])
    assert classifier.preprocessing == PREPROCESSING
    assert classifier.class_names == NAMES[::-1]  # what is given comes first


def test_mixed_precision(write, tmp_path):
    inner = network(dtype="mixed_float16")
    model = keras.Sequential([keras.Input((6, 5, 3)), inner])
    report = write(model, tmp_path)
    assert report["largest_difference"] < 1e-5
    twin = network()
    twin.set_weights(inner.get_weights())
    expected = twin.predict(images(), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, images()), expected, atol=1e-5)


def test_normalization_is_in_float32(write, tmp_path):
    model = network(dtype="float32")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        write(model, tmp_path, preprocessing=PREPROCESSING, include_preprocessing=True)
    finally:
        keras.config.set_dtype_policy(before)
    pixels = images(scale=255)
    expected = model.predict(PREPROCESSING.normalize(pixels), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, pixels), expected, atol=1e-6)


def test_as_float32_keeps_all_state():
    normalize = keras.layers.Normalization(dtype="mixed_float16")
    normalize.adapt(images() * 9)
    copy = as_float32(keras.Sequential([keras.Input((6, 5, 3)), normalize]))
    expected = (images() * 9 - (images() * 9).mean((0, 1, 2))) / images().std((0, 1, 2))
    actual = copy.predict(images() * 9, verbose=0)
    np.testing.assert_allclose(actual, expected / 9, atol=1e-4)


def test_as_float32_changes_precision_alone():
    model = create_model(
        "se_resnet20", input_shape=(8, 8, 1), classes=4, dtype="mixed_bfloat16"
    )
    preprocessing = PREPROCESSING.with_input(8, 8, 1)
    model.preprocessing, model.class_names = preprocessing, tuple("abcd")
    copy = as_float32(model)
    layers = list(copy._flatten_layers(include_self=False))
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]
    for actual, expected in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert (copy.preprocessing, copy.class_names) == (preprocessing, tuple("abcd"))
    assert "mixed_bfloat16" in {layer.dtype_policy.name for layer in model.layers}


@pytest.mark.parametrize("batch", [lambda x: (x, 0), lambda x: {"image": x}])
def test_verified_on_batches(batch, write, tmp_path):
    report = write(network(), tmp_path, images=[batch(images()), batch(images(2))])
    assert report["images"] == 7


class Doubling(keras.layers.Layer):
    """A layer that Keras cannot rebuild from its config."""

    def call(self, x):
        return 2 * x


@pytest.mark.parametrize(
    "layer", [Doubling(), keras.layers.Lambda(lambda x: 2 * x)], ids=["own", "lambda"]
)
def test_layers_that_cannot_be_copied(layer, write, tmp_path):
    image = keras.Input((6, 5, 3))
    model = keras.Model(image, layer(network()(image)))
    write(model, tmp_path)
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, images()), expected, atol=1e-6)


@pytest.mark.parametrize(
    "layer", [Doubling(), keras.layers.Lambda(lambda x: 2 * x)], ids=["own", "lambda"]
)
def test_layers_that_cannot_be_copied_to_another_precision(layer, write, tmp_path):
    image = keras.Input((6, 5, 3))
    model = keras.Model(image, layer(network(dtype="mixed_float16")(image)))
    with pytest.raises(UsageError, match=r"float32, or one that Keras can rebuild"):
        write(model, tmp_path)
    assert not list(tmp_path.iterdir())


@keras.saving.register_keras_serializable()
class Known(keras.layers.Layer):
    def call(self, x):
        return 3 * x


def test_a_layer_that_keras_knows_does_not_keep_a_model_from_being_folded():
    image = keras.Input((6, 5, 3))
    folded = inference_form(keras.Model(image, Known()(network()(image))))
    (inside,) = (layer for layer in folded.layers if isinstance(layer, keras.Model))
    kinds = {type(layer) for layer in inside._flatten_layers()}
    assert not kinds & {keras.layers.BatchNormalization, SqueezeExcite}
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3)(Known()(image)))
    kinds = [
        type(layer).__name__ for layer in inference_form(keras.Model(image, x)).layers
    ]
    assert kinds == ["InputLayer", "Known", "Conv2D"]


class Submodel(keras.Model):
    """An inner model that Keras cannot rebuild."""

    def call(self, x):
        return 2 * x


def test_a_submodel_that_cannot_be_copied(write, tmp_path):
    image = keras.Input((6, 5, 3))
    model = keras.Model(image, Submodel()(network()(image)))
    write(model, tmp_path)
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, images()), expected, atol=1e-6)


def test_names_and_size_of_numpy_and_a_generator(write, tmp_path):
    names = (name for name in np.array(NAMES))
    write(network(None, None, 3), tmp_path, class_names=names, input_size=np.int64(6))
    assert read(write, tmp_path).class_names == NAMES


def test_pixels_for_a_model_that_normalizes(write, tmp_path, monkeypatch):
    seen = []
    compare = verification.compare

    def spy(reference, run, images, **settings):
        seen.append(images)
        return compare(reference, run, images, **settings)

    monkeypatch.setattr(verification, "compare", spy)
    image = keras.Input((6, 5, 3))
    scaled = keras.layers.Rescaling(1 / 255)(image)
    write(keras.Model(image, network()(scaled)), tmp_path)
    assert 150 < seen[0].max() <= 255


@pytest.mark.parametrize(
    "structure", [lambda x: [x], lambda x: {x.name: x}], ids=["list", "dict"]
)
def test_functional_model_in_any_form(structure, write, tmp_path):
    plain = network()
    model = keras.Model(structure(plain.inputs[0]), structure(plain.outputs[0]))
    write(model, tmp_path, images=images())
    expected = plain.predict(images(), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, images()), expected, atol=1e-6)


def test_saved_model_of_any_size(tmp_path):
    model = network(None, None, 3)
    write_saved_model(model, tmp_path, images=images(2, (8, 8)))
    for size in ((9, 7), (16, 16)):
        batch = images(3, size)
        actual = run(write_saved_model, tmp_path, batch)
        np.testing.assert_allclose(actual, model.predict(batch, verbose=0), atol=1e-6)


def two_inputs():
    inputs = [keras.Input((6, 5, 3)), keras.Input((6, 5, 3))]
    return keras.Model(inputs, keras.layers.Add()(inputs))


def two_outputs():
    image = keras.Input((6, 5, 3))
    return keras.Model(image, [image + 1, image + 2])


def vectors():
    return keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (network, {"include_preprocessing": True}, "preprocessing=Preprocessing"),
        (network, {"class_names": NAMES[:2]}, "each of the 3 classes.*: 2 names"),
        (network, {"images": images(2, (6, 6))}, r"\(n, 6, 5, 3\).*\(2, 6, 6, 3\)"),
        (network, {"images": images(1)[0]}, r"\(n, 6, 5, 3\).*\(6, 5, 3\)"),
        (network, {"images": images(0)}, "images"),
        (two_inputs, {}, "one input and one output.*: 2 inputs, 1 outputs"),
        (two_outputs, {}, "one input and one output.*: 1 inputs, 2 outputs"),
        (vectors, {}, r"\(height, width, channels\).*shape \(7,\)"),
        (network, {"class_names": 3}, "sequence of strings.*class_names=3"),
        (network, {"images": "val"}, "batches of them.*a str"),
        (network, {"images": images() * np.nan}, "finite numbers.*NaN"),
        (network, {"input_size": 0}, "positive integer.*input_size=0"),
        (network, {"input_size": (6,)}, r"positive integer.*input_size=\(6,\)"),
    ],
)
def test_bad_argument(model, settings, message, write, tmp_path):
    with pytest.raises(UsageError, match=message):
        write(model(), tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made(write, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file"):
        write(network(), tmp_path / "file")
    assert (tmp_path / "file").read_text() == ""


def test_tflite_needs_a_size(tmp_path):
    with pytest.raises(UsageError, match=r"known height and width.*\(None, None, 5, 3"):
        write_tflite(network(None, 5, 3), tmp_path)
    assert not list(tmp_path.iterdir())


def test_tflite_needs_its_suffix(tmp_path):
    with pytest.raises(
        UsageError, match=r"suffix \.tflite\. Received: '.*model\.lite'"
    ):
        export.tflite(network(), tmp_path / "model.lite")
    assert not list(tmp_path.iterdir())


def test_existing_files_are_kept_or_replaced(write, tmp_path):
    path = tmp_path / WRITERS[write][0]
    there = path
    if write is write_saved_model:
        path.mkdir()
        there = path / "mine"
    there.write_text("something")
    with pytest.raises(UsageError, match=r"overwrite=True.*Received: '.*model"):
        write(network(), tmp_path)
    assert there.read_text() == "something"

    write(network(), tmp_path, overwrite=True)
    assert run(write, tmp_path, images()).shape == (5, 3)
    assert there == path or not there.exists()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("damage", "there"),
    [
        (lambda scores: scores + 0.01, "something"),
        (lambda scores: scores * np.nan, None),
    ],
    ids=["other", "nan"],
)
def test_what_differs_gets_no_name(damage, there, write, tmp_path, monkeypatch):
    file, name = WRITERS[write]
    mine = tmp_path / file
    if there and write is write_saved_model:
        mine.mkdir()
        mine /= "mine"
    if there:
        mine.write_text(there)
    change_scores(monkeypatch, name, damage)
    with pytest.raises(
        VerificationError, match=r"difference from the Keras model .* 5 images"
    ):
        write(network(), tmp_path, images=images(), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ([file] if there else [])
    assert not there or mine.read_text() == there


@pytest.mark.parametrize("late", [False, True])
def test_a_file_that_its_runtime_refuses(late, tmp_path, monkeypatch):
    class RefusalError(Exception):
        """An error like ONNX Runtime's, of no known class."""

    def refuse(_):
        raise RefusalError("no such operation")

    opener = (lambda _: refuse) if late else refuse
    with_changed_row(monkeypatch, "tflite", opener=opener)
    with pytest.raises(VerificationError, match=r"does not run: no such operation"):
        export.tflite(network(), tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_many_images_are_verified_in_parts(write, tmp_path, monkeypatch):
    sizes = []
    _, name = WRITERS[write]
    change_scores(monkeypatch, name, lambda scores: sizes.append(len(scores)) or scores)
    assert write(network(), tmp_path, images=images(70))["images"] == 70
    assert sizes[:3] == [32, 32, 6]


def gray():
    image = keras.Input((6, 5, 1))
    color = network()
    inner = ImageModel(color.inputs[0], color.outputs[0])
    inner.preprocessing = PREPROCESSING
    return keras.Model(image, inner(keras.ops.repeat(image, 3, -1)))


def test_a_preprocessing_of_other_channels_is_not_stored(write, tmp_path):
    """The model has it from a network of color images inside of it."""
    write(gray(), tmp_path)
    assert read(write, tmp_path).preprocessing is None
    for settings in ({"preprocessing": PREPROCESSING}, {"include_preprocessing": True}):
        with pytest.raises(UsageError, match=r"preprocessing.*Received"):
            write(gray(), tmp_path, overwrite=True, **settings)


def of_pixels():
    """A model as Keras's guides write it, on a network with preprocessing."""
    base = create_model("se_resnet20", input_shape=(8, 8, 3), include_top=False)
    x = image = keras.Input((8, 8, 3))
    x = keras.layers.RandomFlip()(x)
    x = base(base.preprocessing.normalize(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3, "softmax")(x))
    return model, base.preprocessing


@pytest.mark.parametrize(
    "include_preprocessing", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_a_model_of_pixels_is_not_normalized_twice(
    include_preprocessing, write, tmp_path
):
    model, preprocessing = of_pixels()
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype("float32")
    settings = {"include_preprocessing": include_preprocessing, "class_names": NAMES}
    write(model, tmp_path, images=pixels, **settings)
    path = tmp_path / WRITERS[write][0]
    metadata = read(write, tmp_path)
    assert metadata.normalizes
    assert metadata.preprocessing.size == preprocessing.size
    scores = export.load_classifier(path).predict(pixels)
    np.testing.assert_allclose(scores, model.predict(pixels, verbose=0), atol=1e-5)
    write(model, tmp_path, preprocessing=preprocessing, overwrite=True, **settings)
    scores = export.load_classifier(path).predict(pixels)
    np.testing.assert_allclose(scores, model.predict(pixels, verbose=0), atol=1e-5)


def test_what_a_model_of_pixels_refuses(write, tmp_path):
    model, _ = of_pixels()
    with pytest.raises(UsageError, match="normalizes as the model does"):
        write(model, tmp_path, preprocessing=PREPROCESSING.with_input(8, 8, 3))
    plain = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.Rescaling(1 / 255),
            *network().layers,
        ]
    )
    with pytest.raises(UsageError, match=r"Preprocessing\.of_pixels\(size, crop"):
        write(plain, tmp_path, include_preprocessing=True)
    assert not any(tmp_path.iterdir())
    write(plain, tmp_path, preprocessing=Preprocessing.of_pixels((6, 5), crop=1.0))
    assert read(write, tmp_path).normalizes


def test_channels_first(write, tmp_path):
    image = keras.Input((3, 6, 5))
    x = keras.layers.Conv2D(4, 3, data_format="channels_first")(image)
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    model = ImageModel(image, x)
    model.preprocessing = PREPROCESSING
    with pytest.raises(UsageError, match=r"channels_last'.*\(3, 6, 5\)"):
        write(model, tmp_path)


def test_a_small_difference_is_reported(tmp_path, monkeypatch):
    damage = 2e-5 * (np.arange(3) == 1)
    change_scores(monkeypatch, "saved_model", lambda scores: scores + damage)
    model = network()
    report = write_saved_model(model, tmp_path, images=images())
    largest = model.predict(images(), verbose=0).max()
    assert report["largest_difference"] == pytest.approx(2e-5 / largest, rel=0.05)


def test_network_of_zeros(tmp_path):
    """As it is before the first step, with a classifier that starts at zero."""
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, kernel_initializer="zeros"),
        ]
    )
    assert write_saved_model(model, tmp_path)["largest_difference"] == 0


@pytest.mark.parametrize("names", ["abc", (1, 2, 3), ("a", "b\n", "c")])
def test_names_that_are_not_lines(names, write, tmp_path):
    with pytest.raises(UsageError, match=r"Expected class_names.*Received"):
        write(network(), tmp_path, class_names=names)
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_graph(write, tmp_path):
    class Subclassed(keras.Model):
        pass

    with pytest.raises(UsageError, match="Received: a Subclassed without inputs"):
        write(Subclassed(), tmp_path)


@pytest.mark.parametrize("there_is", ["directory", "file"])
def test_nothing_of_another_kind_is_replaced(there_is, tmp_path):
    path = tmp_path / ("model.tflite" if there_is == "directory" else "model")
    if there_is == "directory":
        path.mkdir()
        (path / "mine").write_text("something")
    else:
        path.write_text("something")
    write = export.tflite if there_is == "directory" else export.saved_model
    with pytest.raises(UsageError, match=f"which is a {there_is}"):
        write(network(), path, overwrite=True)
    mine = path / "mine" if there_is == "directory" else path
    assert mine.read_text() == "something"


def test_small_scores_that_differ(tmp_path, monkeypatch):
    """Squares of numbers below 1e-23 are 0 in float32."""
    change_scores(monkeypatch, "tflite", lambda scores: 0.3 * scores)
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Rescaling(1e-25),
        ]
    )
    with pytest.raises(VerificationError):
        write_tflite(model, tmp_path, quantization="dynamic", images=images())


def test_a_model_of_one_batch_size(tmp_path):
    image = keras.Input(batch_shape=(2, 6, 5, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    write_saved_model(model, tmp_path, images=images(2))
    assert run(write_saved_model, tmp_path, images(3)).shape == (3, 3)


def test_an_interruption_is_no_failure_of_the_file(tmp_path, monkeypatch):
    def interrupted(path):
        raise InterruptionError("stopped")

    with_changed_row(monkeypatch, "tflite", opener=interrupted)
    with pytest.raises(InterruptionError, match="stopped"):
        export.tflite(network(), tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def other_settings():
    """Settings of Keras that a user has made for the whole process."""
    before = (
        keras.config.floatx(),
        keras.config.dtype_policy(),
        keras.config.image_data_format(),
    )
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])
    keras.config.set_image_data_format(before[2])


def test_settings_of_keras_do_not_change_an_export(write, tmp_path, request):
    model, pixels = network(), images(scale=255)
    normalized = (
        pixels.astype("float64") / 255 - PREPROCESSING.mean
    ) / PREPROCESSING.std
    expected = model.predict(normalized, verbose=0)
    request.getfixturevalue("other_settings")
    settings = {"include_preprocessing": True, "preprocessing": PREPROCESSING}
    report = write(model, tmp_path, **settings)
    assert report["largest_difference"] < 1e-5
    np.testing.assert_allclose(run(write, tmp_path, pixels), expected, atol=1e-5)


def test_a_network_that_was_made_in_half_precision(write, tmp_path, request):
    """Its input, too, has the precision that was the default of Keras."""
    request.getfixturevalue("other_settings")
    keras.config.set_image_data_format("channels_last")
    model = network(dtype="float16")
    assert model.inputs[0].dtype == "float16"
    write(model, tmp_path)
    weights, inputs = model.get_weights(), images()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    twin = network()
    twin.set_weights(weights)
    expected = twin.predict(inputs, verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, inputs), expected, atol=1e-5)


class Shifting(keras.layers.Layer):
    """A layer that has a tensor in addition to its weights."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.shift = keras.ops.arange(200.0)[:3]

    def call(self, x):
        return x + self.shift


def normalization():
    layer = keras.layers.Normalization()
    layer.adapt(images() * 9)
    return layer


@pytest.mark.parametrize("layer", [normalization, Shifting])
def test_tensors_of_layers_are_constants_of_the_file(layer, write, tmp_path):
    image = keras.Input((6, 5, 3))
    x = keras.layers.Activation("silu")(layer()(image))  # it has its own gradient
    model = keras.Model(image, network()(x))
    write(model, tmp_path)
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(run(write, tmp_path, images()), expected, atol=1e-5)


@pytest.mark.parametrize(("included", "name"), [(True, "pixels"), (False, "images")])
def test_names_of_inputs_and_outputs(included, name, tmp_path):
    settings = {"include_preprocessing": included, "preprocessing": PREPROCESSING}
    write_tflite(network(), tmp_path, **settings)
    write_saved_model(network(), tmp_path, **settings)
    interpreter = Interpreter(str(tmp_path / "model.tflite"))
    signatures = interpreter.get_signature_list()
    assert signatures == {"serving_default": {"inputs": [name], "outputs": ["scores"]}}
    serving = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert {*serving.structured_input_signature[1]} == {name}
    assert {*serving.structured_outputs} == {"scores"}

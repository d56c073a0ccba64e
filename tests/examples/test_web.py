"""The page of examples/web in Chromium, compared with Keras on the same image files."""

import functools
import io
import shutil
import types
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from se_keras import create_model, export, fold
from se_keras.data import read_image
from se_keras.export.formats import FORMATS
from se_keras.export.metadata import Metadata
from se_keras.export.network import with_preprocessing
from se_keras.models import Preprocessing
from tests.data.images import PHOTOS, encode
from tests.examples import web
from tests.models.tools import randomize

pytestmark = pytest.mark.slow

COUNT = 20
NAMES = tuple("abcdefghij")
TOP = 5
# The sum of rounding in decoding to gray, resizing and the network.
TOLERANCE = 1e-3
PREPROCESSING = Preprocessing((40, 56), 0.875)
# Two decoders of JPEG, and bytes for all numbers, are as far from each other as this.
DECODERS = 0.03
QUANTISATION = 0.1


# Of the session, so that no network is trained before it.
@pytest.fixture(scope="session", autouse=True)
def needs():
    web.require()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page in a folder of its own, in which no one has put a model."""
    folder = tmp_path_factory.mktemp("site")
    for file in web.PAGE.glob("*.*"):
        if file.is_file() and file.suffix != ".tflite":
            shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(web.PAGE / "node_modules")
    return folder


@pytest.fixture(scope="module")
def open_page(site):
    """Opens the page at an address."""
    with web.browser() as open_page:
        yield open_page


@pytest.fixture(scope="module")
def address(site):
    with web.serve(site) as address:
        yield address


@pytest.fixture(scope="module")
def page(open_page, address):
    return open_page(address)


@pytest.fixture(scope="module")
def digits_network(digits, digits_run, tmp_path_factory):
    """The trained network of gray images, and digits of the test split."""
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    folder = tmp_path_factory.mktemp("digits")
    records = digits.records("test").take(COUNT).as_numpy_iterator()
    for index, (encoded, _) in enumerate(records):
        (folder / f"{index:02}.png").write_bytes(encoded)
    return types.SimpleNamespace(
        model=model,
        preprocessing=model.preprocessing,
        names=model.class_names,
        tflite=digits_run.workdir / "model.tflite",
        images=sorted(folder.iterdir()),
    )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Parts of photographs, of many sizes and aspects, as PNG files."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        pixels = PHOTOS[("china", "flower")[index % 2]]
        height, width = rng.integers((20, 20), (300, 400))
        top = rng.integers(pixels.shape[0] - height)
        left = rng.integers(pixels.shape[1] - width)
        part = pixels[top : top + height, left : left + width]
        (folder / f"{index:02}.png").write_bytes(encode(part))
    return sorted(folder.iterdir())


def color_network(preprocessing, photographs, activation="softmax"):
    """A random network that answers differently on each of the photographs."""
    model = randomize(
        create_model("se_resnet20", classes=10, input_shape=(*preprocessing.size, 3))
    )
    network = types.SimpleNamespace(
        model=model, preprocessing=preprocessing, names=NAMES
    )
    last = model.layers[-1]
    last.activation = keras.activations.linear
    # What all images share is most of a random network's answer.
    logits = keras_scores(network, photographs)
    last.kernel.assign(last.kernel / logits.std(0))
    last.bias.assign((last.bias - logits.mean(0)) / logits.std(0))
    last.activation = keras.activations.get(activation)
    model.make_predict_function(force=True)
    return network


def written(network, path, **settings):
    export.tflite(
        network.model,
        path,
        class_names=network.names,
        preprocessing=network.preprocessing,
        **settings,
    )
    return path


def keras_scores(network, paths):
    """Returns what Keras makes of image files."""
    pixels = np.stack([read_image(path, network.preprocessing) for path in paths])
    return network.model.predict(network.preprocessing.normalize(pixels), verbose=0)


def page_scores(page, tflite, paths):
    """Returns what the page shows of image files."""
    page.choose("model", tflite)
    assert page.error is None
    shown = []
    for path in paths:
        page.choose("image", path)
        assert page.error is None
        shown.append(page.scores)
    return shown


def differences(network, shown, expected):
    """Checks that the page shows the names that are first; returns the differences."""
    result = []
    for scores, row in zip(shown, expected, strict=True):
        assert next(iter(scores)) == network.names[np.argmax(row)]
        assert len(scores) == TOP
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        result += [
            abs(score - row[network.names.index(name)])
            for name, score in scores.items()
        ]
    return np.array(result)


def test_a_trained_network_of_gray_images(page, digits_network):
    shown = page_scores(page, digits_network.tflite, digits_network.images)
    expected = keras_scores(digits_network, digits_network.images)
    error = differences(digits_network, shown, expected).max()
    print(f"largest difference of a score: {error:.1e}")
    assert error < TOLERANCE
    assert len({next(iter(scores)) for scores in shown}) > COUNT / 4


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("include_preprocessing", [True, False])
def test_networks_of_color_images(
    interpolation, include_preprocessing, page, photographs, tmp_path
):
    preprocessing = Preprocessing(PREPROCESSING.size, PREPROCESSING.crop, interpolation)
    network = color_network(preprocessing, photographs)
    path = written(
        network, tmp_path / "m.tflite", include_preprocessing=include_preprocessing
    )
    shown = page_scores(page, path, photographs)
    expected = keras_scores(network, photographs)
    error = differences(network, shown, expected).max()
    print(f"largest difference of a score: {error:.1e}")
    assert error < TOLERANCE
    assert len({next(iter(scores)) for scores in shown}) > COUNT / 4


def test_logits_become_probabilities(page, photographs, tmp_path):
    network = color_network(PREPROCESSING, photographs, "linear")
    path = written(network, tmp_path / "m.tflite", include_preprocessing=True)
    shown = page_scores(page, path, photographs[:3])
    expected = tf.nn.softmax(keras_scores(network, photographs[:3])).numpy()
    assert differences(network, shown, expected).max() < TOLERANCE


def calibration(network):
    return np.stack(
        [read_image(path, network.preprocessing) for path in network.images]
    )


def exported(network, folder):
    """Returns an int8 file of a network of bytes, as this package makes it."""
    return written(
        network,
        folder / "m.tflite",
        quantization="int8",
        calibration=calibration(network),
        include_preprocessing=True,
    )


def test_a_quantized_network_of_normalized_images(page, digits_network, tmp_path):
    images = digits_network.preprocessing.normalize(calibration(digits_network))
    settings = {"quantization": "int8", "calibration": images}
    page.choose("model", written(digits_network, tmp_path / "m.tflite", **settings))
    assert "include_preprocessing=True" in page.error


def quantized(network, folder, output=tf.float32):
    """Returns an int8 file of a network of bytes, as the converter makes it."""
    pixels = calibration(network)
    of_pixels = with_preprocessing(fold(network.model), network.preprocessing)
    signature = [keras.InputSpec(shape=(1, *pixels.shape[1:]), dtype="float32")]
    of_pixels.export(folder / "model", input_signature=signature, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "model"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in pixels)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = output
    path = folder / "int8.tflite"
    path.write_bytes(converter.convert())
    FORMATS["tflite"].attachment.write(
        Metadata(network.names, network.preprocessing, normalizes=True), path
    )
    return path


@pytest.mark.parametrize(
    "make",
    [exported, quantized, functools.partial(quantized, output=tf.uint8)],
    ids=["ours", "converter", "bytes out"],
)
def test_a_quantized_network(make, page, digits_network, tmp_path):
    path = make(digits_network, tmp_path)
    shown = page_scores(page, path, digits_network.images)
    expected = keras_scores(digits_network, digits_network.images)
    error = differences(digits_network, shown, expected).max()
    print(f"largest difference of a score: {error:.1e}")
    assert error < QUANTISATION


def test_a_network_that_the_runtime_refuses(page, digits_network, tmp_path):
    """LiteRT.js reports it in its log only, and returns what was in memory.

    XNNPACK has a largest ratio of scales. That of a hidden unit of a gate that is
    always 0 is larger, and trained networks have such.
    """
    model = keras.models.clone_model(digits_network.model)
    model.set_weights(digits_network.model.get_weights())
    for weight in model.weights:
        if weight.path.endswith("fc1/bias"):
            weight.assign(weight - 100)
    network = types.SimpleNamespace(**{**vars(digits_network), "model": model})
    page.choose("model", quantized(network, tmp_path))
    assert page.error.startswith("Expected a model that LiteRT.js runs. Received: ")
    assert "XNNPACK" in page.error


def test_an_archive_that_another_program_wrote(page, digits_network, tmp_path):
    """It is compressed, and its places count from its own start."""
    names = tuple(f"digit {name}" for name in digits_network.names)
    metadata = Metadata(names, digits_network.preprocessing, normalizes=True)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("labels.txt", "\n".join(names))
        file.writestr("se_keras.json", metadata.to_json())
    path = tmp_path / "m.tflite"
    path.write_bytes(digits_network.tflite.read_bytes() + archive.getvalue())

    (shown,) = page_scores(page, path, digits_network.images[:1])
    assert set(shown) < set(names)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_jpeg_is_turned(orientation, page, photographs, tmp_path):
    """The orientation that a camera notes in EXIF is applied, as in `read_image`."""
    network = color_network(PREPROCESSING, photographs)
    tflite = written(network, tmp_path / "m.tflite", include_preprocessing=True)
    image = Image.fromarray(PHOTOS["china"])
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "stored.jpg", quality=95, exif=exif)
    # As Pillow turns it, without EXIF.
    ImageOps.exif_transpose(Image.open(tmp_path / "stored.jpg")).save(
        tmp_path / "turned.png"
    )
    paths = [tmp_path / "stored.jpg", tmp_path / "turned.png"]

    shown = page_scores(page, tflite, paths)
    error = differences(network, shown[:1], keras_scores(network, paths[1:])).max()
    print(f"largest difference of a score: {error:.1e}")
    assert error < DECODERS


def test_a_gray_network_on_color(page, digits_network, photographs):
    shown = page_scores(page, digits_network.tflite, photographs[:4])
    expected = keras_scores(digits_network, photographs[:4])
    assert differences(digits_network, shown, expected).max() < TOLERANCE


def test_the_model_in_the_directory_of_the_page(
    open_page, site, digits_network, photographs, tmp_path
):
    """It is there from the start, and files that are dropped are chosen."""
    folder = shutil.copytree(site, tmp_path / "site", symlinks=True)
    shutil.copy(digits_network.tflite, folder / "model.tflite")
    with web.serve(folder) as address:
        page = open_page(address)
        page.drop(digits_network.images[0])
        before = page.scores
        assert len(before) == TOP
        assert "12 \N{MULTIPLICATION SIGN} 12" in page.text
        assert digits_network.images[0].name in page.text

        # Another model answers for the same image.
        network = color_network(PREPROCESSING, photographs)
        written(network, tmp_path / "m.tflite", include_preprocessing=True)
        page.drop(tmp_path / "m.tflite")
        assert set(page.scores) <= set(network.names)
        assert "m.tflite" in page.text


@pytest.fixture
def files(digits_network, tmp_path):
    """Files by what is wrong with them."""
    model = digits_network.tflite.read_bytes()
    content = {
        "text.txt": b"no image, no model",
        "text.tflite": b"no image, no model",
        "empty.tflite": b"",
        "truncated.tflite": model[: len(model) // 2],
    }
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        ("model", "text.txt", "Expected a .tflite file"),
        ("model", "text.tflite", "Expected a .tflite file"),
        ("model", "empty.tflite", "Expected a .tflite file"),
        ("model", "truncated.tflite", "states which images it expects"),
        ("image", "text.txt", "Expected an image file"),
        ("image", "empty.tflite", "Expected an image file"),
    ],
)
def test_files_that_are_no_use(what, name, message, page, digits_network, files):
    page.choose("model", digits_network.tflite)
    page.choose("image", digits_network.images[0])
    answer = page.scores
    assert answer

    page.choose(what, files / name)
    assert message in page.error
    assert "\n" not in page.error
    assert page.scores == {}
    # The page goes on with the model that it had.
    page.choose("image", digits_network.images[0])
    assert page.error is None
    assert page.scores == answer


def test_no_model(open_page, address, digits_network):
    page = open_page(address)
    assert page.error is None
    page.choose("image", digits_network.images[0])
    assert page.error.startswith("Expected a model first")
    page.choose("model", digits_network.tflite)
    assert page.error is None


def test_no_runtime(open_page, site, digits_network, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site", symlinks=True)
    (folder / "node_modules").unlink()
    with web.serve(folder) as address:
        page = open_page(address)
        page.choose("model", digits_network.tflite)
        assert "npm install" in page.error

"""One network in every runtime, on the same images: phone, browser and server."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras import export
from se_keras.data.embedded import cache_dir
from se_keras.layers import SqueezeExcite
from se_keras.models import Preprocessing
from tests.examples import web
from tests.helpers import require

pytestmark = pytest.mark.parity

CLASSIFY = pathlib.Path(__file__).with_name("classify.py")
REQUIREMENT = "mediapipe>=1.2,<2"
SIZE, COUNT = 32, 20
INT8 = 0.35  # of a score; so small a network has few numbers that errors cancel in
CLASSES = tuple(f"class of image {index:02}" for index in range(COUNT))
COLORED = Preprocessing((SIZE, SIZE), 1.0, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
UNIFORM = Preprocessing((SIZE, SIZE), 1.0, mean=(0.5,) * 3, std=(0.25,) * 3)
GRAY = Preprocessing((SIZE, SIZE), 1.0, mean=(0.5,), std=(0.25,))


@pytest.fixture(scope="session")
def mediapipe():
    """The interpreter of an environment with MediaPipe, made once for all runs.

    It needs other versions of what this package needs, and libegl1 and libgles2.
    """
    folder = cache_dir() / "mediapipe"
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    done = folder / "installed"
    commands = [
        [sys.executable, "-m", "venv", "--clear", folder],
        [python, "-m", "pip", "install", "-q", REQUIREMENT],
        [python, "-c", "from mediapipe.tasks.python import vision"],
    ]
    with (folder.parent / "mediapipe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest runs in several processes
        for command in commands[2:] if done.exists() else commands:
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                shutil.rmtree(folder)
                message = f"no MediaPipe: {(run.stderr.splitlines() or [''])[-1]}"
                if os.environ.get("SE_KERAS_REQUIRE_PARITY") == "1":
                    pytest.fail(message)
                pytest.skip(message)
        done.touch()
    return python


def classify(python, reader, images, *models):
    """Returns what a runtime in another process makes of images, model by model."""
    run = subprocess.run(
        [python, "-I", CLASSIFY, reader, images, *models],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return [types.SimpleNamespace(**each) for each in json.loads(run.stdout)]


def photographs():
    """Returns crops of scikit-learn's two photographs, `(20, 32, 32, 3)`."""
    pictures = require("sklearn.datasets").load_sample_images().images
    rng = np.random.default_rng(0)

    def crop(picture):
        size = rng.integers(60, 300)
        y, x = (rng.integers(0, length - size) for length in picture.shape[:2])
        patch = picture[y : y + size, x : x + size]
        return tf.image.resize(patch, (SIZE, SIZE), antialias=True).numpy()

    crops = [crop(pictures[index % 2]) for index in range(COUNT)]
    return np.stack(crops).round().clip(0, 255).astype("uint8")


def network(channels, images):
    """A network of random weights that knows these images, each as its own class."""
    image = keras.Input((SIZE, SIZE, channels))
    x = keras.layers.Conv2D(32, 3, strides=2, activation="relu")(image)
    x = SqueezeExcite(ratio=4)(x)
    x = keras.layers.Conv2D(48, 3, strides=2, activation="relu")(x)
    x = SqueezeExcite(ratio=4)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    features = keras.Model(image, x)
    head = keras.layers.Dense(COUNT, activation="softmax")
    model = keras.Model(image, head(x))
    # Rows in another order than the classes.
    wanted = 4 * np.eye(COUNT)[np.random.default_rng(1).permutation(COUNT)]
    solution, *_ = np.linalg.lstsq(features.predict(images, verbose=0), wanted)
    head.set_weights([solution, np.zeros(COUNT)])
    return model


def grayscale(pixels):
    return tf.image.rgb_to_grayscale(tf.constant(pixels, tf.float32)).numpy()


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Images in files, and networks with what they answer in Keras."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("mediapipe")
    pixels = photographs()
    sizes = {"same": (1, 1), "larger": (2, 3)}
    for name, factors in sizes.items():
        (folder / name).mkdir()
        images = pixels.repeat(factors[0], 1).repeat(factors[1], 2)
        for index, image in enumerate(images):
            file = folder / name / f"{index:02}.png"
            file.write_bytes(tf.io.encode_png(image).numpy())
    np.save(folder / "pixels.npy", pixels.astype("float32"))

    def made(name, preprocessing, inputs, **settings):
        normalized = preprocessing.normalize(inputs.astype("float32"))
        model = network(inputs.shape[-1], normalized)
        scores = model.predict(normalized, verbose=0)
        assert len(set(scores.argmax(-1))) == COUNT
        path = folder / f"{name}.tflite"
        export.tflite(model, path, preprocessing=preprocessing, **settings)
        return types.SimpleNamespace(model=model, path=path, scores=scores)

    names = {"class_names": CLASSES}
    gray = made("gray", GRAY, grayscale(pixels), include_preprocessing=True, **names)
    color = keras.Input((SIZE, SIZE, 3))
    converted = keras.Model(color, gray.model(keras.ops.image.rgb_to_grayscale(color)))
    scores = converted.predict(UNIFORM.normalize(pixels), verbose=0)
    assert len(set(scores.argmax(-1))) == COUNT
    path = folder / "grayed.tflite"
    export.tflite(
        converted,
        path,
        preprocessing=UNIFORM,
        include_preprocessing=True,
        **names,
    )
    int8 = {"quantization": "int8", **names}
    normalized = COLORED.normalize(pixels.astype("float32"))
    return types.SimpleNamespace(
        folder=folder,
        int8=made(
            "int8",
            COLORED,
            pixels,
            include_preprocessing=True,
            calibration=pixels.astype("float32"),
            **int8,
        ),
        int8_of_normalized=made(
            "normalized", COLORED, pixels, calibration=normalized, **int8
        ),
        pixels=made("pixels", COLORED, pixels, include_preprocessing=True, **names),
        uniform=made("uniform", UNIFORM, pixels, **names),
        colored=made("colored", COLORED, pixels, **names),
        nameless=made("nameless", COLORED, pixels, include_preprocessing=True),
        gray=gray,
        grayed=types.SimpleNamespace(path=path, scores=scores),
    )


def assert_the_same(actual, expected, tolerance=1e-3):
    assert actual.error is None
    assert actual.names == [CLASSES[index] for index in expected.scores.argmax(-1)]
    np.testing.assert_allclose(actual.scores, expected.scores, atol=tolerance)


def test_mediapipe_opens_it_as_it_is(mediapipe, case):
    expected = [case.pixels, case.uniform, case.grayed]
    files = [each.path for each in expected]
    answers = classify(mediapipe, "mediapipe", case.folder / "same", *files)
    for actual, each in zip(answers, expected, strict=True):
        assert_the_same(actual, each)


def test_mediapipe_opens_int8_as_it_is(mediapipe, case):
    (actual,) = classify(mediapipe, "mediapipe", case.folder / "same", case.int8.path)
    assert_the_same(actual, case.int8, INT8)


def test_mediapipe_resizes(mediapipe, case):
    folder = case.folder / "larger"
    (actual,) = classify(mediapipe, "mediapipe", folder, case.pixels.path)
    expected = case.pixels.scores.argmax(-1)
    assert actual.names == [CLASSES[index] for index in expected]


def test_mediapipe_without_names(mediapipe, case):
    folder = case.folder / "same"
    (actual,) = classify(mediapipe, "mediapipe", folder, case.nameless.path)
    assert actual.names == [None] * COUNT
    np.testing.assert_allclose(actual.scores, case.nameless.scores, atol=1e-3)


def test_mediapipe_says_what_it_does_not_take(mediapipe, case):
    """The limits that the documentation of `export.tflite` gives."""
    files = [case.colored.path, case.gray.path, case.int8_of_normalized.path]
    answers = classify(mediapipe, "mediapipe", case.folder / "same", *files)
    colored, *others = (answer.error for answer in answers)
    assert "NormalizationOptions" in colored
    assert all("Only RGB color space" in other for other in others)


@pytest.mark.parametrize("reader", ["interpreter", "compiled_model"])
def test_litert(reader, case):
    require("ai_edge_litert")
    file = case.folder / "pixels.npy"
    (actual,) = classify(sys.executable, reader, file, case.pixels.path)
    assert_the_same(actual, case.pixels, 1e-5)


@pytest.mark.parametrize(
    ("package", "reader", "write", "name"),
    [
        ("onnxruntime", "onnx_runtime", export.onnx, "model.onnx"),
        ("openvino", "openvino_runtime", export.openvino, "model_openvino"),
    ],
)
def test_servers(package, reader, write, name, case, tmp_path):
    require(package)
    path = tmp_path / name
    write(
        case.pixels.model,
        path,
        include_preprocessing=True,
        preprocessing=COLORED,
        class_names=CLASSES,
    )
    (actual,) = classify(sys.executable, reader, case.folder / "pixels.npy", path)
    assert_the_same(actual, case.pixels, 1e-5)


def test_browser(case):
    web.require()
    with web.serve(web.PAGE) as address, web.browser() as open_page:
        page = open_page(address)
        page.choose("model", case.pixels.path)
        for file, expected in zip(
            sorted((case.folder / "same").glob("*.png")),
            case.pixels.scores,
            strict=True,
        ):
            page.choose("image", file)
            assert page.error is None
            best = next(iter(page.scores))
            assert best == CLASSES[expected.argmax()]
            assert page.scores[best] == pytest.approx(expected.max(), abs=1e-3)

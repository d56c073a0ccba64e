"""TFLite files of fewer bits, compared with the Keras model and opened by LiteRT."""

import collections

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from se_keras import SqueezeExcite, create_model, export
from se_keras.errors import UsageError
from se_keras.export import FORMATS

TFLITE = FORMATS["tflite"]
SHAPE = (12, 10, 3)


def network(gate_bias=0.0, groups=1):
    """A small network with a gate after a pointwise convolution."""
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(1 / 127.5, offset=-1.0),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3, groups=groups, use_bias=False),
            keras.layers.BatchNormalization(),
            SqueezeExcite(ratio=8, name="gate"),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(2)
    model.set_weights(
        [w + rng.normal(0, 0.3, w.shape) ** 2 for w in model.get_weights()]
    )
    model.get_layer("gate").fc1.bias.assign([gate_bias])
    return model


def pixels(count=40, low=0, high=255):
    """Images that differ in brightness and in color, as photographs do."""
    rng = np.random.default_rng(0)
    fractions = rng.uniform(size=(count, 1, 1, 3)) * rng.uniform(size=(count, *SHAPE))
    return (low + (high - low) * fractions).astype("float32")


def operations(path):
    """Names of the operations of a file, without what XNNPACK makes of them."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    return [node["op_name"] for node in interpreter._get_ops_details()], interpreter


@pytest.mark.parametrize(
    ("quantization", "fraction", "tolerance"),
    [(None, 1, 1e-6), ("float16", 0.55, 1e-3), ("dynamic", 0.35, 0.02)],
)
def test_floating_point_forms(quantization, fraction, tolerance, tmp_path):
    model = create_model("se_resnet20", classes=4, input_shape=(16, 16, 3))
    images = np.random.default_rng(0).normal(size=(8, 16, 16, 3)).astype("float32")
    path = tmp_path / "model.tflite"
    report = export.tflite(model, path, quantization=quantization, images=images)
    kilobytes = 4 * model.count_params() / 1e3
    assert report["bytes"] / 1e3 < fraction * kilobytes + 60
    assert report["bytes"] / 1e3 > 0.6 * fraction * kilobytes
    expected = model.predict(images, verbose=0)
    difference = np.abs(TFLITE.open(path)(images) - expected).max()
    assert difference < tolerance
    assert report["outside_xnnpack"] == 0


def test_int8_of_a_trained_network(digits_run, digits_test, tmp_path):
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    path = tmp_path / "model.tflite"
    report = export.tflite(
        model,
        path,
        include_preprocessing=True,
        quantization="int8",
        calibration=digits_test.pixels[::4],
    )
    assert (report["images"], report["outside_xnnpack"]) == (90, 0)
    expected = model.predict(model.preprocessing.normalize(digits_test.pixels))

    _, interpreter = operations(path)
    (source,) = interpreter.get_input_details()
    (target,) = interpreter.get_output_details()
    assert (source["dtype"], target["dtype"]) == (np.uint8, np.float32)
    scores = []
    for image in digits_test.pixels:
        interpreter.set_tensor(source["index"], image[None].round().astype("uint8"))
        interpreter.invoke()
        scores.append(interpreter.get_tensor(target["index"])[0])
    agreement = np.mean(np.argmax(scores, -1) == expected.argmax(-1))
    assert agreement > 0.98
    # XNNPACK rounds otherwise than the plain kernels.
    ours = TFLITE.open(path)(digits_test.pixels)
    np.testing.assert_allclose(ours, scores, atol=0.06)

    floats = [
        tensor["name"]
        for tensor in interpreter.get_tensor_details()
        if tensor["dtype"] == np.float32 and tensor["name"]
    ]
    # The pixels before and after each step of the normalization, and the scores.
    assert len(floats) <= 7
    # A scale for each kernel of a convolution; activations have one.
    for tensor in interpreter.get_tensor_details():
        if tensor["dtype"] == np.int8 and len(tensor["shape"]) == 4:
            scales = tensor["quantization_parameters"]["scales"]
            assert len(scales) in (0, tensor["shape"][0])
    assert TFLITE.attachment.read(path).class_names == tuple("0123456789")


@pytest.mark.parametrize("gate_bias", [1.0, -100.0], ids=["open", "dead"])
def test_int8_of_a_gate(gate_bias, tmp_path):
    model = network(gate_bias)
    images = pixels()
    path = tmp_path / "model.tflite"
    report = export.tflite(model, path, quantization="int8", calibration=images)
    expected = model.predict(images, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(TFLITE.open(path)(images), expected, atol=0.02)
    assert report["rms_difference"] < 0.02


def test_pixels_keep_their_values_whatever_calibration_saw(digits_run, tmp_path):
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    path = tmp_path / "model.tflite"
    gray = np.random.default_rng(0).uniform(50, 100, (10, 12, 12, 1))
    export.tflite(
        model,
        path,
        include_preprocessing=True,
        quantization="int8",
        calibration=gray,
    )
    _, interpreter = operations(path)
    scale, zero = interpreter.get_input_details()[0]["quantization"]
    assert (round(scale, 6), zero) == (1.0, 0)


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_grouped_convolutions_are_one_operation(quantization, tmp_path):
    path = tmp_path / "model.tflite"
    calibration = pixels() if quantization else None
    export.tflite(
        network(groups=4), path, quantization=quantization, calibration=calibration
    )
    counts = collections.Counter(operations(path)[0])
    assert counts["CONV_2D"] == 4  # two of them the gate's
    assert not {"SPLIT", "CONCATENATION"} & set(counts)


def test_batches_of_any_size(tmp_path):
    model = network()
    path = tmp_path / "model.tflite"
    report = export.tflite(model, path, dynamic_batch=True)
    assert report["outside_xnnpack"] == 0
    _, interpreter = operations(path)
    (source,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(source["index"], (5, *SHAPE))
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], pixels(5))
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(scores, model.predict(pixels(5), verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    "batch", [lambda x: (x, 0), lambda x: [x, 0], lambda x: {"image": x, "label": 0}]
)
def test_calibration_in_batches_with_labels(batch, tmp_path):
    batches = [batch(pixels()[:30]), batch(pixels()[30:])]
    whole, parts = tmp_path / "whole.tflite", tmp_path / "parts.tflite"
    export.tflite(network(), whole, quantization="int8", calibration=pixels())
    keras.utils.set_random_seed(0)
    export.tflite(network(), parts, quantization="int8", calibration=iter(batches))
    np.testing.assert_array_equal(
        TFLITE.open(whole)(pixels()), TFLITE.open(parts)(pixels())
    )


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (pixels(0), r"\(n, 12, 10, 3\).*\(0, 12, 10, 3\)"),
        ([], r"\(n, 12, 10, 3\).*\(0,\)"),
        (pixels()[0], r"\(n, 12, 10, 3\).*\(12, 10, 3\)"),
        ([pixels(), pixels()[:, :5]], r"one shape.*\(5, 10, 3\), \(12, 10, 3\)"),
        (pixels() * np.nan, "finite"),
        (0 * pixels(), r"that differ.*0\.\.0"),
        ("train", "batches of them.*a str"),
        (3, "batches of them.*a int"),
        ([["a", "b"]], "of numbers.*a str"),
        ([{"pixels": pixels()}], r"'image' of each batch.*\['pixels'\]"),
        (None, "calibration images with quantization='int8'"),
    ],
)
def test_bad_calibration(calibration, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export.tflite(
            network(),
            tmp_path / "model.tflite",
            quantization="int8",
            calibration=calibration,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantization": "int4"}, r"\(None, 'float16', .*Received: .*'int4'"),
        ({"quantization": "float16", "calibration": pixels()}, "only then"),
    ],
)
def test_bad_quantization(settings, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export.tflite(network(), tmp_path / "model.tflite", **settings)
    assert not list(tmp_path.iterdir())


def test_a_layer_without_an_operation_in_tflite(tmp_path):
    image = keras.Input((4, 4, 3))
    channels = keras.ops.transpose(image, (0, 3, 1, 2))
    model = keras.Model(image, keras.ops.reshape(keras.ops.inv(channels), (-1, 48)))
    with pytest.raises(UsageError, match=r"TFLite has operations for.*MatrixInverse"):
        export.tflite(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_a_model_that_keras_quantized(tmp_path):
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    model.layers[-1].quantize("int8")
    with pytest.raises(UsageError, match=r"operations for.*fully_connected"):
        export.tflite(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_errors_by_layer():
    model = network(gate_bias=1.0)
    rows = export.quantization_errors(model, pixels())
    gate = {r["operation"]: r for r in rows if r["layer"].startswith("gate_")}
    assert {"MEAN", "CONV_2D", "LOGISTIC"} == set(gate)
    assert "MUL" in {row["operation"] for row in rows}
    assert gate["MEAN"]["layer"] == "gate_squeeze"
    # Rounding to the nearest of equal steps: 12 ** -0.5.
    assert gate["MEAN"]["steps"] == pytest.approx(0.29, abs=0.1)
    assert all(row["steps"] < 2 for row in rows)


def test_errors_grow_where_a_range_is_too_wide():
    """One image that is much brighter widens the steps of all others."""
    model = keras.Sequential([keras.Input(SHAPE), *network(gate_bias=1.0).layers[1:]])
    images = pixels() / 255
    few = export.quantization_errors(model, images)
    images = np.concatenate([images, 50 * images[:1]])
    many = export.quantization_errors(model, images)

    def squeeze(rows):
        return next(row["scale"] for row in rows if row["layer"] == "gate_squeeze")

    assert squeeze(many) > 10 * squeeze(few)


@pytest.mark.parametrize(
    ("include_preprocessing", "most", "message"),
    [(True, 1, r"pixels in 0\.\.255.*0\.\.1"), (False, 255, r"normalized.*0\.\.255")],
)
def test_calibration_of_another_range(
    include_preprocessing, most, message, digits_run, digits_test, tmp_path
):
    """The file would be useless, and would agree with Keras on these images."""
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    with pytest.raises(UsageError, match=message):
        export.tflite(
            model,
            tmp_path / "model.tflite",
            include_preprocessing=include_preprocessing,
            quantization="int8",
            calibration=digits_test.pixels * (most / digits_test.pixels.max()),
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("value", "is_pixel"), [(255.00006, True), (256.0, False)])
def test_pixels_that_resizing_rounded(value, is_pixel, digits_run, tmp_path):
    model = keras.models.load_model(digits_run.workdir / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (10, 12, 12, 1))
    images[:, :6] = value
    settings = {
        "include_preprocessing": True,
        "quantization": "int8",
        "calibration": images,
    }
    if is_pixel:
        assert export.tflite(model, tmp_path / "model.tflite", **settings)
    else:
        with pytest.raises(UsageError, match=r"pixels in .*Received: .*256"):
            export.tflite(model, tmp_path / "model.tflite", **settings)

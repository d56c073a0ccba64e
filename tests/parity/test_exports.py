"""Exports to other runtimes: the same answers, and the metadata in them."""

import json
import sys

import keras
import pytest
import tensorflow as tf

from se_keras import create_model, export
from se_keras.errors import UsageError
from se_keras.export import FORMATS
from tests.helpers import relative_error, require
from tests.models.tools import images, outputs, randomize

pytestmark = pytest.mark.parity

SHAPE = (40, 56, 3)


@pytest.fixture(scope="module")
def model():
    network = create_model(
        "se_resnet18", classes=5, input_shape=SHAPE, data_format="channels_last"
    )
    network.class_names = tuple("abcde")
    network = randomize(network)
    # Probabilities of random networks are 0 and 1.
    network.layers[-1].activation = keras.activations.linear
    return network


def run_onnx(path, x):
    session = require("onnxruntime").InferenceSession(path)
    (source,) = session.get_inputs()
    assert (source.name, source.shape[1:]) == ("images", [*SHAPE])
    return session.run(["scores"], {source.name: x})[0]


def run_openvino(path, x):
    core = require("openvino").Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(path / "model.xml", "CPU", settings)
    return compiled({"images": x})["scores"]


def metadata_of_onnx(path):
    (entry,) = require("onnx").load(path).metadata_props
    return entry.value


def metadata_of_openvino(path):
    return (path / "assets.extra" / "se_keras.json").read_text()


@pytest.mark.parametrize(
    ("write", "name", "run", "metadata"),
    [
        (export.onnx, "model.onnx", run_onnx, metadata_of_onnx),
        (export.openvino, "model_openvino", run_openvino, metadata_of_openvino),
    ],
)
def test_the_same_answers(write, name, run, metadata, model, tmp_path):
    path = tmp_path / name
    report = write(model, path)
    assert report["largest_difference"] < 1e-5
    for batch in (1, 3):
        x = images(batch, *SHAPE)
        assert relative_error(run(path, x), outputs(model, x)) < 1e-5
    assert json.loads(metadata(path))["class_names"] == list("abcde")
    with pytest.raises(UsageError, match="overwrite=True"):
        write(model, path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_names_of_axes(tmp_path):
    onnx = require("onnx")
    image = keras.Input((None, None, 3), name="some_name")
    x = keras.layers.Conv2D(4, 3, name="a_layer")(image)
    for batch, expected in ((True, "batch"), (False, 1)):
        path = tmp_path / f"{expected}.onnx"
        export.onnx(keras.Model(image, x), path, dynamic_batch=batch)
        graph = onnx.load(path).graph
        axes = [
            [
                axis.dim_param or axis.dim_value
                for axis in tensor.type.tensor_type.shape.dim
            ]
            for tensor in (graph.input[0], graph.output[0])
        ]
        assert axes == [[expected, "height", "width", 3], [expected, 0, 0, 4]]
        assert not [v for v in graph.value_info if "unk__" in str(v)]


class Shifting(keras.layers.Layer):
    """A layer that has a tensor in addition to its weights."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.shift = keras.ops.arange(200.0)[:3]

    def call(self, x):
        return x + self.shift


def adapted():
    layer = keras.layers.Normalization()
    layer.adapt(images(9, *SHAPE) * 9)
    return layer


@pytest.mark.parametrize(
    ("write", "name", "run"),
    [
        (export.onnx, "model.onnx", run_onnx),
        (export.openvino, "model_openvino", run_openvino),
    ],
)
@pytest.mark.parametrize(
    "layer", [adapted, Shifting, lambda: keras.layers.Rescaling([1.0, 2.0, 3.0], 4)]
)
def test_tensors_of_layers_are_constants_of_the_file(
    layer, write, name, run, model, tmp_path
):
    image = keras.Input(SHAPE)
    whole = keras.Model(image, model(layer()(image)))
    write(whole, tmp_path / name)
    x = images(3, *SHAPE)
    assert relative_error(run(tmp_path / name, x), outputs(whole, x)) < 1e-5


@pytest.mark.parametrize(
    ("write", "name", "file"),
    [
        (export.onnx, "model.onnx", ""),
        (export.openvino, "model_openvino", "model.bin"),
    ],
)
def test_a_damaged_file(write, name, file, model, tmp_path):
    write(model, tmp_path / name)
    path = tmp_path / name / file if file else tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match="which is damaged or was changed"):
        export.load_classifier(tmp_path / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "openvino", "tflite", "saved_model"])
@pytest.mark.parametrize(
    ("network", "size"),
    [
        ("EfficientNetB0", 32),
        ("EfficientNetV2B0", 32),
        ("ConvNeXtTiny", 32),
        ("NASNetMobile", 32),
        ("MobileNetV3Small", 32),
    ],
)
def test_networks_of_keras_applications(network, size, name, tmp_path):
    require("openvino")
    create = getattr(keras.applications, network)
    built = create(weights=None, input_shape=(size, size, 3), classes=5)
    path = tmp_path / FORMATS[name].file_name()
    assert getattr(export, name)(built, path)["largest_difference"] < 1e-5


def test_onnx_has_no_change_of_layout_in_its_blocks(model, tmp_path):
    """An image is transposed once at the beginning; the pool pads by itself."""
    export.onnx(model, tmp_path / "model.onnx")
    nodes = require("onnx").load(tmp_path / "model.onnx").graph.node
    kinds = [node.op_type for node in nodes]
    assert kinds.count("Transpose") <= 1
    assert "Pad" not in kinds[: kinds.index("MaxPool")]
    assert "Reshape" not in kinds[: kinds.index("Sigmoid")]


@pytest.mark.parametrize(
    ("write", "name", "run"),
    [
        (export.onnx, "model.onnx", run_onnx),
        (export.openvino, "model_openvino", run_openvino),
    ],
)
def test_one_image_at_a_time(write, name, run, model, tmp_path):
    path = tmp_path / name
    assert write(model, path, dynamic_batch=False)["images"] > 1
    x = images(1, *SHAPE)
    assert relative_error(run(path, x), outputs(model, x)) < 1e-5
    with pytest.raises(Exception, match=r"[Ii]nvalid dimensions|can't|incompatible"):
        run(path, images(2, *SHAPE))


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
def test_grouped_convolutions(write, tmp_path):
    require("onnx")
    image = keras.Input((8, 8, 8))
    grouped = keras.Model(image, keras.layers.Conv2D(12, 3, groups=4)(image))
    assert write(grouped, tmp_path / "model.onnx")["largest_difference"] < 1e-5


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_padding_before_a_pool_with_padding(padding, write, tmp_path):
    require("onnx")
    image = keras.Input((8, 8, 3))
    x = keras.layers.ReLU()(keras.layers.Conv2D(4, 1)(image))
    x = keras.layers.ZeroPadding2D(1)(x)
    model = keras.Model(image, keras.layers.MaxPooling2D(3, 2, padding=padding)(x))
    assert write(model, tmp_path / "model.onnx")["largest_difference"] < 1e-5


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
@pytest.mark.parametrize(
    ("padding", "mode", "value"),
    [(2, "constant", 0), (1, "reflect", None), (1, "constant", 3)],
    ids=["wide", "reflected", "not zero"],
)
def test_padding_that_a_pool_cannot_have(padding, mode, value, write, tmp_path):
    require("onnx")
    image = keras.Input((8, 8, 3))
    x = keras.layers.ReLU()(keras.layers.Conv2D(4, 1)(image))
    amounts = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    x = keras.ops.pad(x, amounts, mode, value)
    model = keras.Model(image, keras.layers.MaxPooling2D(2)(x))
    assert write(model, tmp_path / "model.onnx")["largest_difference"] < 1e-5


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
def test_layers_of_training_do_nothing(write, tmp_path):
    require("onnx")
    image = keras.Input((8, 8, 3))
    x = keras.layers.RandomFlip()(image)
    x = keras.layers.RandomRotation(0.3)(x)
    x = keras.layers.RandomContrast(0.3)(x)
    model = keras.Model(image, keras.layers.Conv2D(4, 3)(x))
    assert write(model, tmp_path / "model.onnx")["largest_difference"] < 1e-5


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
def test_activation_with_a_function_that_onnx_does_not_have(write, tmp_path):
    require("onnx")
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="gelu")(image)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    assert write(model, tmp_path / "model.onnx")["largest_difference"] < 1e-5


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
def test_a_reshape_at_the_end(write, tmp_path):
    require("onnx")
    image = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Flatten()(x))
    assert write(model, tmp_path / "model.onnx")["largest_difference"] < 1e-5


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
def test_a_layer_without_an_operation_in_onnx(write, tmp_path):
    class LogGamma(keras.layers.Layer):
        def call(self, x):
            return tf.math.lgamma(x)

    require("onnx")
    image = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(LogGamma()(image))
    with pytest.raises(UsageError, match=r"ONNX has operations for.*\(Lgamma\)"):
        write(keras.Model(image, pooled), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [export.onnx, export.openvino])
def test_a_package_is_missing(write, model, tmp_path, monkeypatch):

    for package in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'se-keras\[export\]'"):
        write(model, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("write", "name"),
    [(export.onnx, "model.onnx"), (export.openvino, "model_openvino")],
)
def test_a_classifier(write, name, model, tmp_path):
    write(model, tmp_path / name, include_preprocessing=True)
    classifier = export.load_classifier(tmp_path / name)
    assert classifier.class_names == tuple("abcde")
    x = images(3, *SHAPE)
    scores = classifier.predict(classifier.preprocessing.denormalize(x))
    assert relative_error(scores, outputs(model, x)) < 1e-5


def test_a_file_that_is_not_onnx(tmp_path):
    require("onnxruntime")
    (tmp_path / "model.onnx").write_text("text")
    with pytest.raises(UsageError, match="which cannot be read"):
        export.load_classifier(tmp_path / "model.onnx")


def test_another_suffix(model, tmp_path):
    with pytest.raises(UsageError, match=r"suffix \.onnx"):
        export.onnx(model, tmp_path / "model.pb")

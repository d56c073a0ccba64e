"""TFLite metadata, read with TensorFlow's schema of models and the zip archive."""

import struct
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from se_keras import export
from se_keras.export import FORMATS
from se_keras.export.metadata import Metadata
from se_keras.export.tflite_metadata import write_tflite_metadata
from se_keras.layers import SqueezeExcite
from se_keras.models import Preprocessing

TFLITE = FORMATS["tflite"]
NAMES = ("chat", "chien", "éléphant")


def network(channels=3):
    return keras.Sequential(
        [
            keras.Input((6, 5, channels)),
            keras.layers.Conv2D(8, 3),
            SqueezeExcite(ratio=2),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def images(count=3):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, 6, 5, 3)).astype("float32")


def preprocessing(mean, std):
    return Preprocessing((6, 5), 1.0, mean=mean, std=std)


COLORED = preprocessing((0.4, 0.5, 0.6), (0.1, 0.2, 0.3))


class Flat:
    """A table of a flatbuffer, read by the rules of the format alone."""

    def __init__(self, data, position=0):
        self.data = data
        self.position = position or self.number("<I", 0)

    def number(self, form, position):
        return struct.unpack_from(form, self.data, position)[0]

    def at(self, slot):
        vtable = self.position - self.number("<i", self.position)
        if 4 + 2 * slot >= self.number("<H", vtable):
            return None
        offset = self.number("<H", vtable + 4 + 2 * slot)
        return self.position + offset if offset else None

    def byte(self, slot):
        position = self.at(slot)
        return self.data[position] if position else 0

    def target(self, slot):
        position = self.at(slot)
        return position and position + self.number("<I", position)

    def table(self, slot):
        return Flat(self.data, self.target(slot))

    def tables(self, slot):
        start = self.target(slot)
        if start is None:
            return []
        places = [start + 4 * (i + 1) for i in range(self.number("<I", start))]
        return [Flat(self.data, place + self.number("<I", place)) for place in places]

    def text(self, slot):
        start = self.target(slot)
        size = self.number("<I", start)
        return self.data[start + 4 : start + 4 + size].decode()

    def floats(self, slot):
        start = self.target(slot)
        size = self.number("<I", start)
        return struct.unpack_from(f"<{size}f", self.data, start + 4)


def metadata_table(path):
    """Returns the fields of the metadata, each by its slot in the schema."""
    model = schema.Model.GetRootAs(path.read_bytes())
    (buffer,) = [
        model.Metadata(i).Buffer()
        for i in range(model.MetadataLength())
        if model.Metadata(i).Name() == b"TFLITE_METADATA"
    ]
    data = model.Buffers(buffer).DataAsNumpy().tobytes()
    assert data[4:8] == b"M001"
    root = Flat(data)
    (graph,) = root.tables(3)
    ((image,), (scores,)) = graph.tables(2), graph.tables(3)
    content = image.table(3)
    assert content.byte(0) == 2  # ImageProperties
    normalization = None
    for unit in image.tables(4):
        assert unit.byte(0) == 1  # NormalizationOptions
        normalization = (unit.table(1).floats(0), unit.table(1).floats(1))
    return {
        "parser": root.text(7),
        "tensors": (image.text(0), scores.text(0)),
        "color_space": content.table(1).byte(0),
        "normalization": normalization,
        "files": [(file.text(0), file.byte(2)) for file in scores.tables(6)],
    }


RGB, GRAYSCALE = 1, 2
AS_THEY_ARE = ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("channels", "expected", "included", "color_space", "normalization"),
    [
        (3, COLORED, True, RGB, AS_THEY_ARE),
        (3, COLORED, False, RGB, None),
        (3, None, False, RGB, None),
        (
            3,
            preprocessing((0.5,) * 3, (0.25,) * 3),
            False,
            RGB,
            ((127.5,), (63.75,)),
        ),
        (3, preprocessing((0.5,) * 3, (0.2, 0.2, 0.3)), False, RGB, None),
        (1, preprocessing((0.5,), (0.25,)), True, GRAYSCALE, AS_THEY_ARE),
        (4, preprocessing((0.5,) * 4, (0.2,) * 4), True, 0, AS_THEY_ARE),
    ],
)
def test_metadata(channels, expected, included, color_space, normalization, tmp_path):
    path = tmp_path / "model.tflite"
    export.tflite(
        network(channels),
        path,
        include_preprocessing=included,
        preprocessing=expected,
        class_names=NAMES,
    )
    assert metadata_table(path) == {
        "parser": "1.0.0",
        "tensors": ("image", "scores"),
        "color_space": color_space,
        "normalization": normalization,
        "files": [("labels.txt", 2)],
    }
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["se_keras.json", "labels.txt"]
        # MediaPipe reads archives that are not compressed.
        assert {info.compress_type for info in archive.infolist()} == {0}
        assert archive.read("labels.txt").decode() == "chat\nchien\néléphant\n"
    assert TFLITE.attachment.read(path) == Metadata(NAMES, expected, included)


@pytest.mark.parametrize(
    ("expected", "included", "color_space"),
    [(COLORED, True, RGB), (None, False, RGB), (COLORED, False, 0)],
    ids=["pixels", "unknown", "normalized"],
)
def test_bytes_of_normalized_images_are_not_colors(
    expected, included, color_space, tmp_path
):
    path = tmp_path / "model.tflite"
    pixels = images(20)
    export.tflite(
        network(),
        path,
        quantization="int8",
        calibration=pixels if included or not expected else expected.normalize(pixels),
        include_preprocessing=included,
        preprocessing=expected,
    )
    assert metadata_table(path)["color_space"] == color_space


def test_without_names(tmp_path):
    path = tmp_path / "model.tflite"
    export.tflite(network(), path)
    assert metadata_table(path)["files"] == []
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["se_keras.json"]


def test_blank_names_do_not_move_the_others(tmp_path):
    path = tmp_path / "model.tflite"
    names = ("", "a", " ")
    export.tflite(network(), path, class_names=names)
    with zipfile.ZipFile(path) as archive:
        labels = archive.read("labels.txt").decode()
    assert labels == "class 0\na\nclass 2\n"
    assert TFLITE.attachment.read(path).class_names == names


def convert(path, **settings):
    """Writes a model file as the converter makes it."""
    converter = tf.lite.TFLiteConverter.from_keras_model(network())
    for name, value in settings.items():
        setattr(converter, name, value)
    path.write_bytes(converter.convert())


def test_the_model_stays_as_it_is(tmp_path):
    path, converted = tmp_path / "model.tflite", tmp_path / "converted.tflite"
    convert(converted)
    original = converted.read_bytes()
    path.write_bytes(original)
    write_tflite_metadata(path, Metadata(NAMES, COLORED, True))

    # The few hundred bytes before it keep its alignment.
    written = path.read_bytes()
    assert written.endswith(original)
    added = len(written) - len(original)
    assert added < 1024
    assert added % 16 == 0

    assert schema.Model.ModelBufferHasIdentifier(written, 0)
    model = schema.Model.GetRootAs(written)
    data = model.Buffers(model.BuffersLength() - 1)._tab
    assert data.Vector(data.Offset(4)) % 16 == 0

    # Without its last buffer and entry it is the model of the converter.
    changed = flatbuffer_utils.read_model(str(path))
    changed.buffers.pop()
    assert changed.metadata.pop().name == b"TFLITE_METADATA"
    before = flatbuffer_utils.read_model(str(converted))
    assert len(before.buffers) > 5
    assert flatbuffer_utils.convert_object_to_bytearray(
        changed
    ) == flatbuffer_utils.convert_object_to_bytearray(before)

    np.testing.assert_array_equal(
        TFLITE.open(path)(images()), TFLITE.open(converted)(images())
    )


def test_weights_outside_the_flatbuffer(tmp_path):
    path = tmp_path / "model.tflite"
    convert(path, _experimental_use_buffer_offset=True)
    model = schema.Model.GetRootAs(path.read_bytes())
    assert any(model.Buffers(i).Offset() > 1 for i in range(model.BuffersLength()))
    original = path.read_bytes()
    write_tflite_metadata(path, Metadata(NAMES, COLORED, True))
    assert path.read_bytes() == original

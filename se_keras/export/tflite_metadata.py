"""TFLite metadata, which the tools of Android and MediaPipe read in a model file."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import flatbuffers
import numpy as np
from flatbuffers.number_types import Int8Flags, Int32Flags, Uint32Flags, Uint64Flags
from flatbuffers.table import Table

from se_keras.export.metadata import Metadata

LABELS_NAME = "labels.txt"

# Slots of the fields that are used here; a schema never moves one. Those of the model
# are from tensorflow/lite/schema/schema.fbs, version 3, those of the metadata from
# mediapipe/tasks/metadata/metadata_schema.fbs, version 1.5.0.
VERSION, SUBGRAPHS, BUFFERS, METADATA = 0, 2, 4, 6
SLOTS = {
    "SubGraph": {"tensors": 0, "inputs": 1},
    "Tensor": {"shape": 0, "type": 1},
    "Buffer": {"data": 0, "offset": 1},
    "Metadata": {"name": 0, "buffer": 1},
    "ModelMetadata": {"subgraph_metadata": 3, "min_parser_version": 7},
    "SubGraphMetadata": {"input_tensor_metadata": 2, "output_tensor_metadata": 3},
    "TensorMetadata": {
        "name": 0,
        "description": 1,
        "content": 3,
        "process_units": 4,
        "associated_files": 6,
    },
    "Content": {"content_properties_type": 0, "content_properties": 1},
    "FeatureProperties": {},
    "ImageProperties": {"color_space": 0},
    "ProcessUnit": {"options_type": 0, "options": 1},
    "NormalizationOptions": {"mean": 0, "std": 1},
    "AssociatedFile": {"name": 0, "description": 1, "type": 2},
}
# Members of unions and enumerations.
FEATURE_PROPERTIES, IMAGE_PROPERTIES = 1, 2
NORMALIZATION_OPTIONS = 1
TENSOR_AXIS_LABELS = 2
UNKNOWN = 0
COLOR_SPACES = {1: 2, 3: 1}  # by the number of channels: grayscale, RGB
FLOAT32 = 0

MODEL_IDENTIFIER, METADATA_IDENTIFIER = b"TFL3", b"M001"
ENTRY_NAME = "TFLITE_METADATA"
# All fields above are in the first version of the schema.
MIN_PARSER_VERSION = "1.0.0"
# The largest of the schema: the size of what is before a model is a multiple of it.
ALIGNMENT = 16


class _Table(NamedTuple):
    """A table of a flatbuffer: its fields by name, the absent ones `None`."""

    table: str
    fields: dict


def write_tflite_metadata(path: pathlib.Path, metadata: Metadata) -> None:
    """Adds TFLite's own metadata to a model file that the converter wrote.

    They state the color space, the normalization and the file of the class names:
    `labels.txt`, which is stored in a zip archive after the model. MediaPipe's
    convention for the normalization is `(pixel - mean) / std` with pixels in 0..255,
    and one number for all channels. A model of normalized images whose channels differ
    therefore gets no normalization options, and MediaPipe refuses it. In a quantized
    one, MediaPipe would take the pixels for the integers of normalized values; such a
    model gets no color space, for which MediaPipe refuses it, too.

    The bytes of the converter do not change: flatbuffers are addressed by distances, so
    that a new root with the old tables and one more can be written before them. A model
    whose weights are outside of its flatbuffer and addressed from the start of the
    file, as those of over 2 GiB are, gets no metadata.

    Args:
        path: A TFLite file of one image.
        metadata: The metadata.
    """
    model = path.read_bytes()
    root = Table(model, Table(model, 0).Indirect(0))
    if any(
        Table(model, buffer).GetSlot(_key("Buffer", "offset"), 0, Uint64Flags)
        for buffer in _elements(root, BUFFERS)
    ):
        return
    builder = flatbuffers.Builder()
    table = _metadata_table(metadata, *_channels_and_type(root))
    builder.Finish(_write(builder, table), METADATA_IDENTIFIER)
    front = _new_front(root, bytes(builder.Output()))
    with path.open("wb") as file:
        file.write(front)
        file.write(model)


def labels_text(names: Sequence[str]) -> str:
    """Returns the content of `labels.txt`: the names in their order, one per line.

    A blank name is replaced by its number: readers skip blank lines, MediaPipe those at
    the end, so that all names after it would be those of other classes.
    """
    lines = [
        name if name.strip() else f"class {index}" for index, name in enumerate(names)
    ]
    return "\n".join(lines) + "\n"


def _metadata_table(metadata, channels, type_of_input):
    # MediaPipe opens a model of four channels without a color space, and hangs on it.
    color_space = COLOR_SPACES.get(channels, UNKNOWN)
    is_normalized = metadata.preprocessing is not None and not metadata.normalizes
    if is_normalized and type_of_input != FLOAT32:
        color_space = UNKNOWN
    properties = _Table("ImageProperties", {"color_space": color_space})
    image = _Table(
        "TensorMetadata",
        {
            "name": "image",
            "description": "Its preprocessing is described in se_keras.json.",
            "content": _content(IMAGE_PROPERTIES, properties),
            "process_units": _normalization(metadata),
        },
    )
    labels = _Table(
        "AssociatedFile",
        {
            "name": LABELS_NAME,
            "description": "The name of each class, one per line.",
            "type": TENSOR_AXIS_LABELS,
        },
    )
    scores = _Table(
        "TensorMetadata",
        {
            # MediaPipe reads it without checking that it is present.
            "name": "scores",
            "content": _content(FEATURE_PROPERTIES, _Table("FeatureProperties", {})),
            "associated_files": [labels] if metadata.class_names else None,
        },
    )
    graph = _Table(
        "SubGraphMetadata",
        {"input_tensor_metadata": [image], "output_tensor_metadata": [scores]},
    )
    return _Table(
        "ModelMetadata",
        {"subgraph_metadata": [graph], "min_parser_version": MIN_PARSER_VERSION},
    )


def _content(kind, properties):
    return _Table(
        "Content", {"content_properties_type": kind, "content_properties": properties}
    )


def _normalization(metadata):
    """Returns the process units of the input, or `None` if they cannot state it."""
    if metadata.normalizes:
        mean, std = 0.0, 1.0
    else:
        preprocessing = metadata.preprocessing
        if preprocessing is None or not _is_uniform(preprocessing):
            return None
        mean = 255 * float(preprocessing.mean[0])
        std = 255 * float(preprocessing.std[0])
    options = _Table("NormalizationOptions", {"mean": [mean], "std": [std]})
    return [
        _Table(
            "ProcessUnit", {"options_type": NORMALIZATION_OPTIONS, "options": options}
        )
    ]


def _is_uniform(preprocessing):
    """Returns whether all channels are normalized by the same numbers."""
    pairs = zip(preprocessing.mean, preprocessing.std, strict=True)
    return len({*pairs}) == 1


def _write(builder, value):
    """Writes a value with all that it contains; returns the builder's offset of it."""
    match value:
        case str():
            return builder.CreateString(value)
        case [float(), *_]:
            return builder.CreateNumpyVector(np.asarray(value, "float32"))
        case list():
            return _vector(builder, [_write(builder, element) for element in value])
    fields = {k: v for k, v in value.fields.items() if v is not None}
    # What is in a table has to be written before it.
    children = {
        name: _write(builder, child)
        for name, child in fields.items()
        if not isinstance(child, int)
    }
    slots = SLOTS[value.table]
    builder.StartObject(max(slots.values(), default=-1) + 1)
    for name, field in fields.items():
        if name in children:
            builder.PrependUOffsetTRelativeSlot(slots[name], children[name], 0)
        else:
            builder.PrependUint8Slot(slots[name], field, 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _new_front(root, metadata):
    """Returns the bytes that, before the bytes of a model, add metadata to it.

    A builder counts its offsets from the end of what it writes. That is where the model
    begins, and so minus its position is the offset of a table in it.
    """
    builder = flatbuffers.Builder()
    builder.Prep(ALIGNMENT, len(metadata))
    data = builder.CreateByteVector(metadata)
    builder.StartObject(len(SLOTS["Buffer"]))
    builder.PrependUOffsetTRelativeSlot(SLOTS["Buffer"]["data"], data, 0)
    buffer = builder.EndObject()

    name = builder.CreateString(ENTRY_NAME)
    slots = SLOTS["Metadata"]
    old_buffers = _elements(root, BUFFERS)
    builder.StartObject(len(slots))
    builder.PrependUOffsetTRelativeSlot(slots["name"], name, 0)
    builder.PrependUint32Slot(slots["buffer"], len(old_buffers), 0)
    entry = builder.EndObject()

    extended = {
        slot: _vector(builder, [*(-old for old in _elements(root, slot)), new])
        for slot, new in ((BUFFERS, buffer), (METADATA, entry))
    }
    kept = {
        slot: -root.Indirect(root.Pos + offset)
        for slot, offset in _offsets(root).items()
        if slot != VERSION
    }
    fields = kept | extended
    builder.StartObject(max(fields) + 1)
    builder.PrependUint32Slot(VERSION, root.GetSlot(4, 0, Uint32Flags), 0)
    for slot, target in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, target, 0)
    builder.Finish(builder.EndObject(), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def _channels_and_type(root):
    """Returns the size of the last axis of a model's input, and the input's type."""
    model = root.Bytes
    graph = Table(model, _elements(root, SUBGRAPHS)[0])
    inputs = graph.Offset(_key("SubGraph", "inputs"))
    (index,) = graph.GetVectorAsNumpy(Int32Flags, inputs)
    tensor = Table(model, _elements(graph, SLOTS["SubGraph"]["tensors"])[index])
    shape = tensor.Offset(_key("Tensor", "shape"))
    channels = tensor.GetVectorAsNumpy(Int32Flags, shape)[-1]
    return int(channels), tensor.GetSlot(_key("Tensor", "type"), FLOAT32, Int8Flags)


def _offsets(table):
    """Returns where each field that is present begins, from the table on."""
    vtable = table.Pos - table.Get(Int32Flags, table.Pos)
    size = int.from_bytes(table.Bytes[vtable : vtable + 2], "little")
    offsets = {slot: table.Offset(4 + 2 * slot) for slot in range((size - 4) // 2)}
    return {slot: offset for slot, offset in offsets.items() if offset}


def _elements(table, slot):
    """Returns the positions of the tables that a vector lists."""
    offset = table.Offset(4 + 2 * slot)
    if not offset:
        return []
    start = table.Vector(offset)
    return [table.Indirect(start + 4 * i) for i in range(table.VectorLen(offset))]


def _key(table, field):
    """Returns a field's place in the vtable, as flatbuffers counts it."""
    return 4 + 2 * SLOTS[table][field]

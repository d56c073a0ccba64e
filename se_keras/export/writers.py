"""The functions that write a network in its inference form, one for each format.

Only the TensorFlow backend of Keras has them.
"""

import contextlib
import pathlib
import re
from collections.abc import Callable

import keras
import tensorflow as tf

from se_keras.data.images import center_crop
from se_keras.errors import UsageError
from se_keras.export import onnx_graph, quantize, runtime, tensorflow_graph
from se_keras.export.metadata import Metadata

# Bytes of weights below which a SavedModel is frozen by default.
FROZEN_BYTES = 2**27


@contextlib.contextmanager
def _inlined():
    """Makes TensorFlow functions that a model calls part of its graph.

    Keras compiles grouped convolutions with XLA, in a function that no converter to
    ONNX knows; only their gradient needs it.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def write_saved_model(
    network: keras.Model,
    path: pathlib.Path,
    metadata: Metadata,
    frozen: bool | None = None,
) -> None:
    """Writes a SavedModel whose weights are constants, inside or outside of the graph.

    TensorFlow's kernels convert the weights of a convolution to their own layout once
    if they are nodes of the graph, and for each image if they are arguments of a
    function, as variables and constants from outside are. But TensorFlow keeps more
    than ten copies of a graph.
    """
    weights = network.trainable_variables, network.non_trainable_variables
    values = [[variable.numpy() for variable in variables] for variables in weights]
    if frozen is None:
        frozen = sum(value.nbytes for group in values for value in group) < FROZEN_BYTES
    if not frozen:
        values = [[*map(tf.constant, group)] for group in values]

    def serve(images):
        # In here a constant is a node; one from outside is an argument.
        trainable, others = ([*map(tf.convert_to_tensor, group)] for group in values)
        with _inlined():
            return network.stateless_call(trainable, others, images, training=False)[0]

    images = tf.TensorSpec(
        (None, *network.inputs[0].shape[1:]), name=network.inputs[0].name
    )
    module = tf.Module()
    module.serve = _gates_first(tf.function(serve, [images]))
    signatures = {"serving_default": module.serve}
    if metadata.preprocessing is not None and len(network.outputs[0].shape) == 2:
        module.classify = tf.function(
            _of_encoded_images(module.serve, metadata),
            [tf.TensorSpec((None,), tf.string, name="encoded_images")],
        )
        signatures["classify"] = module.classify
    tf.saved_model.save(module, str(path), signatures)


def _gates_first(serve):
    """Returns the function of images, in which convolutions wait for their gates."""
    traced = serve.get_concrete_function()
    graph = traced.graph.as_graph_def()
    if traced.captured_inputs or not tensorflow_graph.gates_first(graph):
        return serve
    (source,), (target,) = traced.inputs, traced.outputs

    def ordered(images):
        inputs = {source.name: images}
        return tf.graph_util.import_graph_def(graph, inputs, [target.name], name="")[0]

    return tf.function(ordered, serve.input_signature)


def _of_encoded_images(serve, metadata):
    """Returns a function of encoded images, which returns the best class first."""
    preprocessing = metadata.preprocessing
    pixels = tf.TensorSpec((*preprocessing.size, preprocessing.channels), tf.float32)

    def classify(encoded_images):
        images = tf.map_fn(
            lambda encoded: center_crop(encoded, preprocessing),
            encoded_images,
            fn_output_signature=pixels,
        )
        if not metadata.normalizes:
            images = preprocessing.normalize(images)
        scores = serve(images)
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        names = metadata.class_names or map(str, range(scores.shape[-1]))
        return {
            "classes": tf.gather(tf.constant(list(names)), order),
            "scores": tf.gather(scores, order, batch_dims=1),
        }

    return classify


def write_tflite(
    network: keras.Model,
    path: pathlib.Path,
    metadata: Metadata,
    quantization: str | None = None,
    calibration=None,
    dynamic_batch: bool = False,
) -> None:
    """Writes a TFLite file of built-in operations."""
    write = tflite_writer(network, None if dynamic_batch else 1)
    if quantization == "int8":
        content = quantize.calibrate(write, calibration, pixels=metadata.normalizes)
        path.write_bytes(quantize.to_int8(content))
    else:
        write(path, **quantize.CONVERTER_SETTINGS[quantization])


def tflite_writer(network: keras.Model, batch: int | None = 1) -> Callable:
    """Returns a function that writes a network as TFLite.

    Args:
        network: A model of one image.
        batch: Size of the batches; `None` for any.

    Returns:
        A callable of a path and, as keyword arguments, the settings of
        `tf.lite.TFLiteConverter`.
    """
    signature = [_signature(network, batch)]

    def write(path, **settings):
        try:
            with _inlined():
                network.export(
                    str(path),
                    format="litert",
                    verbose=False,
                    input_signature=signature,
                    **settings,
                )
        except Exception as error:
            if type(error).__name__ != "ConverterError":  # the class is not public
                raise
            raise UsageError(
                "Expected layers that TFLite has operations for. Received: a model "
                f"with others ({_operations_without(error)})"
            ) from error

    return write


def _operations_without(error) -> str:
    """Returns the names of the operations that the converter has no form for.

    If its message has none, the reason in the message.
    """
    found = re.findall(r"tf\.([A-Z]\w+)", str(error))
    reason = re.search(r"'tfl\.\w+' op .*", str(error))
    first_line = str(error).partition("\n")[0]
    return ", ".join(sorted(set(found))) or (reason[0] if reason else first_line)


def write_onnx(
    network: keras.Model,
    path: pathlib.Path,
    metadata: Metadata,
    dynamic_batch: bool = True,
) -> None:
    """Writes an ONNX file."""
    import onnx

    signature = _signature(network, None if dynamic_batch else 1)
    # Keras does not pass `training=False` to this exporter.
    image = keras.Input(network.inputs[0].shape[1:], name=network.inputs[0].name)
    network = keras.Model(image, network(image, training=False), name=network.name)
    with _inlined():
        network.export(
            str(path), format="onnx", verbose=False, input_signature=[signature]
        )
    model = onnx.load(path)
    unknown = onnx_graph.unknown_operations(model)
    if unknown:
        raise UsageError(
            "Expected layers that ONNX has operations for. "
            f"Received: a model with others ({', '.join(unknown)})"
        )
    onnx_graph.simplify(model)
    onnx.save(model, path)


def write_openvino(
    network: keras.Model,
    path: pathlib.Path,
    metadata: Metadata,
    dynamic_batch: bool = True,
) -> None:
    """Writes a directory with OpenVINO's two files, converted from ONNX.

    Keras's own exporter leaves the padding of the stem's pool to a slow kernel.
    """
    import openvino

    path.mkdir()
    onnx_file = path / "model.onnx"
    write_onnx(network, onnx_file, metadata, dynamic_batch)
    model = openvino.convert_model(onnx_file)
    openvino.save_model(model, path / runtime.OPENVINO_FILE, compress_to_fp16=False)
    onnx_file.unlink()


def _signature(network, batch=None) -> keras.InputSpec:
    """Returns the input signature of an exported network."""
    (tensor,) = network.inputs
    return keras.InputSpec(
        shape=(batch, *tensor.shape[1:]), dtype="float32", name=tensor.name
    )

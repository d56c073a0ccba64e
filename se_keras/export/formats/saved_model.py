"""SavedModel, the format of TensorFlow and TensorFlow Serving."""

import pathlib
from typing import TYPE_CHECKING

from se_keras.backend import require_tensorflow
from se_keras.export.attachment import InDirectory
from se_keras.export.formats.format import Format, Run
from se_keras.export.metadata import Metadata

if TYPE_CHECKING:
    import keras

# Bytes of weights below which a SavedModel is frozen by default.
FROZEN_BYTES = 2**27


def write(
    network: "keras.Model",
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
    import tensorflow as tf

    from se_keras.export import serving, tensorflow_graph

    if frozen is None:
        frozen = 4 * network.count_params() < FROZEN_BYTES  # the weights are float32
    module = tf.Module()
    module.serve = tensorflow_graph.function_of(
        network,
        metadata.input_name,
        frozen=frozen,
        change=tensorflow_graph.gates_first,
    )
    signatures = {"serving_default": tensorflow_graph.with_named_scores(module.serve)}
    if metadata.preprocessing is not None and len(network.outputs[0].shape) == 2:
        module.classify = serving.of_encoded_images(module.serve, metadata)
        signatures["classify"] = module.classify
    # The constants of custom gradients, as of `silu`, cannot be saved in functions.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(path), signatures, options)


def run(path: pathlib.Path) -> Run:
    """Returns a callable of a batch of images that runs a SavedModel."""
    require_tensorflow("SavedModel")
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda images: loaded.serve(tf.constant(images, tf.float32)).numpy()


SAVED_MODEL = Format(
    "saved_model",
    "TensorFlow and TensorFlow Serving",
    writer=write,
    opener=run,
    attachment=InDirectory(),
    marker="saved_model.pb",
)

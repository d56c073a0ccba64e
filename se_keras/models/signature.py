"""What images a model takes, and what its outputs are, as its graph states them."""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np

from se_keras.graph.functional import is_functional
from se_keras.graph.rewrite import Graph, Ref
from se_keras.models.image_model import declared_preprocessing
from se_keras.models.preprocessing import Preprocessing

# Height and width of a probe, in pixels, where the model takes any.
_PROBE_SIZE = 32
# A model that takes pixels in 0..255 divides them by a standard deviation of 20 or
# more, or subtracts a mean of 10 or more from each. Images in 0..1, which a model may
# also normalize, need neither.
_LARGEST_SCALE, _LEAST_MEAN = 1 / 20, 10.0
# Layers that return what they get, up to its shape.
_RESHAPING = (
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Reshape,
)


@dataclasses.dataclass(frozen=True)
class Images:
    """The images that a model takes.

    Attributes:
        preprocessing: What the model expects, or `None` if that is not known. For a
            model that normalizes images itself, this is a preprocessing of pixels:
            `normalize` returns them as they are.
        normalizes: Whether the model takes pixels in 0..255 and normalizes them itself.
    """

    preprocessing: Preprocessing | None
    normalizes: bool = False


def images_of(model: keras.Model, preprocessing: Preprocessing | None = None) -> Images:
    """Returns what images a model takes.

    They are those that the model, or the network whose input it shares, declares. In a
    model around such a network, as Keras's guides build it, the operations before the
    network are run on a few images of one color: what these compute decides whether the
    model takes normalized images, or pixels that it normalizes itself.

    Args:
        model: A functional or Sequential model of one batch of images, channels last.
        preprocessing: What the user states that the model expects. By default what the
            model or its network declares.

    Raises:
        ValueError: If `preprocessing` normalizes, and the model normalizes in another
            way.

    Example:

    ```python
    base = create_model("se_resnet18", include_top=False, pooling="avg")
    inputs = keras.Input((224, 224, 3))
    x = keras.layers.RandomFlip()(inputs)
    x = base(base.preprocessing.normalize(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    images_of(model).normalizes  # True: the model takes pixels
    ```
    """
    own = declared_preprocessing(model)
    if own is not None:
        return Images(preprocessing or own)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return Images(preprocessing)
    function, network = _before_network(model)
    found = declared_preprocessing(network) if network is not None else None
    stated = preprocessing or found
    if function is None or not function.takes_pixels:
        # Operations on images of another range normalize images that are prepared.
        plain = function is None or function.is_identity
        return Images(stated if plain else preprocessing)
    if (
        preprocessing is not None
        and not preprocessing.is_of_pixels
        and not function.equals(preprocessing)
    ):
        raise ValueError(
            "Expected a preprocessing that normalizes as the model does, or one of "
            "pixels, as `Preprocessing.of_pixels(size, crop=...)`: the model "
            f"normalizes its images itself. Received: preprocessing={preprocessing}"
        )
    return Images(stated and stated.without_normalization(), normalizes=True)


def returns_logits(model: keras.Model) -> bool | None:
    """Returns whether the outputs of a classifier are logits, not probabilities.

    Args:
        model: A functional or Sequential model of one output.

    Returns:
        Whether the last layer with an activation has none; `None` if that is not known.
    """
    for operation in _from_the_end(model):
        if isinstance(operation, keras.layers.Softmax):
            return False
        if isinstance(operation, _RESHAPING):
            continue
        if isinstance(operation, keras.Model):
            return returns_logits(operation)
        activation = getattr(operation, "activation", None)
        if activation is None:
            return None
        if activation is not keras.activations.linear:
            return False
        if not isinstance(operation, keras.layers.Activation):
            return True
    return None


def _from_the_end(model) -> Iterator[keras.Operation]:
    """Yields the operations of a chain of single calls, from the output on."""
    try:
        graph = Graph(model)
    except ValueError:  # a model without a graph, or with one that is not in its config
        return
    if len(graph.outputs) != 1:
        return
    (ref,) = graph.outputs
    while True:
        yield graph.operations[ref.operation]
        inputs = (
            graph.inputs(ref.operation)[ref.call] if graph.inputs(ref.operation) else []
        )
        if len(inputs) != 1:
            return
        (ref,) = inputs


def _before_network(model):
    """Returns what a model computes before its first weights, and a model after it.

    Returns:
        An `_Affine` of the last images that all others are computed from, or `None` if
        these are those of the input; and the functional model that takes them, or
        `None`.
    """
    try:
        graph = Graph(model)
    except ValueError:  # a model without a graph, or with one that is not in its config
        return None, None
    inputs = [
        name
        for name, operation in graph.operations.items()
        if isinstance(operation, keras.layers.InputLayer)
    ]
    if len(inputs) != 1:
        return None, None
    function, ref = None, Ref(inputs[0])
    for name, images in _run_until_weights(graph, inputs[0]):
        if (found := _affine_of(images)) and _follows_alone(graph, name):
            function, ref = found, Ref(name)
    users = [graph.operations[name] for name, _ in graph.consumers(ref)]
    network = users[0] if len(users) == 1 and is_functional(users[0]) else None
    return function, network


def _follows_alone(graph, name):
    """Whether all that comes after an operation is computed from its output alone.

    "After" means in the order in which the graph lists its operations.
    """
    names = list(graph.operations)
    position = names.index(name)
    before, after = names[:position], names[position + 1 :]
    taken = {
        ref.operation for each in after for refs in graph.inputs(each) for ref in refs
    }
    return taken.isdisjoint(before) and not any(
        ref.operation in before for ref in graph.outputs
    )


def _run_until_weights(graph, entry):
    """Yields the operations that need no weights, and what they make of the probes."""
    results = {entry: _probes(graph.operations[entry].output.shape[1:])}
    for name, operation in graph.operations.items():
        refs = graph.inputs(name)
        if (
            name == entry
            or len(refs) != 1
            or not all(ref.operation in results and ref.index == 0 for ref in refs[0])
            or _has_weights(operation)
        ):
            continue
        arrays = [results[ref.operation] for ref in refs[0]]
        try:
            results[name] = keras.ops.convert_to_numpy(_run(operation, arrays))
        except Exception:  # an operation on something else; each has its exceptions
            continue
        yield name, results[name]


def _run(operation, arrays):
    if isinstance(operation, keras.layers.Layer) and len(arrays) == 1:
        return operation(arrays[0], training=False)
    return keras.Function(operation.input, operation.output)(
        arrays if len(arrays) > 1 else arrays[0]
    )


def _has_weights(operation):
    if isinstance(operation, keras.layers.Normalization):
        return False
    if isinstance(operation, keras.Model):
        return any(map(_has_weights, operation.layers))
    return isinstance(operation, keras.layers.Layer) and bool(operation.weights)


@dataclasses.dataclass(frozen=True)
class _Affine:
    """`output = matrix @ pixel + offset`, on the channels of each pixel."""

    matrix: np.ndarray
    offset: np.ndarray

    @property
    def is_identity(self):
        return np.allclose(self.matrix, np.eye(*self.matrix.shape)) and np.allclose(
            self.offset, 0
        )

    @property
    def takes_pixels(self):
        scale = np.abs(self.matrix).sum(1).max()
        return scale <= _LARGEST_SCALE or (
            scale <= 1 + 1e-3 and np.abs(self.offset).min() >= _LEAST_MEAN
        )

    def equals(self, preprocessing):
        """Whether this is what a preprocessing computes."""
        return len(preprocessing.scale) == len(self.matrix) and (
            np.allclose(self.matrix, np.diag(preprocessing.scale), rtol=1e-3, atol=1e-6)
            and np.allclose(self.offset, preprocessing.offset, rtol=1e-3, atol=1e-3)
        )


def _colors(channels):
    """Returns black, each of the primary colors, and two more, `(n, channels)`."""
    mixed = np.linspace(20, 230, 2 * channels).reshape(2, channels)
    return np.concatenate([np.zeros((1, channels)), 255 * np.eye(channels), mixed])


def _probes(shape):
    """Returns an image of each color."""
    height, width, channels = (size or _PROBE_SIZE for size in shape)
    colors = _colors(channels).astype("float32")
    return np.tile(colors[:, None, None], (1, height, width, 1))


def _affine_of(images) -> _Affine | None:
    """Returns what the probes went through, if it was the same for every pixel."""
    if images.ndim != 4 or np.ptp(images, axis=(1, 2)).max() > 1e-3:
        return None
    channels = images.shape[-1]
    colors, results = _colors(channels), images[:, 0, 0].astype("float64")
    if len(colors) != len(results):
        return None
    offset = results[0]
    matrix = (results[1 : channels + 1] - offset).T / 255
    if not np.allclose(results, colors @ matrix.T + offset, rtol=1e-3, atol=1e-3):
        return None
    return _Affine(matrix, offset)

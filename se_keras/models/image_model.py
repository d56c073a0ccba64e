"""A functional model with its preprocessing, its class names and its structure."""

import contextlib
import sys
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from se_keras.models.preprocessing import Preprocessing
from se_keras.models.structure import Structure

# Keras walks a functional graph by recursion, one call or two for each layer on the
# longest path; a network of 269 layers passes Python's limit of 1,000.
RECURSION_LIMIT = 20_000
# The attribute of an input layer with the preprocessing of the `ImageModel` that it
# belongs to. Not the model itself: a function that puts a new head on a network returns
# the new model only.
_EXPECTED = "_se_keras_preprocessing"
# The attribute of a tensor that refers to the `ImageModel` whose graph computed it.
_SOURCE = "_se_keras_source"


@contextlib.contextmanager
def _deep_recursion():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def image_shape(model: keras.Model) -> tuple[int | None, int | None, int] | None:
    """Returns height, width and channels of a model's images, whatever its layout.

    It is `None` if the model does not take one batch of images. The layout is that of
    the first layer with weights.
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return None
    shape = tuple(model.inputs[0].shape[1:])
    layouts = (getattr(x, "data_format", None) for x in model.layers if x.weights)
    if next(filter(None, layouts), None) == "channels_first":
        return (*shape[1:], shape[0])
    return shape


def declared_preprocessing(model: keras.Model) -> Preprocessing | None:
    """Returns what a model, or an `ImageModel` with the same input, declares to expect.

    A model that is built from the input of another one takes the same images:
    `keras.Model(base.input, head(base.output))`.

    Args:
        model: A model of Keras.
    """
    own = getattr(model, "preprocessing", None)
    if own is not None or len(getattr(model, "inputs", None) or ()) != 1:
        return own
    layer = _input_layer(model)
    return getattr(layer, _EXPECTED, None)


def _input_layer(model):
    inputs = (x for x in model.layers if isinstance(x, keras.layers.InputLayer))
    return next((x for x in inputs if x.output is model.inputs[0]), None)


def _cloned_from(outputs):
    """Returns the `ImageModel` whose graph was run with new layers, if it was."""
    reference = getattr(outputs[0], _SOURCE, None)
    source = reference and reference()
    # The result of a call of the model itself has the model as its operation.
    called = source is not None and outputs[0]._keras_history.operation is source
    return None if called else source


def check_class_names(names: Any, model: keras.Model) -> tuple[str, ...]:
    """Returns names of the classes of a model as a tuple.

    Args:
        names: A sequence of strings.
        model: The model, with one output.

    Raises:
        ValueError: If they are not strings, or not as many as the model has outputs.
    """
    if isinstance(names, Iterable) and not isinstance(names, str | bytes):
        names = tuple(names)
    if not isinstance(names, tuple) or not all(isinstance(x, str) for x in names):
        raise ValueError(
            "Expected class_names to be a sequence of strings. "
            f"Received: class_names={names!r}"
        )
    shapes = [tensor.shape for tensor in model.outputs]
    classes = shapes[0][-1] if len(shapes) == 1 and len(shapes[0]) == 2 else None
    if classes is not None and len(names) != classes:
        raise ValueError(
            f"Expected a name for each of the {classes} classes. "
            f"Received: {len(names)} names"
        )
    return tuple(map(str, names))


@keras.saving.register_keras_serializable(package="se_keras")
class ImageModel(keras.Model):
    """A functional model with its preprocessing, its class names and its structure.

    They are saved with the model and restored by `keras.models.load_model`. It also
    builds networks of more than about 200 layers, where `keras.Model` reaches Python's
    limit of recursion.

    Args:
        inputs: As `keras.Model`.
        outputs: As `keras.Model`.
        name: As `keras.Model`.
        **kwargs: As `keras.Model`.

    Attributes:
        preprocessing: A `Preprocessing`, or `None` if it is not known.
        class_names: A tuple of names in the order of the outputs, or `None`.
        structure: The `Structure` of the network, or `None` if the model was not built
            by `create_model`.
    """

    structure: Structure | None = None

    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any
    ) -> None:
        with _deep_recursion():
            super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        source = _cloned_from(self.outputs)
        if source is not None:
            self.preprocessing = source.preprocessing
            self.class_names = source.class_names
            self.structure = source.structure

    def _run_through_graph(self, *args, **kwargs):
        # `keras.models.clone_model` runs the graph with new layers, and passes nothing
        # of this model but the result to the constructor.
        outputs = super()._run_through_graph(*args, **kwargs)
        for tensor in keras.tree.flatten(outputs):
            if isinstance(tensor, keras.KerasTensor):
                setattr(tensor, _SOURCE, weakref.ref(self))
        return outputs

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What an image goes through before the model."""
        return self.__dict__.get("_preprocessing")

    @preprocessing.setter
    def preprocessing(self, preprocessing: Preprocessing | None) -> None:
        if not isinstance(preprocessing, Preprocessing | None):
            raise ValueError(
                "Expected preprocessing to be a `se_keras.models.Preprocessing` or "
                f"None. Received: {preprocessing!r}"
            )
        shape = image_shape(self)
        if preprocessing and shape and shape[2] not in (None, preprocessing.channels):
            raise ValueError(
                f"Expected a preprocessing of images with {shape[2]} channels. "
                f"Received: {preprocessing}"
            )
        self._preprocessing = preprocessing
        layer = _input_layer(self)
        if layer is not None:
            # For models that are built from the input of this one.
            setattr(layer, _EXPECTED, preprocessing)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names in the order of the outputs."""
        return self.__dict__.get("_class_names")

    @class_names.setter
    def class_names(self, names: Sequence[str] | None) -> None:
        self._class_names = None if names is None else check_class_names(names, self)

    def to_keras_model(self) -> keras.Model:
        """Returns a `keras.Model` of the same layers, without the class `ImageModel`.

        Its file loads without this package, as far as its layers do. Preprocessing,
        class names and structure are attributes of the returned model; its file does
        not store them.
        """
        with _deep_recursion():
            model = keras.Model(self.input, self.output, name=self.name)
        model.preprocessing = self.preprocessing
        model.class_names = self.class_names
        model.structure = self.structure
        return model

    def get_config(self) -> dict[str, Any]:
        """Returns the config of the functional model, and the attributes."""
        config = super().get_config()
        if self.preprocessing:
            config["preprocessing"] = self.preprocessing.to_dict()
        if self.class_names:
            config["class_names"] = list(self.class_names)
        if self.structure:
            config["structure"] = self.structure.to_dict()
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "ImageModel":
        """Re-creates the model from `get_config`."""
        config = dict(config)
        preprocessing = config.pop("preprocessing", None)
        class_names = config.pop("class_names", None)
        structure = config.pop("structure", None)
        model = super().from_config(config, custom_objects)
        if preprocessing:
            model.preprocessing = Preprocessing.from_dict(preprocessing)
        if class_names:
            model.class_names = tuple(class_names)
        if structure:
            model.structure = Structure.from_dict(structure)
        return model


# In `.h5` files, Keras stores the name of a model's class without its package.
keras.saving.get_custom_objects()[ImageModel.__name__] = ImageModel

"""A functional model with its preprocessing, its class names and its structure."""

import contextlib
import sys
from typing import Any

import keras

from se_keras.models.preprocessing import Preprocessing
from se_keras.models.structure import Structure

# Keras walks a functional graph by recursion, one call or two for each layer on the
# longest path; a network of 269 layers passes Python's limit of 1,000.
RECURSION_LIMIT = 20_000


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

    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] | None = None
    structure: Structure | None = None

    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any
    ) -> None:
        with _deep_recursion():
            super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)

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

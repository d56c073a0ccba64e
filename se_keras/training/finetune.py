"""Fine-tuning: which layers are trained in which epochs, and at which rate.

Reference:
    [Howard and Ruder 2018](https://arxiv.org/abs/1801.06146), section 3.2: a
    learning rate for each layer, and frozen layers at the start.
"""

from collections.abc import Callable

import keras

from se_keras.errors import UsageError, as_usage_errors
from se_keras.models import Preprocessing, structure_of
from se_keras.models.registry import Network
from se_keras.models.structure import CLASSIFIER
from se_keras.weights import info


def preprocessing_of(
    network: Network, weights: str | None, image_size: int, channels: int
) -> Preprocessing:
    """Returns the images that a network expects which starts from some weights.

    Args:
        network: The network.
        weights: What `create_model` takes.
        image_size: Height and width of its input.
        channels: Channels of its input.

    Raises:
        UsageError: If there are no such weights, or they are another network's.
    """
    own = network.preprocessing.with_input(image_size, image_size, channels)
    if weights is None or weights in network.family.pretrained:
        return own
    with as_usage_errors(ValueError):
        found = info(weights)
    if found.networks and network.name not in found.networks:
        raise UsageError(
            f"Expected weights of {network.name}. "
            f"Received: {weights!r}, of {' and '.join(found.networks)}"
        )
    return found.preprocessing_for(image_size, image_size, channels) or own


def layer_rates(
    model: keras.Model, decay: float
) -> Callable[[keras.Variable], float] | None:
    """Returns the factor of the rate of a variable: `decay ** distance`.

    The distance of a variable is the number of stages from its layer to the
    classifier: 0 for the classifier, 1 for the last stage, and so on; the stem is one
    further away than the first stage.

    Args:
        model: A network of `create_model`.
        decay: Factor for one stage; with 1 there is nothing to scale, `None`.
    """
    if decay == 1:
        return None
    structure = structure_of(model)
    if structure is None:
        raise UsageError(
            "Expected a network of se_keras, whose stages are known, with layer_decay. "
            f"Received: layer_decay={decay} and model {model.name!r}"
        )
    away = structure.distances()
    by_variable = {
        id(variable): decay ** away.get(layer.name, 0)
        for layer in model.layers
        for variable in layer.variables
    }
    return lambda variable: by_variable.get(id(variable), 1.0)


class FreezeBackbone(keras.callbacks.Callback):
    """Trains only the classifier in the first epochs.

    A layer that is not trainable has its batch norm in inference mode.

    Args:
        trainer: The `Trainer`.
        epochs: How many.
    """

    def __init__(self, trainer, epochs: int):
        super().__init__()
        self._trainer = trainer
        self._epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        """Freezes the layers before the classifier, or makes them trainable again."""
        frozen = epoch < self._epochs
        if frozen == self._trainer.frozen:
            return
        for layer in self.model.layers:
            layer.trainable = layer.name == CLASSIFIER or not frozen
        self._trainer.frozen = frozen

"""Fine-tuning: what is trained in which epochs, and how fast.

Reference:
    [Howard and Ruder 2018](https://arxiv.org/abs/1801.06146), section 3.2: other rates
    for other layers, and frozen layers at the start.
"""

from collections.abc import Callable

import keras

from se_keras.errors import UsageError, as_usage_errors
from se_keras.models import Preprocessing, create_model
from se_keras.models.registry import CLASSIFIER, ModelEntry
from se_keras.weights import info


def preprocessing_of(
    entry: ModelEntry, weights: str | None, image_size: int, channels: int
) -> Preprocessing:
    """Returns the images that a network expects which starts from some weights.

    Args:
        entry: The network.
        weights: What `create_model` takes.
        image_size: Height and width of its input.
        channels: Channels of its input.

    Raises:
        UsageError: If there are no such weights, or they are another network's.
    """
    own = entry.preprocessing.with_input(image_size, image_size, channels)
    if weights is None or weights in entry.pretrained:
        return own
    with as_usage_errors(ValueError):
        found = info(weights)
    if found.networks and entry.name not in found.networks:
        raise UsageError(
            f"Expected weights of {entry.name}. "
            f"Received: {weights!r}, of {' and '.join(found.networks)}"
        )
    return found.preprocessing_for(image_size, image_size, channels) or own


def distances(name: str, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Returns how many stages each layer is away from the classifier.

    Args:
        name: Name of the network.
        input_shape: `(height, width, channels)`.

    Returns:
        Names of layers: those of the last stage have 1, of the first stage as many as
        there are stages, and those of the stem 1 more. What follows the last stage is
        not in it.
    """
    network = create_model(
        name, include_top=False, pyramid=True, input_shape=input_shape
    )
    levels = [tensor for _, tensor in sorted(network.output.items())]
    found = {}
    for level, tensor in enumerate(levels):
        for layer in keras.Model(network.inputs, tensor).layers:
            stem = layer.name.startswith("stem")
            found.setdefault(layer.name, len(levels) - level + stem)
    return found


def layer_rates(
    name: str, input_shape: tuple[int, ...], decay: float
) -> Callable[[keras.Variable], float] | None:
    """Returns the factor of the rate of a variable: `decay ** distance`.

    Args:
        name: Name of the network.
        input_shape: `(height, width, channels)`.
        decay: Factor for one stage; with 1 there is nothing to scale, `None`.
    """
    if decay == 1:
        return None
    away = distances(name, input_shape)
    return lambda variable: decay ** away.get(variable.path.split("/")[0], 0)


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
        """Freezes, or thaws."""
        frozen = epoch < self._epochs
        if frozen == self._trainer.frozen:
            return
        for layer in self.model.layers:
            layer.trainable = layer.name == CLASSIFIER or not frozen
        self._trainer.frozen = frozen

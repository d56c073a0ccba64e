"""What happens to the layers inside of a layer after it was built."""

import keras

# What `keras.layers.Dense.get_config` has of `quantize` and of `enable_lora`.
QUANTIZATION = ("dtype", "quantization_config")
LORA = ("lora_rank", "lora_alpha")


class InnerChanges:
    """Quantization and LoRA of the layers inside of a layer, as part of its config.

    `keras.Model.quantize` changes each layer that has no layers inside. One that
    creates its layers itself has to repeat the change before it gets their weights
    from a file. Layers are found by their position: names may be those that Keras
    counts.

    Args:
        changes: One dictionary for each layer inside, empty where nothing changed; or
            `None`.
    """

    def __init__(self, changes: list[dict] | None = None):
        self._changes = changes

    def of(self, layer: keras.Layer) -> list[dict] | None:
        """Returns the changes of a layer, or `None` if there are none."""
        if not layer.built:
            return self._changes
        changes = [_changes(inner) for inner in _layers_inside(layer)]
        return changes if any(changes) else None

    def apply(self, layer: keras.Layer) -> None:
        """Repeats the changes in a layer that was just built.

        Raises:
            ValueError: If it has another number of layers inside.
        """
        if not self._changes:
            return
        inside = _layers_inside(layer)
        if len(inside) != len(self._changes):
            raise ValueError(
                f"Expected the config of a {type(layer).__name__} with {len(inside)} "
                f"layers inside. Received: one with {len(self._changes)}"
            )
        for inner, changes in zip(inside, self._changes, strict=True):
            _apply(inner, changes)


def _layers_inside(layer) -> list[keras.Layer]:
    return list(layer._flatten_layers(include_self=False))


def _changes(layer) -> dict:
    keys: tuple[str, ...] = ()
    if layer.quantization_mode is not None:
        keys += QUANTIZATION
    if getattr(layer, "lora_enabled", False):
        keys += LORA
    if not keys:
        return {}
    config = layer.get_config()
    return {key: config[key] for key in keys if key in config}


def _apply(layer, changes: dict) -> None:
    if "dtype" in changes:
        policy = keras.dtype_policies.get(changes["dtype"])
        config = keras.saving.deserialize_keras_object(
            changes.get("quantization_config")
        )
        layer.quantize(policy.quantization_mode, config=config)
        layer.dtype_policy = policy
    if "lora_rank" in changes:
        layer.enable_lora(changes["lora_rank"], lora_alpha=changes["lora_alpha"])

"""What follows the last feature map of a network."""

import keras

from se_keras.layers.arguments import positive_integer
from se_keras.models.builder import NetworkBuilder
from se_keras.models.family import Family
from se_keras.models.spec import NetworkSpec
from se_keras.models.structure import CLASSIFIER

POOLS = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def pool(kind: str, x, net: NetworkBuilder):
    """Applies a pool over all positions, a key of `POOLS`."""
    return net.apply(POOLS[kind], x, f"{kind}_pool", data_format=net.data_format)


def classify(
    family: Family,
    spec: NetworkSpec,
    net: NetworkBuilder,
    x,
    classes: int,
    activation=None,
):
    """Applies the head of a network: its pool or its own layers, and the classifier.

    Args:
        family: The family of the network.
        spec: The network.
        net: The layers to build with.
        x: The last feature map.
        classes: Number of classes.
        activation: Activation of the classifier.
    """
    x = family.head(spec, net, x) if family.head else pool("avg", x, net)
    if spec.dropout:
        x = net.apply(keras.layers.Dropout, x, "dropout", rate=spec.dropout)
    return net.apply(
        keras.layers.Dense,
        x,
        CLASSIFIER,
        units=positive_integer("classes", classes),
        activation=activation,
        # In mixed precision the classifier computes in float32.
        dtype=keras.dtype_policies.get(
            net.dtype or keras.config.dtype_policy()
        ).variable_dtype,
    )

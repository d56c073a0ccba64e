"""The families of networks: a new one is a module and an entry here."""

from se_keras.models import (
    bn_inception,
    keras_applications,
    preact_resnet,
    resnet,
    shake_shake,
    shufflenet,
    vgg,
)
from se_keras.models.family import Family
from se_keras.models.spec import NetworkSpec

FAMILIES = (
    resnet.FAMILY,
    preact_resnet.FAMILY,
    shake_shake.FAMILY,
    shufflenet.FAMILY,
    vgg.FAMILY,
    bn_inception.FAMILY,
    keras_applications.FAMILY,
)


def public_types() -> dict[str, type]:
    """Returns the specs of all families and the classes of their fields, by name."""
    kinds = (kind for family in FAMILIES for kind in (family.spec, *family.fields))
    return {kind.__name__: kind for kind in kinds}


def family_of(spec: NetworkSpec) -> Family:
    """Returns the family of a spec.

    Raises:
        ValueError: If `spec` is not a spec.
    """
    for family in FAMILIES:
        if isinstance(spec, family.spec):
            return family
    kinds = ", ".join(family.spec.__name__ for family in FAMILIES)
    raise ValueError(
        f"Expected the name of a model or a spec, one of {kinds}. Received: {spec!r}"
    )

"""From timm's names of networks to ours and back, by rule."""

import re

from se_keras.errors import UsageError
from se_keras.models.registry import lookup

_CAFFE = "_caffe"
_LEGACY = "legacy_"


def from_timm_name(name: str) -> str:
    """Returns our name of a network of timm, without a look at the registry.

    Args:
        name: A name of timm without its tag: `"seresnet50"`, `"legacy_senet154"`.

    Example:

    >>> from_timm_name("seresnext26t_32x4d"), from_timm_name("legacy_seresnet50")
    ('se_resnext26t_32x4d', 'se_resnet50_caffe')
    """
    if name.startswith(_LEGACY):
        name = name.removeprefix(_LEGACY) + _CAFFE
    return re.sub(r"^se(?=resne)", "se_", name)


def to_timm_name(name: str) -> str:
    """Returns timm's name of one of our networks.

    Args:
        name: A name of the registry: `"se_resnet50"`, `"senet154_caffe"`.

    Raises:
        ValueError: If there is no such network, or timm has no family for it: its
            legacy networks all have SE, as some others, and it has no networks for
            CIFAR.

    Example:

    >>> to_timm_name("se_resnetaa50d"), to_timm_name("se_resnet50_caffe")
    ('seresnetaa50d', 'legacy_seresnet50')
    """
    if name not in lookup(name).family.timm_names:
        raise UsageError(
            "Expected a network that timm has too: a ResNet for ImageNet, those of the "
            f"Caffe release and some others only with SE. Received: {name!r}"
        )
    if name.endswith(_CAFFE):
        name = _LEGACY + name.removesuffix(_CAFFE)
    return name.replace("se_", "se", 1)

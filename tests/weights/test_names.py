import contextlib

import pytest

from se_keras import list_models
from se_keras.models.registry import lookup
from se_keras.models.resnet import ResNetSpec
from se_keras.weights import from_timm_name, to_timm_name

NAMES = {
    "resnet50": "resnet50",
    "seresnet50": "se_resnet50",
    "seresnext26t_32x4d": "se_resnext26t_32x4d",
    "seresnetaa50d": "se_resnetaa50d",
    "seresnextaa201d_32x8d": "se_resnextaa201d_32x8d",
    "senet154": "senet154",
    "resnetrs420": "resnetrs420",
    "legacy_seresnet50": "se_resnet50_caffe",
    "legacy_seresnext26_32x4d": "se_resnext26_32x4d_caffe",
    "legacy_senet154": "senet154_caffe",
}

# Of timm 1.0.31: it has these with SE and not without.
WITH_SE_ONLY = (
    "resnet269d",
    "resnext26d_32x4d",
    "resnext26t_32x4d",
    "resnext101d_32x8d",
    "resnextaa101d_32x8d",
    "resnextaa201d_32x8d",
)


@pytest.mark.parametrize(("timm_name", "name"), NAMES.items())
def test_names(timm_name, name):
    assert from_timm_name(timm_name) == name
    assert to_timm_name(name) == timm_name


def test_every_network_that_timm_may_have_goes_there_and_back():
    there_and_back = 0
    for name in list_models():
        spec = lookup(name).spec
        caffe_or_plain = name.endswith("_plain") or (
            name.endswith("_caffe") and not name.startswith("se")
        )
        with_se_only = name in WITH_SE_ONLY or caffe_or_plain
        if isinstance(spec, ResNetSpec) and spec.stem.pool and not with_se_only:
            assert from_timm_name(to_timm_name(name)) == name
            there_and_back += 1
        else:
            with pytest.raises(ValueError, match=f"timm has too.*Received: '{name}'"):
                to_timm_name(name)
    assert there_and_back >= 48


@pytest.mark.parity
def test_timm_has_the_networks_that_have_a_name_there():
    timm = pytest.importorskip("timm")
    names = []
    for name in list_models():
        with contextlib.suppress(ValueError):
            names.append(to_timm_name(name))
    assert set(names) <= set(timm.list_models())
    assert not set(WITH_SE_ONLY) & set(timm.list_models())


def test_unknown_network():
    with pytest.raises(ValueError, match=r"Did you mean .*se_resnet50"):
        to_timm_name("seresnet50")

"""Information about weights, and a table of those that timm publishes.

Sizes, crops, interpolation, license and origin are those of timm 1.0.31, whose
configs are layered like the helpers here; accuracies are timm's, on the validation
images of ImageNet.
"""

import dataclasses
import json
import pathlib

from se_keras.models.preprocessing import IMAGENET, Preprocessing
from se_keras.models.registry import list_models
from se_keras.weights.names import from_timm_name

HUB = "timm/"


@dataclasses.dataclass(frozen=True)
class WeightsInfo:
    """What is known of weights; what is not known is `None` or empty.

    Attributes:
        source: What `weights=` takes.
        networks: Our names of the networks that the weights are for.
        classes: Number of classes; 11821 are timm's ImageNet-12k.
        class_names: Names of the classes in the order of the outputs.
        preprocessing: The images that they were trained on.
        test_size: Height and width at which timm tests them, if it is another.
        test_crop: Fraction of the resized image that is kept there.
        license: License of the weights.
        origin: Where they come from.
        top1: Pairs of image size and published top-1 accuracy in percent.
        file: Address of the file, where the hub has no copy.
        remarks: What is unusual about them, each a sentence.
    """

    source: str
    networks: tuple[str, ...] = ()
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    preprocessing: Preprocessing | None = None
    test_size: tuple[int, int] | None = None
    test_crop: float | None = None
    license: str | None = None
    origin: str | None = None
    top1: tuple[tuple[int, float], ...] = ()
    file: str | None = None
    remarks: tuple[str, ...] = ()

    def preprocessing_for(
        self, height: int | None, width: int | None, channels: int
    ) -> Preprocessing | None:
        """Returns the preprocessing for a model, or `None` if it is not known.

        At timm's test size the crop is that of its tests.

        Args:
            height: Of the model's images in pixels, `None` for any.
            width: Of the model's images in pixels, `None` for any.
            channels: Channels of the model's images.
        """
        if self.preprocessing is None:
            return None
        preprocessing = self.preprocessing
        if self.test_crop and self.test_size == (height, width):
            preprocessing = dataclasses.replace(preprocessing, crop=self.test_crop)
        return preprocessing.with_input(height, width, channels)


def with_timm_config(info: WeightsInfo, path: pathlib.Path) -> WeightsInfo:
    """Returns what is known, completed from a `config.json` of timm.

    Args:
        info: What is known already.
        path: Path of the file. One that is not timm's changes nothing; a value
            that is not valid is left out, with a remark that names it.
    """
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        return _remarked(info, f"{path} cannot be read as JSON ({error})")
    if not isinstance(config, dict):
        kind = type(config).__name__
        return _remarked(info, f"{path} is no config of timm (a {kind}, no object)")
    found = {"networks": _networks(config.get("architecture"))}
    images = config.get("pretrained_cfg")
    if isinstance(images, dict):
        found |= {
            field: images.get(key) if isinstance(images.get(key), kind) else None
            for field, (key, kind) in _FIELDS.items()
        }
        if "input_size" in images:
            try:
                found |= _images(images)
            except (TypeError, ValueError) as error:
                info = _remarked(
                    info, f"the preprocessing in {path} is not valid ({error})"
                )
    return dataclasses.replace(info, **{k: v for k, v in found.items() if v})


# Our fields, and timm's with their types.
_FIELDS = {
    "classes": ("num_classes", int),
    "license": ("license", str),
    "origin": ("origin_url", str),
}


def _remarked(info, remark):
    return dataclasses.replace(info, remarks=(*info.remarks, remark))


def _networks(architecture):
    """Returns our name of the network that a config names, if it is here."""
    name = from_timm_name(architecture) if isinstance(architecture, str) else None
    return (name,) if name in list_models() else ()


def _images(config) -> dict:
    """Returns what a config states about images.

    Raises:
        ValueError: If a value is not valid; the text names it.
        TypeError: The same.
    """
    test_crop = config.get("test_crop_pct")
    preprocessing = Preprocessing(
        size=_size(config, "input_size"),
        crop=_numbers(config, "crop_pct", IMAGENET.crop),
        interpolation=config.get("interpolation", IMAGENET.interpolation),
        mean=_numbers(config, "mean", IMAGENET.mean),
        std=_numbers(config, "std", IMAGENET.std),
    )
    if test_crop:
        # It is checked here like the other, and not where it is used.
        dataclasses.replace(preprocessing, crop=_numbers(config, "test_crop_pct"))
    return {
        "preprocessing": preprocessing,
        "test_size": config.get("test_input_size") and _size(config, "test_input_size"),
        "test_crop": test_crop,
    }


def _size(config, key) -> tuple[int, int]:
    value = config[key]
    numbers = isinstance(value, list) and all(type(side) is int for side in value)
    if not numbers or len(value) != 3 or min(value) < 1:
        raise ValueError(f"Expected three positive integers. Received: {key}={value!r}")
    return tuple(value[1:])


def _numbers(config, key, default=None):
    """Returns a number, or a tuple where the config has a list."""
    value = config.get(key, default)
    many = isinstance(value, list | tuple)
    if many != isinstance(default, tuple) or not all(
        type(number) in (int, float) for number in (value if many else [value])
    ):
        raise ValueError(f"Expected numbers. Received: {key}={value!r}")
    return tuple(value) if many else value


_TIMM = "https://github.com/huggingface/pytorch-image-models"
_GLUON = "https://cv.gluon.ai/model_zoo/classification.html"
_CAFFE = "https://github.com/hujie-frank/SENet"
_RELEASES = "https://github.com/rwightman/pytorch-image-models/releases/download/"


def _weights(
    size=224, crop=0.875, test=(None, None), interpolation="bicubic", **fields
):
    """One row; `test` is the size and the crop of timm's tests."""
    test_size, test_crop = test
    return {
        "classes": 1000,
        "license": "apache-2.0",
        "preprocessing": dataclasses.replace(
            IMAGENET, size=(size, size), crop=crop, interpolation=interpolation
        ),
        "test_size": test_size and (test_size, test_size),
        "test_crop": test_crop,
        **fields,
    }


def _timm(size=224, crop=0.875, test=(288, 0.95), **fields):
    return _weights(size, crop, test, origin=_TIMM, **fields)


def _strikes_back(size=224, crop=0.95, test=(288, 1.0), **fields):
    """Wightman et al. 2021, and what was trained like it."""
    return _timm(size, crop, test, **fields)


def _in12k(size, crop, test, **fields):
    """Trained on the 11,821 classes of ImageNet-12k, and no further."""
    return _weights(size, crop, test, classes=11821, **fields)


def _revisited(size, crop, test_size):
    """Bello et al. 2021."""
    return _weights(size, crop, (test_size, None))


def _legacy(file, interpolation="bilinear", origin=_CAFFE):
    """The Caffe networks."""
    file = _RELEASES + file
    return _weights(interpolation=interpolation, origin=origin, file=file)


# By timm's name of the network and tag.
_ROWS = {
    "seresnet50.a1_in1k": _strikes_back(top1=((224, 80.01), (288, 81.11))),
    "seresnet50.a2_in1k": _strikes_back(),
    "seresnet50.a3_in1k": _strikes_back(160, 0.95, (224, 0.95)),
    "seresnet50.ra2_in1k": _timm(top1=((224, 80.26), (288, 81.29))),
    "seresnet152d.ra2_in1k": _timm(256, 0.95, (320, 1.0), top1=((320, 84.34),)),
    "seresnext26d_32x4d.bt_in1k": _timm(),
    "seresnext26t_32x4d.bt_in1k": _timm(),
    "seresnext50_32x4d.racm_in1k": _timm(top1=((224, 81.27),)),
    "seresnext50_32x4d.gluon_in1k": _weights(origin=_GLUON),
    "seresnext101_32x4d.gluon_in1k": _weights(origin=_GLUON),
    "seresnext101_64x4d.gluon_in1k": _weights(origin=_GLUON),
    "seresnext101_32x8d.ah_in1k": _strikes_back(),
    "seresnext101d_32x8d.ah_in1k": _strikes_back(),
    "seresnextaa101d_32x8d.ah_in1k": _strikes_back(),
    "seresnextaa101d_32x8d.sw_in12k_ft_in1k_288": _timm(288, 0.95, (320, 1.0)),
    "seresnextaa101d_32x8d.sw_in12k_ft_in1k": _timm(test=(288, 1.0)),
    "seresnextaa101d_32x8d.sw_in12k": _in12k(224, 0.95, (288, 1.0), origin=_TIMM),
    "seresnextaa201d_32x8d.sw_in12k_ft_in1k_384": _weights(
        384, 1.0, top1=((384, 87.30),)
    ),
    "seresnextaa201d_32x8d.sw_in12k": _in12k(320, 0.95, (384, 1.0)),
    "senet154.gluon_in1k": _weights(origin=_GLUON, top1=((224, 81.26),)),
    "resnetrs50.tf_in1k": _revisited(160, 0.91, 224),
    "resnetrs101.tf_in1k": _revisited(192, 0.94, 288),
    "resnetrs152.tf_in1k": _revisited(256, 1.0, 320),
    "resnetrs200.tf_in1k": _revisited(256, 1.0, 320),
    "resnetrs270.tf_in1k": _revisited(256, 1.0, 352),
    "resnetrs350.tf_in1k": _revisited(288, 1.0, 384),
    "resnetrs420.tf_in1k": _revisited(320, 1.0, 416),
    "legacy_seresnet18.in1k": _legacy(
        "v0.1-weights/seresnet18-4bb0ce65.pth", "bicubic", _TIMM
    ),
    "legacy_seresnet34.in1k": _legacy(
        "v0.1-weights/seresnet34-a4004e63.pth", origin=_TIMM
    ),
    "legacy_seresnet50.in1k": _legacy("v0.1-cadene/se_resnet50-ce0d4300.pth"),
    "legacy_seresnet101.in1k": _legacy("v0.1-cadene/se_resnet101-7e38fcc6.pth"),
    "legacy_seresnet152.in1k": _legacy("v0.1-cadene/se_resnet152-d17c99b7.pth"),
    "legacy_seresnext26_32x4d.in1k": _legacy(
        "v0.1-weights/seresnext26_32x4d-65ebdb501.pth", "bicubic", _TIMM
    ),
    "legacy_seresnext50_32x4d.in1k": _legacy(
        "v0.1-weights/legacy_se_resnext50_32x4d-f3651bad.pth"
    ),
    "legacy_seresnext101_32x4d.in1k": _legacy(
        "v0.1-weights/legacy_se_resnext101_32x4d-37725eac.pth"
    ),
    "legacy_senet154.in1k": _legacy("v0.1-weights/legacy_senet154-e9eb9fe6.pth"),
}

PUBLISHED = {
    HUB + name: WeightsInfo(
        source=HUB + name, networks=(from_timm_name(name.partition(".")[0]),), **row
    )
    for name, row in _ROWS.items()
}

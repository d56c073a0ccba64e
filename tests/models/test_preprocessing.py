import json

import keras
import numpy as np
import pytest

from se_keras.models import Preprocessing, create_model
from se_keras.models.preprocessing import CIFAR, IMAGENET

OTHER = Preprocessing(
    size=(20, 30), crop=0.95, interpolation="bicubic", mean=(0.25,), std=(0.75,)
)
RECORDS = {"imagenet": IMAGENET, "cifar": CIFAR, "other": OTHER}


@pytest.fixture(params=RECORDS)
def record(request):
    return RECORDS[request.param]


def pixels(channels):
    return np.random.default_rng(0).integers(0, 256, (2, 5, 7, channels), "uint8")


def test_comes_back_from_json(record):
    loaded = Preprocessing.from_dict(json.loads(json.dumps(record.to_dict())))
    assert loaded == record
    assert hash(loaded) == hash(record)


def test_normalize_matches_numpy(record):
    x = pixels(record.channels)
    y = record.normalize(x)
    assert y.dtype == "float32"
    expected = (x.astype("float64") / 255 - record.mean) / record.std
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(x * record.scale + record.offset, y)


def test_imagenet_is_that_of_keras():
    x = pixels(3).astype("float32")
    expected = keras.applications.imagenet_utils.preprocess_input(
        x.copy(), data_format="channels_last", mode="torch"
    )
    np.testing.assert_allclose(IMAGENET.normalize(x), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("record", "size"),
    [(IMAGENET, (256, 256)), (CIFAR, (32, 32)), (OTHER, (21, 31))],
)
def test_size_before_the_crop(record, size):
    assert record.resize_size == size


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (64, 96, (64, 96)),
        (None, None, (224, 224)),
        (None, 96, (224, 96)),
        (64, None, (64, 224)),
    ],
)
def test_with_input_changes_the_size_alone(height, width, size):
    record = IMAGENET.with_input(height, width, 3)
    assert record == Preprocessing(size=size)


@pytest.mark.parametrize("channels", [1, 4])
def test_with_input_gives_other_channels_the_average(channels):
    record = IMAGENET.with_input(224, 224, channels)
    assert record.channels == channels
    assert record.mean == pytest.approx((0.449,) * channels, abs=1e-4)
    assert record.std == pytest.approx((0.226,) * channels, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0}, "`crop`.*Received: crop=0"),
        ({"crop": 1.1}, "`crop`.*Received: crop=1.1"),
        ({"interpolation": "nearest"}, "`interpolation`.*interpolation='nearest'"),
        ({"mean": (0.5,)}, r"`mean` and `std`.*mean=\(0.5,\)"),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**arguments)


def test_unknown_field():
    with pytest.raises(TypeError, match="color"):
        Preprocessing.from_dict({"color": "bgr"})


@pytest.mark.parametrize(
    ("name", "record"), [("se_resnet18", IMAGENET), ("se_resnet20", CIFAR)]
)
def test_networks_expect_the_images_they_were_designed_for(name, record):
    assert create_model(name).preprocessing == record

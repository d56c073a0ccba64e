import json

import keras
import numpy as np
import pytest

from se_keras.models import Preprocessing, create_model
from se_keras.models.preprocessing import CIFAR, IMAGENET

OTHER = Preprocessing(
    size=(20, 30), crop=0.95, interpolation="bicubic", mean=(0.25,), std=(0.75,)
)
PREPROCESSINGS = {"imagenet": IMAGENET, "cifar": CIFAR, "other": OTHER}


@pytest.fixture(params=PREPROCESSINGS)
def preprocessing(request):
    return PREPROCESSINGS[request.param]


def pixels(channels):
    return np.random.default_rng(0).integers(0, 256, (2, 5, 7, channels), "uint8")


def test_comes_back_from_json(preprocessing):
    loaded = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict())))
    assert loaded == preprocessing
    assert hash(loaded) == hash(preprocessing)


def test_normalize_matches_numpy(preprocessing):
    x = pixels(preprocessing.channels)
    y = preprocessing.normalize(x)
    assert y.dtype == "float32"
    expected = (x.astype("float64") / 255 - preprocessing.mean) / preprocessing.std
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(x * preprocessing.scale + preprocessing.offset, y)


def as_tf(x):
    import tensorflow as tf

    return tf.constant(x)


def as_torch(x):
    return pytest.importorskip("torch").from_numpy(x)


def as_jax(x):
    return pytest.importorskip("jax").numpy.asarray(x)


@pytest.mark.parametrize("convert", [as_tf, as_torch, as_jax])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_tensors_of_any_type_are_normalized_in_float32(convert, dtype):
    x = pixels(3).astype(dtype)
    y = np.asarray(IMAGENET.normalize(convert(x)))
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, IMAGENET.normalize(x), rtol=0, atol=2e-6)
    back = np.asarray(IMAGENET.denormalize(convert(y)))
    np.testing.assert_allclose(back, x.astype("float32"), rtol=0, atol=1e-4)


def test_normalize_inside_of_a_tf_data_map():
    import tensorflow as tf

    x = pixels(3)
    data = tf.data.Dataset.from_tensor_slices(x).map(IMAGENET.normalize)
    np.testing.assert_allclose(
        np.stack(list(data)), IMAGENET.normalize(x), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (2, 3, 4, 5), (3,) * 2 + (4,)])
def test_pixels_of_other_channels_are_refused(shape):
    with pytest.raises(ValueError, match="channels last") as error:
        IMAGENET.normalize(np.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("convert", [np.asarray, as_tf])
def test_pixels_in_0_to_1_are_reported(convert):
    fractions = np.linspace(0, 1, 4 * 4 * 3, dtype="float32").reshape(4, 4, 3)
    with pytest.warns(UserWarning, match=r"0\.\.255"):
        IMAGENET.normalize(convert(fractions))


@pytest.mark.parametrize(
    "quiet", [np.zeros((4, 4, 3)), np.ones((4, 4, 3)), np.full((4, 4, 3), 1.5)]
)
def test_dark_pixels_are_not_reported(quiet, recwarn):
    IMAGENET.normalize(quiet)
    assert not recwarn


def test_preprocessing_of_pixels_changes_nothing():
    preprocessing = Preprocessing.of_pixels((20, 30), crop=0.5)
    assert preprocessing.is_of_pixels
    assert preprocessing.resize_size == (40, 60)
    x = pixels(3)
    np.testing.assert_array_equal(preprocessing.normalize(x), x)
    assert OTHER.without_normalization() == Preprocessing.of_pixels(
        (20, 30), crop=0.95, interpolation="bicubic", channels=1
    )
    assert not OTHER.is_of_pixels


def test_imagenet_is_that_of_keras():
    x = pixels(3).astype("float32")
    expected = keras.applications.imagenet_utils.preprocess_input(
        x.copy(), data_format="channels_last", mode="torch"
    )
    np.testing.assert_allclose(IMAGENET.normalize(x), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("preprocessing", "size"),
    [(IMAGENET, (256, 256)), (CIFAR, (32, 32)), (OTHER, (21, 31))],
)
def test_size_before_the_crop(preprocessing, size):
    assert preprocessing.resize_size == size


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
    preprocessing = IMAGENET.with_input(height, width, 3)
    assert preprocessing == Preprocessing(size=size)


@pytest.mark.parametrize("channels", [1, 4])
def test_with_input_gives_other_channels_the_average(channels):
    preprocessing = IMAGENET.with_input(224, 224, channels)
    assert preprocessing.channels == channels
    assert preprocessing.mean == pytest.approx((0.449,) * channels, abs=1e-4)
    assert preprocessing.std == pytest.approx((0.226,) * channels, abs=1e-4)


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
    ("name", "preprocessing"), [("se_resnet18", IMAGENET), ("se_resnet20", CIFAR)]
)
def test_networks_expect_the_images_they_were_designed_for(name, preprocessing):
    assert create_model(name).preprocessing == preprocessing

"""The checks of `keras.applications`, run on constructors of this package.

Keras's wheel has its tests in it, and they are run as they are; an adapter stands for
what they download.
"""

import inspect
import types

import keras
import numpy as np
import pytest

from se_keras import models
from se_keras.models import registry
from tests.helpers import require

applications_test = require("keras.src.applications.applications_test")

# Constructors, and the channels of their last feature map.
CHANNELS = {
    "SEInceptionResNetV2": 1536,
    "SEInceptionV3": 2048,
    "SEMobileNet": 1024,
    "SENet154": 2048,
    "SEResNeXt50": 2048,
    "SEResNet50": 2048,
    "SEResNet50_Caffe": 2048,
    "SEShuffleNet": 960,
    "SEVGG16": 512,
}


def _checks():
    """Returns the checks by name, each with one of the methods that absl makes of it.

    A check is a function of a test case, a constructor, the channels of its last
    feature map, its module in `keras.applications` and a data format.
    """
    methods = inspect.getmembers(applications_test.ApplicationsTest, callable)
    return {
        inspect.unwrap(method).__name__: (inspect.unwrap(method), name)
        for name, method in methods
        if name.startswith("test_application")
    }


CHECKS = _checks()


def test_every_check_is_known():
    assert CHECKS.keys() >= {
        "test_application_base",
        "test_application_classifier_activation",
        "test_application_notop_custom_input_shape",
        "test_application_notop_custom_input_tensor",
        "test_application_notop_variable_input_channels",
        "test_application_pooling",
    }


def adapter(name: str):
    """Returns what a check expects of an application, for one of our constructors.

    Keras's check of the trained weights is left to the tests that compare with other
    projects: `weights="imagenet"` gives random weights here, and the predictions are
    only checked to be the probabilities of 1000 classes.
    """
    constructor = getattr(models, name)
    networks = {network.constructor: network for network in registry.networks()}
    preprocessing = networks[name].preprocessing

    def application(weights=None, **arguments):
        assert weights in (None, "imagenet")
        return constructor(**arguments)

    def preprocess_input(pixels):
        images = preprocessing.normalize(pixels)
        if keras.config.image_data_format() == "channels_first":
            return np.moveaxis(images, -1, 1)
        return images

    def decode_predictions(predictions):
        assert predictions.shape == (1, 1000)
        assert np.sum(predictions) == pytest.approx(1, abs=1e-3)
        return [[("n02504458", "African_elephant", 1.0)]]

    application.__name__ = name
    module = types.SimpleNamespace(
        __name__=f"se_keras.{name}",
        preprocess_input=preprocess_input,
        decode_predictions=decode_predictions,
    )
    return application, module


def _cases():
    for check in CHECKS:
        for name in CHANNELS:
            for data_format in ("channels_last", "channels_first"):
                # One network, and the tensors that Inceptions were not built on once.
                quick = data_format == "channels_last" and (
                    name == "SEShuffleNet"
                    or (name == "SEInceptionV3" and check.endswith("input_tensor"))
                )
                mark = [] if quick else [pytest.mark.slow]
                yield pytest.param(check, name, data_format, marks=mark)


@pytest.mark.parametrize(("check", "name", "data_format"), _cases())
def test_application(check, name, data_format, monkeypatch):
    def image(size):
        size = [side or 299 for side in size]
        return np.random.default_rng(0).uniform(0, 255, (1, *size, 3))

    monkeypatch.setattr(applications_test, "_get_elephant", image)
    function, method = CHECKS[check]
    application, module = adapter(name)
    try:
        function(
            applications_test.ApplicationsTest(method),
            application,
            CHANNELS[name],
            module,
            data_format,
        )
    finally:
        keras.backend.clear_session()

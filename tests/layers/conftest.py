"""The layouts that every gate takes: tests that ask for both run on all six."""

import pytest


@pytest.fixture(params=["channels_last", "channels_first"])
def data_format(request):
    return request.param


@pytest.fixture(
    params=[(2, 7, 13), (2, 5, 7, 13), (2, 3, 5, 7, 13)],
    ids=["sequence", "image", "volume"],
)
def shape(request):
    """The channels-last shape of the maps; the sizes are odd."""
    return request.param

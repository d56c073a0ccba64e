import numpy as np
import pytest

from se_keras.layers import ConcurrentSqueezeExcite, SpatialSqueezeExcite
from tests.helpers import apply, feature_maps, randomized, relative_error
from tests.layers import reference

# What `merge` makes of an input and its two gates.
MERGES = {
    "add": lambda x, channel, spatial: x * channel + x * spatial,
    "max": lambda x, channel, spatial: np.maximum(x * channel, x * spatial),
    "multiply": lambda x, channel, spatial: x * channel * spatial,
}


def test_spatial_squeeze_excite_matches_numpy(shape, data_format):
    x = feature_maps(*shape)
    layer = randomized(SpatialSqueezeExcite(data_format=data_format), shape)
    gates = reference.spatial_squeeze_excite(x, layer.get_weights())
    assert relative_error(apply(layer, x), x * gates) < 1e-6


@pytest.mark.parametrize("merge", MERGES)
def test_concurrent_squeeze_excite_matches_numpy(shape, data_format, merge):
    x = feature_maps(*shape)
    layer = ConcurrentSqueezeExcite(ratio=4, merge=merge, data_format=data_format)
    randomized(layer, shape)

    channel = reference.squeeze_excite(x, layer.channel.get_weights())
    spatial = reference.spatial_squeeze_excite(x, layer.spatial.get_weights())

    assert relative_error(apply(layer, x), MERGES[merge](x, channel, spatial)) < 1e-6


def test_ratio_is_that_of_the_channel_gate():
    layer = ConcurrentSqueezeExcite(ratio=4)
    layer.build((None, 5, 7, 64))
    assert layer.channel.weights[0].shape == (64, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"merge": "mean"}, "`merge`.*Received: merge='mean'"),
        ({"ratio": 0}, "`ratio`.*Received: ratio=0"),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConcurrentSqueezeExcite(**arguments)

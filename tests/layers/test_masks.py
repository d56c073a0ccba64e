"""Masks: positions that do not count, and what comes after the layer."""

import keras
import numpy as np
import pytest
from keras import layers

from se_keras.layers import (
    BatchNormalization,
    ChannelShuffle,
    ConcurrentSqueezeExcite,
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    Gate,
    PadChannels,
    ShakeShake,
    SpatialSqueezeExcite,
    SqueezeExcite,
)
from se_keras.layers.means import maximum, mean
from tests.helpers import apply, feature_maps, randomized, to_numpy

GATES = [
    SqueezeExcite,
    EffectiveSqueezeExcite,
    EfficientChannelAttention,
    SpatialSqueezeExcite,
    ConcurrentSqueezeExcite,
    lambda **kwargs: SqueezeExcite(squeeze="max", **kwargs),
]
LENGTHS = (3, 6, 1)
MASK = np.arange(6) < np.array(LENGTHS)[:, None]


@keras.saving.register_keras_serializable(package="tests")
class OwnGate(Gate):
    """A gate of a user, from the means alone."""

    def build_gate(self, channels, rank):
        self.scale = self.add_weight(shape=(channels,), initializer="ones")

    def excite(self, squeezed):
        return keras.ops.sigmoid(squeezed * self.scale)

    @property
    def excites_means(self):
        return True


class OwnMaskedGate(OwnGate):
    """One that gets the mask itself."""

    def compute_gate(self, inputs, mask=None):
        if mask is not None:
            inputs = keras.ops.where(mask, inputs, 0)
        return keras.ops.sigmoid(
            keras.ops.sum(inputs, self.spatial_axes(inputs)) * self.scale
        )


class OwnGateWithoutMask(OwnGate):
    def compute_gate(self, inputs):
        return self.excite(self.squeeze_mean(inputs))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gate_cls", [*GATES, OwnGate, OwnMaskedGate])
def test_padding_does_not_count(gate_cls, training, data_format):
    """A padded sequence gets what it gets alone, without its padding."""
    x = feature_maps(3, 6, 8)
    layer = randomized(gate_cls(data_format=data_format), x.shape)
    first = data_format == "channels_first"
    y = to_numpy(
        layer(np.moveaxis(x, -1, 1) if first else x, mask=MASK, training=training)
    )
    y = np.moveaxis(y, 1, -1) if first else y
    for n, length in enumerate(LENGTHS):
        alone = apply(layer, x[n : n + 1, :length])
        np.testing.assert_allclose(y[n : n + 1, :length], alone, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_mean_is_that_of_keras_and_numpy(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 by default")
    x = feature_maps(3, 6, 8)
    tensor = keras.ops.cast(x, dtype)
    exact = to_numpy(keras.ops.cast(tensor, "float64"))
    wide = "float64" if dtype == "float64" else "float32"
    found = to_numpy(
        keras.ops.cast(mean(tensor, (1,), wide, MASK[..., None]), "float64")
    )
    largest = to_numpy(
        keras.ops.cast(maximum(tensor, (1,), MASK[..., None]), "float64")
    )
    expected = [row[mask].mean(0) for row, mask in zip(exact, MASK, strict=True)]
    epsilon = {"float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-14}.get(dtype, 1e-6)
    np.testing.assert_allclose(found, expected, rtol=epsilon, atol=epsilon / 10)
    np.testing.assert_array_equal(
        largest, [row[mask].max(0) for row, mask in zip(exact, MASK, strict=True)]
    )
    if dtype == "float32":
        keras_mean = layers.GlobalAveragePooling1D()(x, mask=MASK)
        np.testing.assert_array_equal(found, to_numpy(keras_mean))


def test_the_mean_of_half_precision_is_summed_in_float32():
    x = np.full((1, 4096, 1), 1.0, "float16")
    mask = np.ones((1, 4096, 1), bool)
    assert to_numpy(mean(keras.ops.convert_to_tensor(x), (1,), "float32", mask)) == 1


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "float16"])
@pytest.mark.parametrize("gate_cls", GATES)
def test_a_sequence_of_padding_alone(gate_cls, dtype):
    """Keras's own pool returns nan."""
    x = feature_maps(2, 6, 8)
    mask = np.array([[False] * 6, [True] * 6])
    layer = gate_cls(dtype=dtype)
    y = to_numpy(keras.ops.cast(layer(x, mask=mask), "float32"))
    assert np.all(np.isfinite(y))
    np.testing.assert_allclose(y[1:], to_numpy(layer(x[1:])), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("gate_cls", GATES)
def test_masks_come_from_layers_and_go_on(gate_cls):
    layer = gate_cls(name="gate")
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(10, 8, mask_zero=True),
            layer,
            layers.LSTM(4, return_sequences=True),
            layers.GlobalAveragePooling1D(),
        ]
    )
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]])
    padded = to_numpy(model(tokens))
    np.testing.assert_allclose(padded[:1], to_numpy(model(tokens[:1, :3])), atol=1e-7)
    assert np.max(np.abs(padded[:1] - to_numpy(model(tokens[:1] + 1)))) > 1e-4


def test_masking_layer_before_a_gate():
    x = feature_maps(2, 5, 8)
    x[:, 3:] = 0
    layer = SqueezeExcite(ratio=2)
    y = to_numpy(layer(layers.Masking()(x)))
    np.testing.assert_allclose(y[:, :3], to_numpy(layer(x[:, :3])), rtol=1e-6)


@pytest.mark.parametrize("leading", [1, 2, 3])
def test_masks_of_images_and_volumes(leading, data_format):
    """A mask of the leading axes: of the frames of a video, for example."""
    x = feature_maps(2, 4, 3, 5, 8)
    mask = np.zeros((2, 4, 3, 5)[: leading + 1], bool)
    mask[:, :2] = True
    layer = randomized(SqueezeExcite(ratio=2, data_format=data_format), x.shape)
    first = data_format == "channels_first"
    y = to_numpy(layer(np.moveaxis(x, -1, 1) if first else x, mask=mask))
    y = np.moveaxis(y, 1, -1) if first else y
    np.testing.assert_allclose(y[:, :2], apply(layer, x[:, :2]), rtol=2e-6)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 5, 4), (2, 4, 5, 8), (3, 4)])
@pytest.mark.parametrize("symbolic", [False, True])
def test_masks_of_another_shape(shape, symbolic):
    x = np.ones((2, 4, 5, 8), "float32")
    mask = np.ones(shape, bool)
    if symbolic:
        x, mask = (keras.KerasTensor(y.shape, str(y.dtype)) for y in (x, mask))
    with pytest.raises(
        ValueError, match=r"mask of shape \(2, 4, 5\).*Received: a mask"
    ):
        SqueezeExcite(ratio=2)(x, mask=mask)


def test_a_gate_without_the_argument_refuses_masks():
    x = feature_maps(3, 6, 8)
    OwnGateWithoutMask()(x)
    for inputs in (x, keras.Input((6, 8))):
        mask = MASK if inputs is x else keras.Input((6,), dtype="bool")
        with pytest.raises(ValueError, match=r"OwnGateWithoutMask.compute_gate.*mask"):
            OwnGateWithoutMask()(inputs, mask=mask)


def test_gates_of_channels_have_no_mask():
    """A loss would multiply them by the mask of positions."""
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 8, mask_zero=True)(tokens)
    model = keras.Model(tokens, SqueezeExcite(ratio=2).gate(x))
    model.compile("sgd", "mse")
    found = model.evaluate(np.array([[1, 2, 0]]), np.zeros((1, 8)), verbose=0)
    expected = np.mean(to_numpy(model(np.array([[1, 2]]))) ** 2)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (ChannelShuffle(2, data_format="channels_last"), 1),
        (PadChannels(9, data_format="channels_last"), 1),
        (BatchNormalization(), 1),
        (ShakeShake(), 2),
    ],
)
def test_other_layers_pass_masks_on(layer, count):
    x = layers.Masking()(keras.Input((4, 5, 8)))
    y = layer([x] * count if count > 1 else x)
    assert y._keras_mask.shape == (None, 4, 5)

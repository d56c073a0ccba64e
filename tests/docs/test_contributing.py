"""The example of CONTRIBUTING.md is a family of networks."""

import keras
import numpy as np
import pytest

from se_keras import create_model
from se_keras.models import families, structure_of
from tests.docs.pages import blocks_of
from tests.helpers import ROOT

BLOCKS = [b for b in blocks_of(ROOT / "CONTRIBUTING.md") if b.language == "python"]


def _run(block, **names):
    namespace = {"__name__": "tiny", **names}
    exec(compile(block.code, "CONTRIBUTING.md", "exec"), namespace)
    return namespace


def test_row_of_vgg():
    from se_keras.models import VGGSpec

    networks = _run(BLOCKS[0], VGGSpec=VGGSpec)["NETWORKS"]
    model = create_model(networks["se_vgg11"][1], attention=None)
    trainable = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trainable == 132_868_840


@pytest.fixture
def tiny(monkeypatch):
    """The module of the example, as an entry of `FAMILIES`."""
    namespace = _run(BLOCKS[1])
    extended = (*families.FAMILIES, namespace["FAMILY"])
    monkeypatch.setattr(families, "FAMILIES", extended)
    return namespace


def test_family(tiny, tmp_path):
    model = create_model(tiny["TinySpec"](), classes=3, input_shape=(32, 32, 3))
    assert structure_of(model).stages == 3
    assert len(structure_of(model).places) == 3
    pyramid = create_model(tiny["TinySpec"](), include_top=False, pyramid=True)
    assert set(pyramid.output) == {"P1", "P2", "P3"}
    model.save(tmp_path / "tiny.keras")
    loaded = keras.models.load_model(tmp_path / "tiny.keras")
    assert loaded.preprocessing == model.preprocessing

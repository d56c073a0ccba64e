import pytest

from se_keras import training
from tests.training.networks import SMALL, small_network


@pytest.fixture
def recipe(digits_dir, tmp_path):
    """A run of two epochs that takes seconds."""
    with small_network():
        yield training.make_recipe(
            data_dir=str(digits_dir),
            model=SMALL,
            epochs=2,
            batch_size=128,
            learning_rate=0.1,
            image_size=8,
            strategy="none",
            exports=(),
            workdir=str(tmp_path / "run"),
        )


@pytest.fixture(autouse=True)
def no_evaluation_of_files(monkeypatch):
    """Runs save seconds; `tests/evaluation` has what they write otherwise."""
    name = "se_keras.training.tasks.classification.evaluate"
    monkeypatch.setattr(name, lambda *_, **__: {})

"""Uses the public names as a program of a user does; the type checker has no errors.

Every result that has a type of this package, or of Python, is asserted to have it.
Nothing here is run.
"""

from collections.abc import Iterator
from typing import Any, assert_type

import keras
import numpy as np

import se_keras
from se_keras import (
    SqueezeExcite,
    add_squeeze_excite,
    analysis,
    create_model,
    data,
    evaluation,
    export,
    fold,
    list_models,
    models,
    remove_squeeze_excite,
    training,
    weights,
)
from se_keras.layers import EfficientChannelAttention, Gate
from se_keras.models import (
    ImageModel,
    Preprocessing,
    ResNetSpec,
    SENet154,
    SEResNet50,
    Stem,
    Structure,
    register,
    structure_of,
)


class ScaledGate(Gate):
    """An attention layer of one's own."""

    def __init__(self, initial_scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_scale = initial_scale

    def build_gate(self, channels: int, rank: int) -> None:
        """Creates the weights."""
        self.scale = self.add_weight(shape=(channels,), name="scale")

    def excite(self, squeezed: Any) -> Any:
        """Returns the gates."""
        return keras.ops.sigmoid(self.scale * squeezed)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {**super().get_config(), "initial_scale": self.initial_scale}


def networks() -> None:
    """Networks by constructor, name and spec."""
    assert_type(SEResNet50(), ImageModel)
    assert_type(SENet154(include_top=False, input_shape=(None, None, 3)), ImageModel)
    assert_type(
        models.SEMobileNet(
            classes=10,
            classifier_activation=None,
            attention=SqueezeExcite(ratio=8),
            dtype="mixed_bfloat16",
        ),
        ImageModel,
    )
    model = create_model(
        "se_resnet50",
        classes=10,
        attention=EfficientChannelAttention,
        stages=(1, 2),
        gate_activation=keras.activations.sigmoid,
    )
    assert_type(model, ImageModel)
    assert_type(model.preprocessing, Preprocessing | None)
    assert_type(model.class_names, tuple[str, ...] | None)
    assert_type(list_models("se_*"), list[str])
    assert_type(se_keras.__version__, str)

    spec = ResNetSpec(depths=(1, 1), widths=(8, 16), stem=Stem((8,), pool=None))
    assert_type(create_model(spec, attention=ScaledGate(0.5)), ImageModel)
    assert_type(create_model(spec, weights=None, pyramid=True), ImageModel)
    register("se_mine", spec)
    structure = structure_of(model)
    assert_type(structure, Structure | None)
    if structure:
        assert_type(structure.stages, int)
        assert_type(structure.places["stage1_block1_se"], str)


def layers() -> None:
    """The layer, with all its arguments."""
    layer = SqueezeExcite(
        ratio=4,
        hidden_channels=8,
        divisor=8,
        min_channels=8,
        activation="relu",
        gate_activation="hard_sigmoid",
        squeeze="max",
        use_bias=False,
        kernel_initializer="he_normal",
        bias_initializer=keras.initializers.Zeros(),
        kernel_regularizer=keras.regularizers.L2(1e-4),
        data_format="channels_first",
        round_limit=0.9,
        name="se",
        dtype="float32",
    )
    assert_type(layer.compute_hidden_channels(64), int)
    assert_type(layer.ratio, float)
    assert_type(layer.excites_means, bool)


def rewriting(model: keras.Model) -> None:
    """Adding and removing SE, and the inference form."""
    wider = add_squeeze_excite(model, after=["conv1"], attention="eca")
    wider = add_squeeze_excite(
        wider, lambda layer: layer.name == "conv2", SqueezeExcite(8), name="mine"
    )
    fold(remove_squeeze_excite(wider), name="folded")


def preprocessing(pixels: np.ndarray) -> None:
    """The images that a network expects."""
    images = Preprocessing(size=(192, 192), crop=0.95, interpolation="bicubic")
    images.denormalize(images.normalize(pixels))
    assert_type(images.with_input(None, 96, 1), Preprocessing)
    assert_type(images.resize_size, tuple[int, int])
    assert_type(Preprocessing.from_dict(images.to_dict()), Preprocessing)


def loading(model: keras.Model) -> None:
    """Weights of other projects."""
    report = weights.load(model, "timm/seresnet50.a1_in1k")
    assert_type(report, weights.LoadReport)
    assert_type(report.info, weights.WeightsInfo)
    assert_type(report.skipped, tuple[weights.Note, ...])
    assert_type(weights.info("timm/seresnet50.a1_in1k").license, str | None)
    assert_type(weights.from_timm_name("seresnet50"), str)


def exporting(model: keras.Model, images: np.ndarray) -> None:
    """Files for other programs."""
    report = export.tflite(
        model, "model.tflite", quantization="int8", calibration=images
    )
    assert_type(report, dict[str, Any])
    export.saved_model(model, "saved", include_preprocessing=True, overwrite=True)
    export.onnx(model, "model.onnx", class_names=["a", "b"], input_size=96)
    export.openvino(model, "model.xml", preprocessing=Preprocessing())
    assert_type(export.load_classifier("model.tflite"), export.Classifier)


def studying(model: keras.Model) -> None:
    """The cost of a network."""
    cost = analysis.complexity(model, input_shape=(224, 224, 3))
    assert_type(cost, analysis.Complexity)
    assert_type(cost.layers, tuple[analysis.LayerCost, ...])


def runs() -> None:
    """Training, and the images that it reads."""
    recipe = training.make_recipe("sample", epochs=2, workdir="runs/digits", ema=None)
    recipe = training.make_recipe(augmentation={"padding": 2}, learning_rate=1)
    recipe = recipe.replace(clip_norm=None, exports=("onnx",), runtime={"workers": ()})
    assert_type(recipe, training.Recipe)
    assert_type(recipe.runtime, training.Runtime)
    assert_type(recipe.augmentation, data.Augmentation)
    assert_type(training.train(recipe), dict[str, Any])
    source = data.open_source("folder:flowers")
    assert_type(source, data.ImageSource)
    assert_type(source.class_names, tuple[str, ...])
    data.training_batches(
        source, Preprocessing(), data.Augmentation(), batch_size=32, seed=0, epoch=0
    )
    data.read_image("cat.jpg", Preprocessing())


def evaluating(model: keras.Model) -> None:
    """A classifier on a data set, and on files."""
    report = evaluation.evaluate("model.tflite", "folder:flowers", split="all")
    assert_type(report, dict[str, Any])
    evaluation.evaluate(model, data.open_source("digits"), output="evaluated")
    predictions = evaluation.predict(model, ["photos", b"cat.jpg"], top=1)
    assert_type(predictions, Iterator[evaluation.Prediction])
    tally = evaluation.Tally(["cat", "dog"])
    tally.add(np.array([0]), np.array([[0.7, 0.3]]))
    assert_type(tally.confusion(), np.ndarray)

"""Wrong uses of the public names, each of which the type checker reports.

An error that is not reported is an `ignore` without use, which is an error too. Nothing
here is run.
"""

import keras

import se_keras
from se_keras import (
    SqueezeExcite,
    analysis,
    create_model,
    data,
    export,
    models,
    training,
    weights,
)
from se_keras.models import Preprocessing, ResNetSpec, SEResNet50, Stem, register


def wrong(model: keras.Model) -> None:
    """One wrong use a line."""
    SEResNet50(clases=10)  # type: ignore[call-arg]
    SEResNet50(classes="10")  # type: ignore[arg-type]
    SEResNet50(channels=3)  # type: ignore[call-arg]
    models.SEResNet51()  # type: ignore[attr-defined]
    models.SEResNet50(input_shape=224)  # type: ignore[arg-type]
    print(SEResNet50().preprocessing.size)  # type: ignore[union-attr]
    se_keras.craete_model("se_resnet50")  # type: ignore[attr-defined]
    create_model(3)  # type: ignore[arg-type]
    create_model("se_resnet50", record=None)  # type: ignore[call-arg]
    create_model("se_resnet50", stages=1)  # type: ignore[arg-type]
    create_model("se_resnet50", gate="tanh")  # type: ignore[call-arg]
    SqueezeExcite(ratio="16")  # type: ignore[arg-type]
    SqueezeExcite(use_bias="no")  # type: ignore[arg-type]
    se_keras.layers.SqueezeExcit()  # type: ignore[attr-defined]
    se_keras.add_squeeze_excite(model, gate="eca")  # type: ignore[call-arg]
    se_keras.add_squeeze_excite(model, after=3)  # type: ignore[arg-type]
    se_keras.fold(model, 1)  # type: ignore[arg-type]
    ResNetSpec(depth=50)  # type: ignore[call-arg]
    ResNetSpec(depths=50)  # type: ignore[arg-type]
    ResNetSpec(stem="max")  # type: ignore[arg-type]
    Stem(filters=64)  # type: ignore[arg-type]
    register("name", "se_resnet50")  # type: ignore[arg-type]
    Preprocessing(crop="center")  # type: ignore[arg-type]
    print(Preprocessing().normalise)  # type: ignore[attr-defined]
    weights.load(model)  # type: ignore[call-arg]
    print(weights.load(model, "a.pth").licence)  # type: ignore[attr-defined]
    export.tflite(model, "a.tflite", "int8")  # type: ignore[call-arg]
    export.tflite(model, "a.tflite", quantise="int8")  # type: ignore[call-arg]
    export.tensorrt(model, "a.trt")  # type: ignore[attr-defined]
    analysis.complexity()  # type: ignore[call-arg]
    training.train("sample")  # type: ignore[arg-type]
    training.make_recipe(epoch=3)  # type: ignore[call-arg]
    training.make_recipe(epochs="many")  # type: ignore[arg-type]
    training.make_recipe().replace(learningrate=0.1)  # type: ignore[call-arg]
    training.make_recipe().replace(epochs=None)  # type: ignore[arg-type]
    data.read_image("cat.jpg")  # type: ignore[call-arg]
    data.read_image("cat.jpg", record=Preprocessing())  # type: ignore[call-arg]

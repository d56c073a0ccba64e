r"""Trains, evaluates and exports a Squeeze-and-Excitation network.

Without flags it trains on the embedded sample, scikit-learn's digits, in minutes:

    python examples/train_imagenet.py

ImageNet, or any other image-classification data set of TensorFlow Datasets:

    python examples/train_imagenet.py --dataset=imagenet2012 --data_dir=TFDS_FOLDER \
        --model=se_resnet50 --precision=mixed_float16 --workdir=runs/imagenet
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from se_keras import training
from se_keras.errors import UsageError, exit_on_usage_error, run_main

RECIPE = flags.DEFINE_string(
    "recipe", None, "sample, paper or paper_cifar; by default the data set's own."
)
# Fields of the recipe; a flag that is not given leaves the recipe's value.
FIELDS = [
    flags.DEFINE_string("dataset", None, "Data set of TFDS, or digits, the sample."),
    flags.DEFINE_string("data_dir", None, "Where TFDS data sets are."),
    flags.DEFINE_string("model", None, "A name in se_keras.list_models()."),
    flags.DEFINE_integer("epochs", None, "Passes over the training split."),
    flags.DEFINE_integer("batch_size", None, "Images of a step, over all replicas."),
    flags.DEFINE_integer("image_size", None, "Height and width of the input, pixels."),
    flags.DEFINE_float("learning_rate", None, "Highest learning rate."),
    flags.DEFINE_string("precision", None, "float32, mixed_float16, mixed_bfloat16."),
    flags.DEFINE_string("strategy", None, "auto, mirrored or none."),
    flags.DEFINE_bool("sync_batch_norm", None, "Batch norm over all replicas."),
    flags.DEFINE_string("workdir", None, "Folder of the run; runs/DATASET-MODEL."),
    flags.DEFINE_integer("seed", None, "Seed of weights, order and augmentation."),
    flags.DEFINE_list("exports", None, "Of saved_model,tflite; empty for none."),
]


def main(argv):
    """Makes a recipe of the flags and trains it."""
    logging.set_verbosity(logging.ERROR)
    overrides = {flag.name: flag.value for flag in FIELDS}
    if overrides["exports"] is not None:
        overrides["exports"] = tuple(overrides["exports"])
    with exit_on_usage_error():
        if argv[1:]:
            raise UsageError(f"Expected flags only. Received: {' '.join(argv[1:])}")
        training.train(training.make_recipe(RECIPE.value, **overrides))


if __name__ == "__main__":
    run_main(main)

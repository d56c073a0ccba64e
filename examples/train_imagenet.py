r"""Trains, evaluates and exports a Squeeze-and-Excitation network.

Without flags it trains on the embedded sample, scikit-learn's digits, in minutes:

    python examples/train_imagenet.py

ImageNet, or any other image-classification data set of TensorFlow Datasets:

    python examples/train_imagenet.py --dataset=imagenet2012 --data_dir=TFDS_DIRECTORY \
        --model=se_resnet50 --precision=mixed_float16 --workdir=runs/imagenet

Every field of a recipe is a flag (`--help`), or a line of a YAML file:

    python examples/train_imagenet.py --recipe=rsb_a3 --batch_size=512 \
        --config=mine.yaml --augmentation.magnitude=5

Exit codes: 0 finished, 1 bad input or a loss that is not finite, 69 another worker has
stopped, 74 the disk is full, 75 stopped by SIGTERM or SIGINT (Ctrl-C). After the last
three the same command continues the run (docs/guides/scaling.md).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from se_keras import training
from se_keras.cli.absl_main import define_import_flag, import_modules, run_main
from se_keras.cli.exit import exit_on_usage_error
from se_keras.errors import UsageError

IMPORT = define_import_flag()
RECIPE = flags.DEFINE_string(
    "recipe", None, f"{', '.join(training.RECIPES)}; by default that of the data set."
)
CONFIG = flags.DEFINE_string(
    "config", None, "YAML file with fields of the recipe; flags override it."
)
# A flag for each field of the recipe; a flag that is not given changes nothing.
FIELDS = [
    (flags.DEFINE_bool if field.type is bool else flags.DEFINE_string)(
        field.name, None, field.help
    )
    for field in training.fields_of(training.Recipe).values()
]


def main(argv):
    """Makes a recipe from the flags and trains."""
    logging.set_verbosity(logging.ERROR)
    with exit_on_usage_error():
        if argv[1:]:
            raise UsageError(f"Expected flags only. Received: {' '.join(argv[1:])}")
        import_modules(IMPORT.value)
        config = training.read_config(CONFIG.value) if CONFIG.value else None
        overrides = {flag.name: flag.value for flag in FIELDS}
        training.train(training.make_recipe(RECIPE.value, config, **overrides))


if __name__ == "__main__":
    run_main(main, continues=True)

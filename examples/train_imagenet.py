r"""Trains, evaluates and exports a Squeeze-and-Excitation network.

Without flags it trains on the embedded sample, scikit-learn's digits, in minutes:

    python examples/train_imagenet.py

ImageNet, or any other image-classification data set of TensorFlow Datasets:

    python examples/train_imagenet.py --dataset=imagenet2012 --data_dir=TFDS_DIRECTORY \
        --model=se_resnet50 --precision=mixed_float16 --workdir=runs/imagenet

Every field of a recipe is a flag (`--help`), or a line of a YAML file:

    python examples/train_imagenet.py --recipe=rsb_a3 --batch_size=512 \
        --config=mine.yaml --augmentation.magnitude=5

`se-keras train` is the same program, without a file.

Exit codes: 0 finished, 1 bad input or a loss that is not finite, 2 a flag that does not
exist, 69 another worker has stopped, 74 the disk is full, 75 stopped by SIGTERM or
SIGINT (Ctrl-C). After the last three the same command continues the run
(docs/guides/scaling.md).
"""

from se_keras.signals import end_on_signals

if __name__ == "__main__":
    end_on_signals(continues=True)  # also while the rest is imported

from se_keras import training
from se_keras.cli.command_line import prepare_logs
from se_keras.cli.exit import ending_on_signals, exit_on_usage_error
from se_keras.cli.train import parse_recipe


def main(arguments=None):
    """Makes a recipe from the flags and trains."""
    prepare_logs()
    with ending_on_signals(continues=True), exit_on_usage_error():
        recipe = parse_recipe(arguments, __doc__)
        # This imports TensorFlow, `import se_keras` and the flags do not.
        training.train(recipe)


if __name__ == "__main__":
    main()

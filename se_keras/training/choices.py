"""What settings of a run choose from. It is read without importing TensorFlow."""

from se_keras.lazy import Table

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
BALANCED = "balanced"
SAMPLINGS = ("uniform", BALANCED)
EXPORTED_EPOCHS = ("last", "best")

SCHEDULES = ("step", "cosine")
# Those whose rate in an epoch is the same in a longer run: a run can be made longer.
EXTENDABLE = ("step",)
# How the learning rate follows the batch: power of the factor of the batch size.
RATE_SCALINGS = {"linear": 1.0, "square_root": 0.5, "none": 0.0}

# Functions of a recipe that return the class of an optimizer and its arguments.
OPTIMIZERS = Table(
    sgd="se_keras.training.optimizer:sgd_arguments",
    adamw="se_keras.training.optimizer:adamw_arguments",
    lamb="se_keras.training.optimizer:lamb_arguments",
)

# Functions of targets and logits that return the loss of each image.
LOSSES = Table(
    cross_entropy="se_keras.training.losses:cross_entropy",
    binary_cross_entropy="se_keras.training.losses:binary_cross_entropy",
)

# Functions of the workers and the index of this one that return a strategy of
# `tf.distribute`.
STRATEGIES = Table(
    none="se_keras.training.strategy:one_device",
    mirrored="se_keras.training.strategy:mirrored",
    multi_worker="se_keras.training.strategy:multi_worker",
    tpu="se_keras.training.strategy:tpu",
)

"""What the machine decides of a run."""

import dataclasses
from typing import Annotated

from se_keras.data.settings import POLICIES
from se_keras.export.formats import FORMATS
from se_keras.training.checks import (
    NOT_NEGATIVE,
    POSITIVE,
    OneOf,
    check_fields,
    require,
)
from se_keras.training.choices import EXPORTED_EPOCHS, STRATEGIES
from se_keras.training.subjects import Subject


@dataclasses.dataclass(frozen=True)
class Runtime:
    """Where and how a run is executed, as opposed to what it computes.

    These settings may change between a run and its continuation, and are not compared
    with those in the work directory. As flags, in YAML files and in `make_recipe` they
    have their short names: `--workdir`, not `--runtime.workdir`.

    Attributes:
        workdir: Work directory of the run; `None` for `runs/DATASET-MODEL`.
        data_dir: Directory of the TFDS data sets; `None` for TFDS's default.
        exports: Formats to export at the end: `"saved_model"`, `"tflite"`, `"onnx"`,
            `"openvino"`.
        export: Which epoch is saved, exported and reported: `"last"`; or `"best"`, the
            first with the best value of the task's metric. The same command with
            another value writes the other epoch of a finished run.
        on_bad_image: What happens at a record that is not an image, or whose label is
            not a class: `"fail"` ends the run; `"skip"` leaves the record out and
            counts it in the report.
        allow_changed_data: Whether a run may continue with more images of the same
            classes than it started with.
        strategy: `"none"` uses one device without a distribution strategy;
            `"mirrored"` all GPUs of this machine, or its CPU; `"multi_worker"` those of
            several machines; `"tpu"` a TPU; `"auto"` is `"multi_worker"` where a
            cluster is given and `"mirrored"` elsewhere.
        workers: Address `host:port` of each worker of a cluster; empty for the cluster
            in the environment variable `TF_CONFIG`, or none.
        worker_index: Index of this worker; 0 is the chief, the only one that writes.
        data_service: Address of the dispatcher of a `tf.data` service that prepares
            the training images, `"grpc://host:port"`; `None` for this machine.
        checkpoint_every: Steps between two checkpoints within an epoch; 0 for a
            checkpoint at the end of each epoch only.
        keep_checkpoints: How many of the last checkpoints to keep, in addition to the
            best.
        deterministic: Whether all operations give the same bits in each run, which
            takes more time. It applies to the whole process.
        profile_steps: First and last step of a profile for TensorBoard, counted from 1
            where this process starts; empty for no profile.

    Raises:
        UsageError: If a value is not valid.

    Example:

    ```python
    recipe = training.make_recipe("paper_cifar", workdir="runs/a", exports=())
    recipe.runtime.workdir  # "runs/a"
    ```
    """

    workdir: str | None = None
    data_dir: Annotated[str | None, Subject.DATA] = None
    exports: Annotated[tuple[str, ...], Subject.EVALUATION, OneOf(FORMATS)] = (
        "saved_model",
        "tflite",
    )
    export: Annotated[str, Subject.EVALUATION, OneOf(EXPORTED_EPOCHS)] = "last"
    on_bad_image: Annotated[str, Subject.DATA, OneOf(POLICIES)] = "fail"
    allow_changed_data: Annotated[bool, Subject.DATA] = False
    strategy: Annotated[str, Subject.CLUSTER, OneOf(("auto", *STRATEGIES))] = "auto"
    workers: Annotated[tuple[str, ...], Subject.CLUSTER] = ()
    worker_index: Annotated[int | None, Subject.CLUSTER] = None
    data_service: Annotated[str | None, Subject.CLUSTER] = None
    checkpoint_every: Annotated[int, NOT_NEGATIVE] = 0
    keep_checkpoints: Annotated[int, POSITIVE] = 2
    deterministic: bool = False
    profile_steps: tuple[int, ...] = ()

    def __post_init__(self):
        check_fields(self)
        steps = self.profile_steps
        require(
            not steps or (len(steps) == 2 and 0 < steps[0] <= steps[1]),
            "FIRST,LAST, counted from 1, for",
            "profile_steps",
            steps,
        )

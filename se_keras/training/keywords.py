"""The keywords of `make_recipe` and `Recipe.replace`, for type checkers and `help()`.

A field within `augmentation` is also a keyword by its name with a dot:
`**{"augmentation.padding": 2}`.
"""

# Written by `python -m se_keras.training.stubs`.

from collections.abc import Mapping
from typing import TypedDict

from se_keras.data.settings import Augmentation
from se_keras.data.splits import Splits
from se_keras.training.runtime import Runtime


class Settings(TypedDict, total=False):
    """Fields of a recipe, and those of its `runtime`."""

    dataset: str
    model: str
    epochs: int
    batch_size: int
    image_size: int
    learning_rate: float
    task: str
    weights: str | None
    limit: int | None
    sampling: str
    class_weights: tuple[float, ...] | str | None
    validation_frequency: int
    early_stopping: int | None
    freeze_epochs: int
    layer_decay: float
    gradient_accumulation: int
    evaluation_size: int | None
    evaluation_crop: float | None
    interpolation: str | None
    optimizer: str
    rate_scaling: str
    schedule: str
    boundaries: tuple[int, ...]
    warmup_epochs: float
    momentum: float
    nesterov: bool
    weight_decay: float
    clip_norm: float | None
    ema: float | None
    loss: str
    label_smoothing: float
    target_threshold: float | None
    drop_path: float
    precision: str
    sync_batch_norm: bool
    seed: int
    train_split: str | None
    evaluation_split: str | None
    test_split: str | None
    split_by: str
    evaluation_fraction: float
    split_seed: int
    workdir: str | None
    data_dir: str | None
    exports: tuple[str, ...]
    export: str
    on_bad_image: str
    allow_changed_data: bool
    strategy: str
    workers: tuple[str, ...]
    worker_index: int | None
    data_service: str | None
    checkpoint_every: int
    keep_checkpoints: int
    deterministic: bool
    profile_steps: tuple[int, ...]
    augmentation: Augmentation | Mapping[str, object]
    splits: Splits | Mapping[str, object]
    runtime: Runtime | Mapping[str, object]


class Overrides(TypedDict, total=False):
    """Fields of a recipe, of which `None` keeps the value of the recipe."""

    dataset: str | None
    model: str | None
    epochs: int | None
    batch_size: int | None
    image_size: int | None
    learning_rate: float | None
    task: str | None
    weights: str | None
    limit: int | None
    sampling: str | None
    class_weights: tuple[float, ...] | str | None
    validation_frequency: int | None
    early_stopping: int | None
    freeze_epochs: int | None
    layer_decay: float | None
    gradient_accumulation: int | None
    evaluation_size: int | None
    evaluation_crop: float | None
    interpolation: str | None
    optimizer: str | None
    rate_scaling: str | None
    schedule: str | None
    boundaries: tuple[int, ...] | None
    warmup_epochs: float | None
    momentum: float | None
    nesterov: bool | None
    weight_decay: float | None
    clip_norm: float | None
    ema: float | None
    loss: str | None
    label_smoothing: float | None
    target_threshold: float | None
    drop_path: float | None
    precision: str | None
    sync_batch_norm: bool | None
    seed: int | None
    train_split: str | None
    evaluation_split: str | None
    test_split: str | None
    split_by: str | None
    evaluation_fraction: float | None
    split_seed: int | None
    workdir: str | None
    data_dir: str | None
    exports: tuple[str, ...] | None
    export: str | None
    on_bad_image: str | None
    allow_changed_data: bool | None
    strategy: str | None
    workers: tuple[str, ...] | None
    worker_index: int | None
    data_service: str | None
    checkpoint_every: int | None
    keep_checkpoints: int | None
    deterministic: bool | None
    profile_steps: tuple[int, ...] | None
    augmentation: Augmentation | Mapping[str, object] | None
    splits: Splits | Mapping[str, object] | None
    runtime: Runtime | Mapping[str, object] | None

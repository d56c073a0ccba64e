import dataclasses

import pytest

from se_keras.data import Augmentation
from se_keras.errors import UsageError
from se_keras.models import list_models
from se_keras.training import RECIPES, Recipe, make_recipe

# The paper, section 6.1.
PAPER = {
    "dataset": "imagenet2012",
    "model": "se_resnet50",
    "epochs": 100,
    "batch_size": 1024,
    "image_size": 224,
    "learning_rate": 0.6,
    "schedule": "step",
    "boundaries": (30, 60, 90),
    "warmup_epochs": 0,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 1e-4,
    "label_smoothing": 0.0,
    "augmentation": Augmentation("resized", (0.08, 1.0), (3 / 4, 4 / 3), flip=True),
}
# He et al. 2015, section 4.2: steps 32,000 and 48,000 of 64,000 divide the rate.
PAPER_CIFAR = {
    "dataset": "cifar10",
    "model": "se_resnet110",
    "batch_size": 128,
    "image_size": 32,
    "learning_rate": 0.1,
    "schedule": "step",
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "augmentation": Augmentation("padded", padding=4, flip=True),
}


# hujie-frank/SENet: a quarter of the batch, and more augmentation.
CAFFE_RELEASE = PAPER | {
    "model": "se_resnet50_caffe",
    "batch_size": 256,
    "learning_rate": 0.1,
    "augmentation": Augmentation(rotation=10, jitter=20),
}
# Wightman et al. 2021, table 2; clipping and threshold are those of timm's LAMB and of
# its authors' commands.
RSB = {
    "batch_size": 2048,
    "optimizer": "lamb",
    "loss": "binary_cross_entropy",
    "schedule": "cosine",
    "warmup_epochs": 5,
    "clip_norm": 1.0,
    "evaluation_crop": 0.95,
    "interpolation": "bicubic",
    "rate_scaling": "square_root",
}


def rsb(
    epochs, rate, decay, drop_path, mixup, magnitude, repeats, smoothing, threshold
):
    return RSB | {
        "epochs": epochs,
        "learning_rate": rate,
        "weight_decay": decay,
        "drop_path": drop_path,
        "label_smoothing": smoothing,
        "target_threshold": threshold,
        "augmentation": Augmentation(
            operations=2,
            magnitude=magnitude,
            magnitude_std=0.5,
            mixup=mixup,
            cutmix=1.0,
            repeats=repeats,
        ),
    }


RSB_A1 = rsb(600, 5e-3, 0.01, 0.05, 0.2, 7, 3, 0.1, None)
RSB_A2 = rsb(300, 5e-3, 0.02, 0.05, 0.1, 7, 3, 0.0, 0.2)
RSB_A3 = rsb(100, 8e-3, 0.02, 0.0, 0.1, 6, 1, 0.0, 0.2)
RSB_A3 |= {"image_size": 160, "evaluation_size": 224}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", PAPER),
        ("paper_cifar", PAPER_CIFAR),
        ("caffe_release", CAFFE_RELEASE),
        ("rsb_a1", RSB_A1),
        ("rsb_a2", RSB_A2),
        ("rsb_a3", RSB_A3),
    ],
)
def test_recipes_of_papers(name, expected):
    recipe = dataclasses.asdict(make_recipe(name))
    expected = expected | {"augmentation": dataclasses.asdict(expected["augmentation"])}
    assert {field: recipe[field] for field in expected} == expected


def test_cifar_recipe_counts_in_steps_of_he_et_al():
    recipe = make_recipe("paper_cifar")
    steps_per_epoch = 50_000 // recipe.batch_size
    boundaries = [epoch * steps_per_epoch for epoch in recipe.boundaries]
    assert boundaries == pytest.approx([32_000, 48_000], rel=0.01)
    assert recipe.epochs * steps_per_epoch == pytest.approx(64_000, rel=0.01)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        (None, "sample"),
        ("digits", "sample"),
        ("cifar10", "paper_cifar"),
        ("cifar100", "paper_cifar"),
        ("fashion_mnist", "paper_cifar"),
        ("mnist", "paper_cifar"),
        ("imagenet2012", "paper"),
        ("places365_small", "paper"),
    ],
)
def test_recipe_of_a_data_set(dataset, name):
    changes = {} if dataset is None else {"dataset": dataset}
    assert make_recipe(dataset=dataset) == dataclasses.replace(RECIPES[name], **changes)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("paper", {"batch_size": 256}, 0.15),
        ("paper", {"batch_size": "2048"}, 1.2),
        ("paper", {"batch_size": 256, "learning_rate": 0.6}, 0.6),
        ("paper", {"batch_size": 256, "rate_scaling": "none"}, 0.6),
        ("paper", {"batch_size": 256, "rate_scaling": "square_root"}, 0.3),
        # As a command of timm with 4 GPUs and 256 images each has it: --lr 3.5e-3.
        ("rsb_a2", {"batch_size": 1024}, 3.5e-3),
        ("rsb_a2", {"gradient_accumulation": 8}, 5e-3),
    ],
)
def test_rate_follows_the_batch(name, settings, expected):
    assert make_recipe(name, **settings).learning_rate == pytest.approx(expected, 0.02)
    # A file counts like flags, and a rate of the file is for the batch of the file.
    assert make_recipe(name, settings).learning_rate == pytest.approx(expected, 0.02)


def test_rate_of_a_file_follows_the_batch_of_a_flag():
    config = {"batch_size": 128, "learning_rate": 0.1}
    assert make_recipe("paper", config, batch_size=256).learning_rate == 0.2
    assert make_recipe("paper", {"batch_size": 512}, batch_size=256).learning_rate == (
        pytest.approx(0.15)
    )


def test_weights_are_fine_tuned_by_default():
    recipe = make_recipe(weights="timm/seresnet50.ra2_in1k", dataset="cifar10")
    assert recipe.layer_decay == RECIPES["finetune"].layer_decay
    assert recipe.dataset == "cifar10"


def test_no_digit_is_mirrored():
    assert not make_recipe().augmentation.flip


@pytest.mark.parametrize("name", RECIPES)
def test_networks_of_recipes(name):
    assert RECIPES[name].model in list_models("se_*")


def test_overrides():
    recipe = make_recipe("paper", epochs=7, batch_size=None, exports=())
    runtime = dataclasses.replace(RECIPES["paper"].runtime, exports=())
    assert recipe == dataclasses.replace(RECIPES["paper"], epochs=7, runtime=runtime)
    assert recipe == RECIPES["paper"].replace(epochs=7, exports=())
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 8
    assert make_recipe("paper", dataset="cifar10").learning_rate == 0.6


@pytest.mark.parametrize("weights", ["none", "None", None])
def test_no_weights_are_not_fine_tuned(weights):
    recipe = make_recipe(dataset="folder:flowers", weights=weights)
    assert recipe == make_recipe(dataset="folder:flowers")
    assert recipe.freeze_epochs == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "papr"}, "recipe.*Did you mean paper.*Received: 'papr'"),
        ({"batchsize": 4}, "field.*Did you mean batch_size.*Received: 'batchsize'"),
        ({"precision": "float16"}, "precision.*Did you mean float32.*'float16'"),
        ({"precision": "mixed_bf16"}, "Did you mean mixed_bfloat16.*'mixed_bf16'"),
        ({"strategy": "mirored"}, "strategy.*Did you mean mirrored.*'mirored'"),
        ({"schedule": "linear"}, "schedule.*cosine, step.*Received: 'linear'"),
        ({"exports": ("tflight",)}, "exports.*Did you mean tflite.*'tflight'"),
        ({"batch_size": -4}, "a positive batch_size.*batch_size=-4"),
        ({"batch_size": 0}, "a positive batch_size.*batch_size=0"),
        ({"epochs": 0}, "a positive epochs.*epochs=0"),
        ({"image_size": -1}, "a positive image_size.*image_size=-1"),
        ({"learning_rate": -0.1}, r"a positive learning_rate.*learning_rate=-0\.1"),
        ({"learning_rate": float("nan")}, "a positive learning_rate.*nan"),
        ({"weight_decay": -1e-4}, "0 or more for weight_decay.*=-0.0001"),
        ({"momentum": -0.9}, r"in 0\.\.1 for momentum"),
        ({"momentum": 1.5}, r"in 0\.\.1 for momentum"),
        ({"boundaries": (3, 2)}, "increasing epochs for boundaries"),
        ({"boundaries": (-1,)}, "increasing epochs for boundaries"),
        ({"warmup_epochs": -1}, "0 or more for warmup_epochs"),
        ({"checkpoint_every": -1}, "0 or more for checkpoint_every.*=-1"),
        ({"keep_checkpoints": 0}, "a positive keep_checkpoints.*=0"),
        ({"on_bad_image": "skp"}, "on_bad_image.*Did you mean skip.*'skp'"),
        ({"strategy": "multi-worker"}, "Did you mean multi_worker"),
        ({"seed": -1}, "0 or more for seed"),
        ({"optimizer": "adam"}, "optimizer.*Did you mean adamw.*Received: 'adam'"),
        ({"loss": "entropy"}, "loss.*Received: 'entropy'"),
        ({"rate_scaling": "liner"}, "rate_scaling.*Did you mean linear"),
        ({"interpolation": "cubic"}, "interpolation.*Did you mean bicubic"),
        ({"ema": 1.5}, r"in 0\.\.1 for ema. Received: ema=1.5"),
        ({"drop_path": -0.1}, r"in 0\.\.1 for drop_path"),
        ({"label_smoothing": 2}, r"in 0\.\.1 for label_smoothing"),
        ({"layer_decay": 0}, "a positive layer_decay"),
        ({"clip_norm": 0}, "a positive clip_norm"),
        ({"gradient_accumulation": 0}, "a positive gradient_accumulation"),
        ({"evaluation_crop": 1.1}, r"in 0\.\.1 for evaluation_crop"),
        ({"freeze_epochs": 1}, "weights with freeze_epochs"),
        ({"profile_steps": (5, 2)}, "FIRST,LAST.*profile_steps"),
    ],
)
def test_bad_setting(settings, message):
    with pytest.raises(UsageError, match=f"Expected .*{message}"):
        make_recipe(**settings)


def test_bad_setting_of_a_recipe_of_ones_own():
    with pytest.raises(UsageError, match="batch_size=-1"):
        Recipe("digits", "se_resnet20", 1, -1, 8, 0.1)


@pytest.mark.parametrize("settings", [{"seed": 2**32}, {"learning_rate": float("inf")}])
def test_out_of_range(settings):
    (name,) = settings
    with pytest.raises(UsageError, match=f"{name}.*Received: {name}="):
        make_recipe(**settings)


def test_version_of_a_data_set_keeps_its_recipe():
    assert make_recipe(dataset="cifar10:3.0.2").image_size == 32


HUGE = 10**400


@pytest.mark.parametrize(
    "settings",
    [
        {"image_size": 100_000},
        {"evaluation_size": 100_000},
        {"epochs": HUGE},
        {"epochs": 10**6},
        {"epochs": 10**5000},  # which Python does not print
        {"batch_size": 10**9},
        {"learning_rate": "1e400"},
        {"learning_rate": HUGE},
        {"weight_decay": HUGE},
        {"warmup_epochs": HUGE},
        {"boundaries": (HUGE,)},
        {"checkpoint_every": HUGE},
        {"keep_checkpoints": HUGE},
        {"profile_steps": (1, HUGE)},
        {"augmentation.padding": HUGE},
        {"augmentation.repeats": HUGE},
        {"augmentation.mixup": "inf"},
        {"clip_norm": "nan"},
        {"dataset": "folder:\udcff"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_every_number_has_a_largest_value(settings):
    (name,) = settings
    with pytest.raises(UsageError, match=name.split(".")[-1]) as error:
        make_recipe(**settings)
    assert len(str(error.value)) < 600

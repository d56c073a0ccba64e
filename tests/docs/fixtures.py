"""What blocks of the documentation need: data sets, weights and models, all made here.

A fixture is a function of the directory in which a page runs; a comment in the page
names it.
"""

import json
import pathlib

import keras
import numpy as np

FLOWERS = ("daisy", "rose", "tulip")


def images_folder(directory: pathlib.Path) -> None:
    """Makes `flowers/`, a directory of JPEG files with three classes."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(FLOWERS):
        folder = directory / "flowers" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 16):
            image = rng.uniform(0, 120, (12, 16, 3))
            image[..., label] += 120
            image = np.kron(image, np.ones((10, 10, 1)))
            keras.utils.save_img(folder / f"{number:03}.jpg", image, scale=False)


def digits_model(directory: pathlib.Path) -> None:
    """Makes what the first command of the README leaves: a model of the digits."""
    from se_keras import create_model

    path = directory / "runs/digits-se_resnet20/model.keras"
    if path.exists():
        return
    path.parent.mkdir(parents=True)
    keras.utils.set_random_seed(0)
    model = create_model("se_resnet20", classes=10, input_shape=(24, 24, 1))
    model.class_names = tuple(map(str, range(10)))
    model.save(path)


def png_file(directory: pathlib.Path) -> None:
    """Makes `seven.png`, a scan of a digit."""
    import sklearn.datasets

    digit = sklearn.datasets.load_digits().images[7][..., None]
    keras.utils.save_img(directory / "seven.png", digit)


def weights_file(directory: pathlib.Path) -> None:
    """Makes `seresnet50.safetensors`, random weights with the keys of timm."""
    write_weights("seresnet50", directory / "seresnet50.safetensors")


def networks_module(directory: pathlib.Path) -> None:
    """Makes `my_networks.py`, a module of the user that registers a network."""
    (directory / "my_networks.py").write_text(
        "from se_keras.models import ResNetSpec, register\n\n"
        'register("my_resnet", ResNetSpec(depths=(1, 1, 1, 1), block="basic"))\n'
    )


def hub_cache(directory: pathlib.Path, source: str) -> None:
    """Puts weights into a cache of the Hugging Face hub, as a download does.

    Args:
        directory: The cache.
        source: Name of the weights: `"timm/seresnet50.a1_in1k"`.
    """
    root = directory / f"models--{source.replace('/', '--')}"
    snapshot = root / "snapshots/0"
    if (root / "refs/main").exists():
        return
    snapshot.mkdir(parents=True, exist_ok=True)
    name = source.split("/")[1].split(".")[0]
    write_weights(name, snapshot / "model.safetensors")
    config = {
        "architecture": name,
        "num_classes": 1000,
        "pretrained_cfg": {
            "tag": source.split(".")[1],
            "input_size": [3, 224, 224],
            "crop_pct": 0.95,
            "interpolation": "bicubic",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": 1000,
            "license": "apache-2.0",
        },
    }
    (snapshot / "config.json").write_text(json.dumps(config))
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs/main").write_text("0")


def write_weights(timm_name: str, path: pathlib.Path) -> None:
    """Writes random weights of a network of timm that can be trained on.

    Args:
        timm_name: Name of the network in timm.
        path: The `.safetensors` file.
    """
    from safetensors.numpy import save_file

    from se_keras.weights import from_timm_name
    from tests.weights.tools import timm_zeros

    rng = np.random.default_rng(0)
    state = timm_zeros(from_timm_name(timm_name), classes=1000)
    save_file({key: _drawn(rng, key, zeros) for key, zeros in state.items()}, path)


def _drawn(rng, key, zeros):
    if zeros.ndim == 0:
        return zeros
    if zeros.ndim == 1:
        # Scales and variances of batch norm; offsets, means and biases.
        return np.full_like(zeros, key.endswith(("weight", "running_var")))
    fan_in = np.prod(zeros.shape[1:])
    return rng.normal(0, (2 / fan_in) ** 0.5, zeros.shape).astype(zeros.dtype)

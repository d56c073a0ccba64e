"""Files and state dicts, each opened as a mapping of arrays that are not read yet."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import ml_dtypes
import numpy as np

from se_keras.errors import UsageError
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.recognition import recognize
from se_keras.weights import pickles
from se_keras.weights.keys import KerasKeys, TimmKeys
from se_keras.weights.published import WeightsInfo, with_timm_config


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """An array of a file.

    Attributes:
        shape: Its shape.
        read: Returns it as a NumPy array.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Weights, and what comes with them.

    Attributes:
        info: What is known of them.
        arrays: The arrays by key.
        keys: How the keys name the weights.
        traits: What the weights do not show of their network (`Structure.traits`),
            where the source states it.
    """

    info: WeightsInfo
    arrays: Mapping[str, StoredArray]
    keys: KerasKeys | TimmKeys
    traits: dict | None = None

    @property
    def classes(self) -> int | None:
        """Number of classes, or `None` without a classifier."""
        shapes = [
            a.shape for key, a in self.arrays.items() if self.keys.is_classifier(key)
        ]
        return next((shape[0] for shape in shapes if len(shape) == 1), None)


@contextlib.contextmanager
def open_file(path: str | pathlib.Path):
    """Gives the `Checkpoint` of a file, which is open until the end.

    Args:
        path: Path of a file whose name ends like a key of `READERS`; `~` is the home
            of the user.

    Raises:
        ValueError: If there is no such file, its kind is unknown or it cannot be read.
    """
    suffix = suffix_of(path)
    if suffix is None:
        raise UsageError(
            "Argument `weights` must be the path of a file of "
            f"{tuple(READERS)}, a state dict, or a name such as "
            f"'timm/seresnet50.a1_in1k'. Received: {str(path)!r}"
        )
    path = pathlib.Path(os.path.expanduser(path))
    if not path.is_file():
        there = "this is a folder" if path.is_dir() else "there is none"
        raise UsageError(
            f"Expected a file of weights, and {there}. Received: {str(path)!r}"
        )
    with contextlib.ExitStack() as stack:
        yield READERS[suffix](path, stack)


def suffix_of(source: str | pathlib.Path) -> str | None:
    """Returns the key of `READERS` that a name ends with, or `None`."""
    return next((suffix for suffix in READERS if str(source).endswith(suffix)), None)


def from_state_dict(state: Mapping, source: str = "a state dict") -> Checkpoint:
    """Returns the `Checkpoint` of a state dict of arrays or tensors.

    Args:
        state: From timm's keys, current or legacy, to arrays, or a mapping that
            contains such a mapping (see `state_dict_of`).
        source: What the user calls it.
    """
    arrays = {
        key: StoredArray(tuple(value.shape), functools.partial(_to_numpy, value))
        for key, value in state_dict_of(state).items()
    }
    return Checkpoint(WeightsInfo(source), arrays, TimmKeys.of(arrays))


# Where training scripts put the weights, in the order in which timm looks.
_STATE_DICTS = ("state_dict_ema", "model_ema", "state_dict", "model")
# What DataParallel, torch.compile and Lightning put before the names of the network.
_WRAPPERS = ("module.", "_orig_mod.", "model.")
# What PyTorch's AveragedModel has in addition to the network.
_COUNT_OF_AVERAGES = "n_averaged"


def state_dict_of(checkpoint) -> Mapping[str, Any]:
    """Returns the state dict in what a training script saved.

    Args:
        checkpoint: A state dict, or a mapping that contains one, as
            timm's and torchvision's scripts write it. Where there is one of averaged
            weights, it is taken.
    """
    pickles.refuse_unknown(checkpoint)
    if not isinstance(checkpoint, Mapping):
        raise UsageError(
            "Expected a state dict, from names to tensors. "
            f"Received: {type(checkpoint).__name__}"
        )
    for name in _STATE_DICTS:
        if isinstance(checkpoint.get(name), Mapping):
            checkpoint = checkpoint[name]
            break
    checkpoint = {k: v for k, v in checkpoint.items() if k != _COUNT_OF_AVERAGES}
    # One may be in another.
    while prefix := _wrapper(checkpoint):
        checkpoint = {k.removeprefix(prefix): v for k, v in checkpoint.items()}
    for key, value in checkpoint.items():
        pickles.refuse_unknown(value)
        if not isinstance(key, str) or not hasattr(value, "shape"):
            raise UsageError(
                "Expected a state dict, from names to tensors. "
                f"Received: {type(value).__name__} under {key!r}"
            )
    return checkpoint


def _wrapper(state):
    """Returns the prefix of all keys of a state dict, or `None`."""
    prefixes = (p for p in _WRAPPERS if all(str(key).startswith(p) for key in state))
    return next(prefixes, None) if state else None


def _to_numpy(value):
    if not hasattr(value, "detach"):
        return np.asarray(value)
    # A tensor of PyTorch; NumPy has no bfloat16 that it would convert to. The others
    # keep their type, which is looked at later.
    value = value.detach().cpu()
    try:
        return (value.float() if value.is_floating_point() else value).numpy()
    except (TypeError, RuntimeError) as error:
        raise UsageError(
            "Expected tensors that NumPy can have, dense and of floating-point "
            f"numbers. Received: {value.dtype} ({error})"
        ) from error


def _read_safetensors(path, stack):
    try:
        import safetensors
    except ImportError as error:
        raise UsageError(
            "Reading a .safetensors file needs the package `safetensors`: "
            f"`pip install safetensors`. Received: {str(path)!r}"
        ) from error
    whole = functools.partial(
        _whole, path, "safetensors", (safetensors.SafetensorError, OSError, TypeError)
    )
    with whole():
        file = stack.enter_context(safetensors.safe_open(path, framework="numpy"))
        arrays = {
            key: StoredArray(
                tuple(file.get_slice(key).get_shape()),
                whole()(functools.partial(file.get_tensor, key)),
            )
            for key in file.keys()  # noqa: SIM118  (it is no mapping)
        }
    return Checkpoint(_info_beside(path), arrays, TimmKeys.of(arrays))


def _read_pickle(path, stack):
    whole = functools.partial(_whole, path, "PyTorch", pickles.DAMAGE)
    try:
        with whole():
            state = state_dict_of(pickles.read_pickle(path, stack))
            arrays = {
                key: StoredArray(
                    tuple(map(int, tensor.shape)),
                    whole()(functools.partial(np.asarray, tensor)),
                )
                for key, tensor in state.items()
            }
    except pickles.RefusedError as error:
        raise UsageError(f"{error} Received: {str(path)!r}") from error
    return Checkpoint(_info_beside(path), arrays, TimmKeys.of(arrays))


def _info_beside(path):
    """Returns what a `config.json` in the same directory states; the hub has one."""
    info, config = WeightsInfo(str(path)), path.with_name("config.json")
    if not config.is_file():
        return info
    return with_timm_config(info, config)


# What zipfile and h5py raise for a damaged file.
_KERAS_DAMAGE = (
    zipfile.BadZipFile,
    AttributeError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _read_weights_h5(path, stack):
    return Checkpoint(
        WeightsInfo(str(path)), _h5_arrays(path, path, stack), KerasKeys()
    )


def _read_keras(path, stack):
    with _whole(path, "Keras", _KERAS_DAMAGE), zipfile.ZipFile(path) as archive:
        config = json.loads(pickles.read_member(archive, "config.json"))["config"]
        weights = io.BytesIO(pickles.read_member(archive, "model.weights.h5"))
        layers = dict(_configs(config))
        traits = next(_declared_traits(config), None)
        if traits is None:
            traits = getattr(recognize(layers), "traits", None)
        preprocessing = config.get("preprocessing")
        info = WeightsInfo(
            str(path),
            class_names=tuple(config.get("class_names") or ()) or None,
            preprocessing=preprocessing and Preprocessing.from_dict(preprocessing),
        )
    return Checkpoint(
        info,
        _h5_arrays(path, weights, stack),
        KerasKeys(),
        traits=traits,
    )


def _declared_traits(model):
    """Yields the traits of a model, and of the models inside it, that declare them."""
    if model.get("structure"):
        yield model["structure"]["traits"]
    for layer in model.get("layers", ()):
        yield from _declared_traits(layer["config"])


def _configs(model):
    """Yields the configs of a model's layers by name, also of models inside it."""
    for layer in model.get("layers", ()):
        config = layer["config"]
        if "layers" in config:
            yield from _configs(config)
        else:
            yield config["name"], config


def _h5_arrays(path, file, stack):
    """Returns the arrays of a file of weights, by the names of their layers.

    The groups are called after the classes of the layers and numbered; their names are
    stored with the weights.
    """
    whole = functools.partial(_whole, path, "Keras", _KERAS_DAMAGE)
    arrays = {}

    def visit(name, item):
        group, _, index = name.rpartition("/vars/")
        if not isinstance(item, h5py.Dataset) or not group.startswith("layers/"):
            return
        if item.external or item.is_virtual:
            raise ValueError(f"{name} is in another file")
        # A model in a model has its layers in one more `layers`.
        folder, separator, inner = group.rpartition("layers/")
        layer, *inner = inner.split("/")
        owner = file[f"{folder}{separator}{layer}/vars"].attrs
        if "name" not in owner:
            raise ValueError("it is of an older Keras, which did not save layer names")
        key = "/".join((owner["name"], *inner, index))
        read = whole()(functools.partial(_h5_array, item))
        if key in arrays:  # nothing is wrong unless somebody asks for it
            read = functools.partial(_of_several, path, owner["name"])
        arrays[key] = StoredArray(item.shape, read)

    with whole():
        file = stack.enter_context(h5py.File(file, "r"))
        file.visititems(visit)
    return arrays


def _of_several(path, layer):
    raise UsageError(
        f"Expected a file with one layer {layer!r}, and several are called so. "
        f"Received: {str(path)!r}"
    )


def _h5_array(dataset):
    if dataset.attrs.get("dtype") == "bfloat16":
        return np.array(dataset, dtype=ml_dtypes.bfloat16)
    return np.array(dataset)


# By the end of the name: functions of a path and of an `ExitStack` that keeps it open.
READERS = {
    ".safetensors": _read_safetensors,
    ".pth": _read_pickle,
    ".pth.tar": _read_pickle,
    ".pt": _read_pickle,
    ".bin": _read_pickle,
    ".keras": _read_keras,
    ".weights.h5": _read_weights_h5,
}


@contextlib.contextmanager
def _whole(path, kind: str, errors: tuple[type[Exception], ...]):
    """Turns what reading a damaged file raises into one error."""
    try:
        yield
    except UsageError:
        raise
    except errors as error:
        raise UsageError(
            f"Expected a whole {kind} file, and it cannot be read: "
            f"{type(error).__name__}: {error}. Received: {str(path)!r}"
        ) from error

"""Files and state dicts, each opened as a mapping of arrays that are not read yet."""

import contextlib
import dataclasses
import functools
import io
import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import ml_dtypes
import numpy as np

from se_keras.errors import UsageError, shortened
from se_keras.models.preprocessing import Preprocessing
from se_keras.models.recognition import recognize
from se_keras.weights import pickles
from se_keras.weights.keys import KerasKeys, TimmKeys
from se_keras.weights.published import WeightsInfo, with_timm_config

# Number of keys that an error names.
SHOWN = 3


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
        state_dict: Name of the mapping of the source that has the arrays, the keys that
            lead to it with dots between; `""` if the source is one.
        state_dicts: All mappings of arrays in the source, by such names.
    """

    info: WeightsInfo
    arrays: Mapping[str, StoredArray]
    keys: KerasKeys | TimmKeys
    traits: dict | None = None
    state_dict: str = ""
    state_dicts: Mapping[str, Mapping[str, StoredArray]] = dataclasses.field(
        default_factory=dict
    )

    def alternatives(self) -> list["Checkpoint"]:
        """Returns the checkpoint with each of the state dicts of its source."""
        if not self.state_dicts:
            return [self]
        return [self._with(*each) for each in self.state_dicts.items()]

    def parts(self) -> list["Checkpoint"]:
        """Returns the checkpoint with the arrays of one module each.

        A script may save its network together with a loss, or with a second network.
        """
        modules = dict.fromkeys(key.partition(".")[0] for key in self.arrays)
        parts = []
        for module in modules if len(modules) > 1 and self.state_dicts else ():
            arrays = {
                key.removeprefix(f"{module}."): array
                for key, array in self.arrays.items()
                if key.startswith(f"{module}.")
            }
            if arrays:
                name = f"{self.state_dict}.{module}".lstrip(".")
                parts.append(self._with(name, _unwrapped(arrays)))
        return parts

    def _with(self, name, arrays):
        return dataclasses.replace(
            self, state_dict=name, arrays=arrays, keys=TimmKeys.of(arrays)
        )

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
    path, name = split_name(path)
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
        yield _named(READERS[suffix](path, stack), name)


def split_name(source: str | pathlib.Path) -> tuple[str, str | None]:
    """Returns the path in `"PATH:NAME"`, and the name of the state dict, if any."""
    source = str(source)
    for suffix in READERS:
        path, separator, name = source.rpartition(f"{suffix}:")
        if separator:
            return path + suffix, name
    return source, None


def _named(checkpoint, name):
    """Returns a checkpoint with the state dict of a name; `None` for all of them."""
    if name is None:
        return checkpoint
    every = checkpoint.alternatives()
    every += [part for each in every for part in each.parts()]
    for each in every:
        if each.state_dict == name:
            return dataclasses.replace(each, state_dicts={name: each.arrays})
    names = [repr(each.state_dict) for each in every if each.state_dict][:SHOWN]
    raise UsageError(
        f"Expected the name of a state dict of the file: {', '.join(names) or 'none'}. "
        f"Received: {shortened(f'{checkpoint.info.source}:{name}')!r}"
    )


def suffix_of(source: str | pathlib.Path) -> str | None:
    """Returns the key of `READERS` that a name ends with, or `None`."""
    path, _ = split_name(source)
    return next((suffix for suffix in READERS if path.endswith(suffix)), None)


def from_state_dict(state: Mapping, source: str = "a state dict") -> Checkpoint:
    """Returns the `Checkpoint` of a state dict of arrays or tensors.

    Args:
        state: From timm's keys, current or legacy, to arrays, or a mapping that
            contains such mappings (see `state_dicts_of`).
        source: What the user calls it.
    """
    return _checkpoint(
        WeightsInfo(source),
        {
            name: {
                key: StoredArray(
                    tuple(value.shape), functools.partial(_to_numpy, value)
                )
                for key, value in tensors.items()
            }
            for name, tensors in state_dicts_of(state).items()
        },
    )


def _checkpoint(info, state_dicts):
    """Returns the `Checkpoint` of several mappings: of the averaged, or the largest."""

    def rank(name):
        # A tensor next to the state dicts is not one of a network.
        return name in AVERAGED, len(state_dicts[name]), name != ""

    name = max(state_dicts, key=rank)
    arrays = state_dicts[name]
    return Checkpoint(
        info,
        arrays,
        TimmKeys.of(arrays),
        state_dict=name,
        state_dicts=state_dicts,
    )


# Where timm's training script puts averaged weights, which timm itself prefers.
AVERAGED = ("state_dict_ema", "model_ema")
# What DataParallel, torch.compile and Lightning put before the names of the network.
_WRAPPERS = ("module.", "_orig_mod.", "model.")
# What PyTorch's AveragedModel has in addition to the network.
_COUNT_OF_AVERAGES = "n_averaged"
# Levels of mappings in which state dicts are looked for.
_LEVELS = 3


def state_dicts_of(saved) -> dict[str, Mapping[str, Any]]:
    """Returns the mappings of tensors in what a training script saved.

    Args:
        saved: A state dict, or a mapping that contains some, also a few levels below:
            `{"epoch": 3, "model_state_dict": {...}}`.

    Returns:
        State dicts by the keys that lead to them, with dots between: `""`,
        `"model_state_dict"`.

    Raises:
        ValueError: If there is no mapping from names to tensors.
    """
    pickles.refuse_unknown(saved)
    found = dict(_state_dicts(saved, "", _LEVELS))
    if not found:
        _refuse_unknown(saved, _LEVELS)
        raise UsageError(
            "Expected a state dict, from names to tensors, or a mapping with one. "
            f"Received: {_described(saved)}"
        )
    return found


def _state_dicts(value, name, levels):
    if not isinstance(value, Mapping):
        return
    tensors = {
        key: tensor
        for key, tensor in value.items()
        if isinstance(key, str)
        and key != _COUNT_OF_AVERAGES
        and hasattr(tensor, "shape")
    }
    if tensors:
        yield name, _unwrapped(tensors)
    for key, inner in value.items() if levels else ():
        # The state of an optimizer has numbers as keys.
        if isinstance(key, str):
            yield from _state_dicts(inner, f"{name}.{key}".lstrip("."), levels - 1)


def _refuse_unknown(value, levels):
    """Raises an error on the first object of a mapping that is not read."""
    pickles.refuse_unknown(value)
    if isinstance(value, Mapping) and levels:
        for inner in value.values():
            _refuse_unknown(inner, levels - 1)


def _described(saved):
    if not isinstance(saved, Mapping):
        return f"an object of type {type(saved).__name__}"
    keys = [
        shortened(repr(key)) if isinstance(key, str) else f"a {type(key).__name__}"
        for key in itertools.islice(saved, SHOWN)
    ]
    more = ", ..." if len(saved) > SHOWN else ""
    return (
        f"a mapping with the keys {', '.join(keys)}{more}" if keys else "an empty one"
    )


def _unwrapped(tensors):
    """Returns a state dict without the prefixes that all its keys have."""
    # One may be in another.
    while prefix := next(
        (p for p in _WRAPPERS if all(key.startswith(p) for key in tensors)), None
    ):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


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
    return _checkpoint(_info_next_to(path), {"": arrays})


def _read_pickle(path, stack):
    whole = functools.partial(_whole, path, "PyTorch", pickles.DAMAGE)
    try:
        with whole():
            saved = pickles.read_pickle(path, stack)
            state_dicts = {
                name: {
                    key: StoredArray(
                        tuple(map(int, tensor.shape)),
                        whole()(functools.partial(np.asarray, tensor)),
                    )
                    for key, tensor in tensors.items()
                }
                for name, tensors in state_dicts_of(saved).items()
            }
    except pickles.RefusedError as error:
        raise UsageError(f"{error} Received: {str(path)!r}") from error
    return _checkpoint(_info_next_to(path), state_dicts)


def _info_next_to(path):
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
    ".ckpt": _read_pickle,
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
            f"{type(error).__name__}: {shortened(str(error))}. Received: {str(path)!r}"
        ) from error

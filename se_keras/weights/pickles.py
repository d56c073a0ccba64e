"""PyTorch's files, read without PyTorch and without running what a pickle asks for.

A pickle is a program; one that is downloaded is somebody else's. Here it can call the
few functions of `_Unpickler` and nothing else, and what they build are records: which
bytes of the file a tensor is. Everything else that it names becomes a class that
does nothing (`Unknown`): next to the weights that is harmless, instead of them it is
refused. Nothing of the file is read into memory before the shapes are known to fit.

Two formats are there: the zip archive of `torch.save` since PyTorch 1.6, and the stream
of pickles and raw bytes before it, in which the older weights are published.

Reference:
    PyTorch's `torch/serialization.py`.
"""

import collections
import contextlib
import dataclasses
import functools
import io
import pathlib
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable

import ml_dtypes
import numpy as np

from se_keras.errors import shortened

STREAM_MAGIC = 0x1950A86A20F9469CFC6C
STREAM_VERSION = 1001

_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "ComplexFloatStorage": np.complex64,
    "ComplexDoubleStorage": np.complex128,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}

# What reading a damaged file raises, in `zipfile` and in `pickle`.
DAMAGE = (
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


class RefusedError(Exception):
    """The file is not one that is read here; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """A tensor that is still in its file; `np.asarray` reads it.

    Attributes:
        read: Returns the bytes of its storage.
        dtype: NumPy's dtype of an element.
        offset: Index in the storage of its first element.
        shape: Its shape.
        strides: Elements from one to the next, along each axis.
    """

    read: Callable[[], bytes]
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __array__(self, dtype=None, copy=None):
        # NumPy checks that all elements are inside of the buffer.
        view = np.ndarray(
            self.shape,
            self.dtype,
            buffer=self.read(),
            offset=self.offset * self.dtype.itemsize,
            strides=[stride * self.dtype.itemsize for stride in self.strides],
        )
        return view if dtype is None else view.astype(dtype)


def read_pickle(path: pathlib.Path, stack: contextlib.ExitStack):
    """Returns the object of a file of `torch.save`.

    Its tensors are `StoredTensor`; what is neither tensor nor plain data is `Unknown`.

    Args:
        path: Path of the file.
        stack: Keeps the file open, for the tensors.

    Raises:
        RefusedError: If the file is something else, or older than PyTorch 0.1.10.
        Exception: One of `DAMAGE`, if it cannot be read.
    """
    if zipfile.is_zipfile(path):
        return _read_archive(stack.enter_context(zipfile.ZipFile(path)))
    with path.open("rb") as file:
        start = file.read(64)
    for pattern, text in _NO_PICKLES.items():
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            raise RefusedError(f"Expected a file of `torch.save`, and {text}.")
    return _read_stream(stack.enter_context(path.open("rb")))


# What other files begin with, and what the error states about them.
_NO_PICKLES = {
    rb"$": "this one is empty: download it again",
    rb"PK\x03\x04": "this one is damaged, its end is missing: download it again",
    # The length of a header, less than 16 MiB, and the header: JSON.
    rb".{3}\0{5}\{": "this is one of safetensors: let its name end in .safetensors",
    rb"\x89HDF": "this is one of Keras: let its name end in .weights.h5",
    rb"\s*<(!doctype )?html": "this is a web page: download the file itself",
    rb"version https://git-lfs": "this is a pointer of Git LFS: download the file",
}


def _read_archive(archive: zipfile.ZipFile):
    """Returns the object of the zip format: `data.pkl`, and a file for each storage."""
    pickles = [n for n in archive.namelist() if n.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise RefusedError(
            "Expected a file of `torch.save`, an archive with one `data.pkl`, and it "
            f"has {len(pickles)}."
        )
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist():
        order = read_member(archive, f"{folder}byteorder")
        _expect_little_endian(order == b"little")

    @functools.cache
    def read(key):
        return read_member(archive, f"{folder}data/{key}")

    return _Unpickler(io.BytesIO(read_member(archive, pickles[0])), read).load()


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns a file of an archive that PyTorch or Keras wrote.

    Neither compresses; a file that is compressed may be a thousand times as large as
    it looks.

    Raises:
        zipfile.BadZipFile: If it is compressed, or damaged.
        KeyError: If it is not there.
    """
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"{name} is compressed")
    return archive.read(name)


def _read_stream(file: io.BufferedReader):
    """Returns the object of the older format: five pickles, and then all storages."""
    places = {}  # from the key of a storage to its first byte and its size

    @functools.cache
    def read(key):
        start, size = places[key]
        file.seek(start)
        return file.read(size)

    def load():
        unpickler = _Unpickler(file, read)
        return unpickler.load(), unpickler.dtypes

    if _magic(file) != STREAM_MAGIC or _Unpickler(file).load() != STREAM_VERSION:
        raise RefusedError(
            "Expected a file of `torch.save` of PyTorch 0.1.10 or newer. Where "
            "PyTorch reads this file, save it again: "
            "`torch.save(torch.load(old), new)`."
        )
    _expect_little_endian(_Unpickler(file).load().get("little_endian", True))
    result, dtypes = load()
    keys, _ = load()
    end = file.seek(0, io.SEEK_CUR)
    length = file.seek(0, io.SEEK_END)
    for key in keys:
        file.seek(end)
        # Without the size of its elements nothing after it is found.
        refuse_unknown(dtypes[key])
        size = int.from_bytes(file.read(8), "little") * dtypes[key].itemsize
        places[key] = (end + 8, size)
        end += 8 + size
        if end > length:
            raise EOFError(f"{length} bytes, and {end} or more are announced")
    return result


def _magic(file):
    """Returns the first object of a stream; a text or an image has none."""
    try:
        return _Unpickler(file).load()
    except DAMAGE:
        return None


def _expect_little_endian(is_little: bool):
    if not is_little:
        raise RefusedError(
            "Expected a file of a little-endian machine, and this is of a big-endian "
            "one."
        )


def _expect_small_tuples(file):
    """Checks the tuples in a pickle before they are made, and hashed as keys.

    A tuple of the same tuple twice takes a few bytes on each level, and its hash takes
    twice the time of the level below.
    """
    start = file.tell()
    stack, marks, memo = [], [], {}
    for opcode, argument, _ in pickletools.genops(file):
        kind = opcode.name
        if kind == "MARK":
            marks.append(len(stack))
        elif kind.endswith("PUT"):
            memo[argument] = stack[-1]
        elif kind == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif kind.endswith("GET"):
            stack.append(memo[argument])
        elif kind == "DUP":
            stack.append(stack[-1])
        else:
            size = 1 + sum(_popped(opcode, stack, marks))
            if kind not in _HASHED:
                size = 1
            elif size > _LARGEST_TUPLE:
                raise RefusedError(
                    f"Expected tuples of at most {_LARGEST_TUPLE} elements in all."
                )
            stack += [size] * len(opcode.stack_after)
    file.seek(start)


_HASHED = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET")
_LARGEST_TUPLE = 10_000


def _popped(opcode, stack, marks):
    """Takes from a stack what an operation of a pickle takes."""
    needed = [each.name for each in opcode.stack_before]
    if "mark" in needed:
        start = marks.pop() - needed.index("mark")
    else:
        start = len(stack) - len(needed)
    taken = stack[start:]
    del stack[start:]
    return taken


class _Function:
    """Stands for a function that a pickle may call.

    It is of this class, and not the function, so that a pickle cannot change it: there
    is nothing on it that can be set.
    """

    __slots__ = ("_call",)

    def __init__(self, call):
        object.__setattr__(self, "_call", call)

    def __call__(self, *args):
        return self._call(*args)

    def __setattr__(self, name, value):
        raise pickle.UnpicklingError("a function is no place for data")

    def __setstate__(self, state):
        raise pickle.UnpicklingError("a function is no place for data")


class Unknown:
    """Stands for what a pickle names and is not read here: it takes all, does nothing.

    Each name has a subclass of its own, which is made for one file: a pickle can set
    what it likes on it.

    Attributes:
        asked: What the pickle named.
    """

    __slots__ = ()
    asked = ""

    def __new__(cls, *args, **kwargs):  # noqa: D102
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def _ignore(self, *args):
        pass

    # What a pickle calls on an object, to fill it.
    __setstate__ = __setitem__ = append = extend = add = _ignore


def refuse_unknown(value) -> None:
    """Raises a `RefusedError` on an object or a class that is not read here."""
    kind = value if isinstance(value, type) else type(value)
    if issubclass(kind, Unknown):
        raise RefusedError(_NO_CODE.format(kind.asked))


_NO_CODE = (
    "Expected tensors and plain data, and this pickle asks for `{}`, which is code; "
    "it did not run. Where the file is trusted, save its state dict in PyTorch: "
    "`torch.save(model.state_dict(), path)`."
)


class _Unpickler(pickle.Unpickler):
    """Reads tensors, containers, numbers and strings.

    Args:
        file: The pickle.
        read: Returns the bytes of a storage by its key; `None` where a pickle has
            nothing but numbers and strings to name.
    """

    def __init__(self, file, read=None):
        # Names of Python 2 in older files are ASCII; latin-1 reads any.
        super().__init__(file, encoding="latin-1")
        self.dtypes: dict[str, np.dtype | type[Unknown]] = {}
        self._file = file
        self._read = read
        self._allowed = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor"): _Function(_tensor),
            ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
            ("torch._utils", "_rebuild_parameter"): _Function(_parameter),
        }

    def load(self):
        """Returns the next object of the file."""
        _expect_small_tuples(self._file)
        return super().load()

    def find_class(self, module, name):
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return name
        if (module, name) not in self._allowed:
            asked = shortened(f"{module}.{name}")
            if self._read is None:
                raise RefusedError(_NO_CODE.format(asked))
            unknown = type("Unknown", (Unknown,), {"asked": asked})
            self._allowed[module, name] = unknown
        return self._allowed[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, _, *view = pid
        if kind != "storage" or any(view):
            raise RefusedError(
                f"Expected a storage, and the pickle asks for {kind!r}. Save the file "
                "again in a newer PyTorch."
            )
        if isinstance(dtype, type):
            self.dtypes[key] = dtype
            return dtype
        self.dtypes[key] = np.dtype(_DTYPES[dtype])
        return functools.partial(self._read, key), self.dtypes[key]


def _tensor(storage, offset, shape, strides, *_) -> StoredTensor | type[Unknown]:
    if isinstance(storage, type):
        return storage
    read, dtype = storage
    return StoredTensor(read, dtype, offset, tuple(shape), tuple(strides))


def _parameter(tensor, *_) -> StoredTensor:
    return tensor

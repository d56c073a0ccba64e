import argparse
import collections
import contextlib
import io
import os
import pathlib
import pickle
import shutil
import time
import zipfile

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save

from se_keras.weights.checkpoint import open_file, state_dicts_of

# Written by PyTorch 2.14 with data/make.py.
DATA = pathlib.Path(__file__).parent / "data"
BASE = np.arange(24, dtype="float32").reshape(2, 3, 4)
EXPECTED = {
    "float32": BASE,
    "transposed": BASE.transpose(2, 0, 1),
    "part": BASE[1, :, 1:3],
    "expanded": np.array([[1.5] * 3, [2.5] * 3], "float32"),
    "float64": BASE / np.float64(3),
    "float16": (BASE[0].astype("float16") / np.float16(3)).astype("float16"),
    "bfloat16": (BASE[0] / 3).astype(ml_dtypes.bfloat16),
    "num_batches_tracked": np.array(7),
    "parameter": BASE[0] - 1,
    "empty": np.empty((0, 3), "float32"),
}


@pytest.mark.parametrize("name", ["zip.pth", "stream.pth", "training.pth.tar"])
def test_files_of_pytorch(name):
    with open_file(DATA / name) as checkpoint:
        assert set(checkpoint.arrays) == set(EXPECTED)
        for key, expected in EXPECTED.items():
            stored = checkpoint.arrays[key]
            array = stored.read()
            assert stored.shape == array.shape == expected.shape
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


class Attack:
    """Writes a file where a pickle that is obeyed would."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def as_archive(path, pickled: bytes):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return path


def as_bytes(path, pickled: bytes):
    path.write_bytes(pickled)
    return path


def after_magic(path, pickled: bytes):
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickled)
    return path


@pytest.mark.parametrize("write", [as_archive, as_bytes, after_magic])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_code_in_a_pickle_does_not_run(write, protocol, tmp_path):
    victim = tmp_path / "victim"
    attack = {"conv1.weight": Attack(victim)}
    path = write(tmp_path / "a.pth", pickle.dumps(attack, protocol))
    with (
        pytest.raises(ValueError, match=r"mkdir`, which is code.*Received: .*a\.pth"),
        open_file(path),
    ):
        pass
    assert not victim.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_is_saved_with_the_weights_does_not_run(protocol, tmp_path):
    victim = tmp_path / "victim"
    torch = pytest.importorskip("torch")
    extras = {
        "best": np.float64(3.0),
        "dtype": torch.float32,
        "path": tmp_path,
        "args": argparse.Namespace(epochs=3),
        "counts": collections.Counter("ab"),
        "lists": collections.defaultdict(list, a=[1]),
        "code": Attack(victim),
        "codes": [Attack(victim)],
    }
    torch.save({**extras, "state_dict": {"a": torch.ones(2)}}, tmp_path / "a.pth")
    with open_file(tmp_path / "a.pth") as checkpoint:
        assert list(checkpoint.arrays) == ["a"]
    assert not victim.exists()
    pickled = pickle.dumps({"state_dict": {"a": extras["codes"][0]}}, protocol)
    with (
        pytest.raises(ValueError, match=r"mkdir`, which is code.*Received: .*a\.pth"),
        open_file(as_archive(tmp_path / "a.pth", pickled)),
    ):
        pass
    assert not victim.exists()


def test_a_checkpoint_of_a_training_run_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    checkpoint = {
        "state_dict": {"a": torch.from_numpy(BASE)},
        "best": np.float64(3.0),
        "dtype": torch.float32,
        "complex": torch.ones(2, dtype=torch.complex64),
    }
    for zipped in (True, False):
        torch.save(
            checkpoint, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped
        )
        with open_file(tmp_path / "a.pth") as read:
            np.testing.assert_array_equal(read.arrays["a"].read(), BASE)
    eight = torch.ones(2).to(torch.float8_e4m3fn)
    torch.save({**checkpoint, "eight": eight}, tmp_path / "a.pth")
    with open_file(tmp_path / "a.pth") as read:
        assert list(read.arrays) == ["a"]
    torch.save({"state_dict": {"a": eight}}, tmp_path / "a.pth")
    with (
        pytest.raises(ValueError, match=r"_rebuild_tensor_v3`.*Received: .*a\.pth"),
        open_file(tmp_path / "a.pth"),
    ):
        pass


def builds_on_what_it_may_call(module, name):
    """Returns a pickle that sets an attribute of a function or a class."""
    pickled = pickle.PROTO + b"\x02" + f"c{module}\n{name}\n".encode()
    return pickled + b"(dX\x01\x00\x00\x00aK\x01stb."


@pytest.mark.parametrize(
    "name",
    [
        ("torch._utils", "_rebuild_tensor_v2"),
        ("collections", "OrderedDict"),
        ("torch", "FloatStorage"),
    ],
)
def test_a_pickle_cannot_change_what_it_may_name(name, tmp_path):
    path = as_archive(tmp_path / "a.pth", builds_on_what_it_may_call(*name))
    with pytest.raises(ValueError, match="cannot be read"), open_file(path):
        pass
    with open_file(DATA / "zip.pth") as checkpoint:
        np.testing.assert_array_equal(checkpoint.arrays["float32"].read(), BASE)


def test_what_a_pickle_sets_on_flags_stays_in_its_file(tmp_path):
    path = as_archive(
        tmp_path / "a.pth", builds_on_what_it_may_call("argparse", "Namespace")
    )
    with contextlib.suppress(ValueError), open_file(path):
        pass
    assert not hasattr(argparse.Namespace, "a")


def tampered(path, name, change):
    """Copies a file of PyTorch with one of the strings in its pickle exchanged."""
    with zipfile.ZipFile(DATA / "zip.pth") as source, zipfile.ZipFile(path, "w") as to:
        for item in source.namelist():
            data = source.read(item)
            to.writestr(item, change(data) if item.endswith(name) else data)
    return path


def test_a_tensor_beyond_its_storage(tmp_path):
    path = tampered(tmp_path / "a.pth", "data/0", lambda data: data[:40])
    with open_file(path) as checkpoint:
        assert checkpoint.arrays["float32"].shape == (2, 3, 4)
        with pytest.raises(ValueError, match=r"cannot be read.*Received: .*a\.pth"):
            checkpoint.arrays["float32"].read()


def test_big_endian(tmp_path):
    path = tampered(tmp_path / "a.pth", "byteorder", lambda data: b"big")
    with pytest.raises(ValueError, match=r"little-endian.*Received"), open_file(path):
        pass


def test_a_compressed_archive(tmp_path):
    """PyTorch does not compress; ten MB could become ten gigabytes of zeros."""
    path = tmp_path / "a.pth"
    with (
        zipfile.ZipFile(DATA / "zip.pth") as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as to,
    ):
        for name in source.namelist():
            to.writestr(name, source.read(name))
    with pytest.raises(ValueError, match=r"is compressed\. Received: .*a\.pth"):
        read_all(path)


@pytest.mark.parametrize("name", ["zip.pth", "stream.pth"])
def test_truncated(name, tmp_path):
    whole = (DATA / name).read_bytes()
    for size in range(0, len(whole), 97):
        path = as_bytes(tmp_path / "a.pth", whole[:size])
        with pytest.raises(ValueError, match=r"Expected .*Received: .*a\.pth"):
            read_all(path)


def test_damaged_anywhere(tmp_path):
    """Whatever is in a file, it is read or refused with an error in one line."""
    rng = np.random.default_rng(0)
    for name in ("zip.pth", "stream.pth"):
        whole = np.frombuffer((DATA / name).read_bytes(), "uint8")
        for _ in range(300):
            damaged = whole.copy()
            damaged[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
            path = as_bytes(tmp_path / "a.pth", damaged.tobytes())
            try:
                read_all(path)
            except ValueError as error:
                assert "Received: " in str(error)  # noqa: PT017


def read_all(path):
    with open_file(path) as checkpoint:
        for stored in checkpoint.arrays.values():
            stored.read()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"nothing", "0.1.10 or newer"),
        (b"\x89PNG\r\n\x1a\n" * 20, "0.1.10 or newer"),
        (b"", "empty: download it again"),
        (
            (DATA / "zip.pth").read_bytes()[:-30],
            "end is missing: download it again",
        ),
        (save({"a": BASE}), r"one of safetensors: .* \.safetensors"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS"),
    ],
)
def test_something_else(content, text, tmp_path):
    path = as_bytes(tmp_path / "a.pth", content)
    with pytest.raises(ValueError, match=rf"`torch.save`.*{text}.*Received: .*a\.pth"):
        read_all(path)


def test_an_archive_of_something_else(tmp_path):
    path = tmp_path / "a.pth"
    shutil.make_archive(str(path.with_suffix("")), "zip", DATA)
    path.with_suffix(".zip").rename(path)
    with pytest.raises(ValueError, match=r"one `data\.pkl`.*Received: .*a\.pth"):
        read_all(path)


def test_a_pickle_of_something_else(tmp_path):
    file = io.BytesIO()
    pickle.Pickler(file, 2).dump([1, 2])
    path = as_archive(tmp_path / "a.pth", file.getvalue())
    with pytest.raises(ValueError, match=r"Expected a state dict.*of type list"):
        read_all(path)


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        ({"a": BASE}, {"": ["a"]}),
        ({"a": BASE, "epoch": 1}, {"": ["a"]}),
        ({"state_dict": {"a": BASE}, "epoch": 1}, {"state_dict": ["a"]}),
        ({"model": {"a": BASE}, "args": {}}, {"model": ["a"]}),
        ({"module.a": BASE}, {"": ["a"]}),
        (
            {"model_ema": {"n_averaged": BASE, "module.a": BASE}, "net": {"b": BASE}},
            {"model_ema": ["a"], "net": ["b"]},
        ),
        ({"state_dict": {"_orig_mod.a": BASE}}, {"state_dict": ["a"]}),
        ({"state_dict": {"module._orig_mod.a": BASE}}, {"state_dict": ["a"]}),
        ({"state_dict": {"model._orig_mod.a": BASE}, "v": "2"}, {"state_dict": ["a"]}),
        # The state of an optimizer, which has numbers as keys, is left out.
        (
            {"net": {"a": BASE}, "optimizer": {"state": {0: {"exp_avg": BASE}}}},
            {"net": ["a"]},
        ),
        ({"last": {"net": {"a": BASE}}}, {"last.net": ["a"]}),
    ],
)
def test_state_dicts_in_what_a_training_script_saves(saved, expected):
    found = state_dicts_of(collections.OrderedDict(saved))
    assert {name: list(tensors) for name, tensors in found.items()} == expected


@pytest.mark.parametrize("depth", [20, 60])
def test_a_tuple_of_itself_as_a_key_is_refused_at_once(depth, tmp_path):
    # As text it has 2 ** depth elements, and its hash takes as long.
    pickled = b"\x80\x02}K\x01\x85q\x00"
    # A pair of the pair before, `depth` times: get, get, TUPLE2, put, pop.
    pairs = b"".join(
        b"0h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1])
        for i in range(depth)
    )
    path = as_archive(tmp_path / "a.pth", pickled + pairs + b"K\x01s.")
    started = time.monotonic()
    with pytest.raises(ValueError, match="tuples of at most") as error:
        read_all(path)
    assert time.monotonic() - started < 1
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["x" * 1_000_000, "m" * 1_000_000 + "." + "n"])
def test_a_long_name_is_shortened(name, tmp_path):
    file = io.BytesIO()
    pickle.Pickler(file, 2).dump({name: 1})
    path = as_archive(tmp_path / "a.pth", file.getvalue())
    with pytest.raises(ValueError, match="Expected a state dict") as error:
        read_all(path)
    assert len(str(error.value)) < 500

"""The hub without the hub: its downloads are stood in for, and nothing is sent."""

import json
import os
import subprocess
import sys

import huggingface_hub
import pytest
from huggingface_hub import errors
from safetensors.numpy import save_file

from se_keras import cli, create_model, weights
from tests.weights.tools import assert_same, small, timm_state, timm_zeros, values

NAME = "timm/seresnet18.test_in1k"
CONFIG = {
    "architecture": "seresnet18",
    "num_classes": 5,
    "pretrained_cfg": {
        "tag": "test_in1k",
        "input_size": [3, 40, 40],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "num_classes": 5,
        "license": "cc-by-4.0",
        "origin_url": "https://example.org",
    },
}


@pytest.fixture(autouse=True)
def answer(monkeypatch):
    """Nothing is in the cache, and the hub answers."""
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: None)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has the files in a folder, and a list of what was asked for."""
    asked = []

    def download(repo_id, filename):
        asked.append((repo_id, filename))
        path = tmp_path / repo_id / filename
        if not path.parent.is_dir():
            raise without_response(errors.RepositoryNotFoundError)
        if not path.is_file():
            raise without_response(errors.RemoteEntryNotFoundError)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    folder = tmp_path / NAME
    folder.mkdir(parents=True)
    save_file(timm_state("se_resnet18"), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder, asked


def without_response(error):
    """Returns an error of the hub without the answer that it came with."""
    return error.__new__(error)


@pytest.fixture
def no_network(monkeypatch):
    """Without network a first question fails, and the download is not tried."""

    def ask(url, timeout):
        assert timeout <= 5
        raise RuntimeError("Name or service not known")

    def download(repo_id, filename):
        pytest.fail("it tries for half a minute")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", ask)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)


def test_load(hub):
    model = create_model(
        "se_resnet18", weights=NAME, input_shape=(None, None, 3), classes=5
    )
    other = small("se_resnet18")
    weights.load(other, timm_state("se_resnet18"))
    assert_same(values(model), values(other))
    assert model.preprocessing.size == (40, 40)
    assert model.preprocessing.crop == 0.95
    assert model.preprocessing.interpolation == "bicubic"
    assert hub[1] == [(NAME, "model.safetensors"), (NAME, "config.json")]


def test_load_without_a_config(hub):
    (hub[0] / "config.json").unlink()
    model = small("se_resnet18")
    report = weights.load(model, NAME)
    assert report.info.source == NAME
    assert report.preprocessing is None


def test_info(hub):
    info = weights.info(NAME)
    assert info.networks == ("se_resnet18",)
    assert info.classes == 5
    assert (info.license, info.origin) == ("cc-by-4.0", "https://example.org")
    assert hub[1] == [(NAME, "config.json")]


def test_table_without_network(no_network):
    info = weights.info("timm/seresnet50.a1_in1k")
    assert info.networks == ("se_resnet50",)
    assert info.license == "apache-2.0"
    assert info.top1 == ((224, 80.01), (288, 81.11))
    assert info.preprocessing.crop == 0.95
    assert info.preprocessing_for(288, 288, 3).crop == 1.0
    assert info.preprocessing_for(288, 288, 3).size == (288, 288)
    assert info.preprocessing_for(None, None, 3) == info.preprocessing
    assert info.preprocessing_for(256, 256, 1).channels == 1


def test_no_network(no_network):
    with pytest.raises(ValueError, match=r"connection.*weights='PATH/.*'. Received: "):
        weights.load(small("se_resnet18"), NAME)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("timm/seresnet50.zz_in1k", r"'se_resnet50' it has timm/seresnet50\.a1_in1k, "),
        (NAME, "'se_resnet18' it has none"),
    ],
)
def test_info_of_an_unknown_tag_without_network(name, known, no_network):
    with pytest.raises(ValueError, match=rf"connection.*{known}.*Received: '{name}'"):
        weights.info(name)


def test_info_states_that_it_is_from_the_table(no_network, capsys):
    cli.main(["info", "timm/seresnet50.a1_in1k"])
    output = capsys.readouterr().out
    assert "license: apache-2.0" in output
    assert "remarks: the hub could not be reached" in output


def test_a_copy_in_the_cache_needs_no_network(hub, monkeypatch):
    def ask(url, timeout):
        pytest.fail("it is in the cache")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: "path")
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", ask)
    assert weights.info(NAME).license == "cc-by-4.0"
    assert not weights.info(NAME).remarks


def test_a_record_of_the_hub_with_an_odd_value(hub):
    record = {**CONFIG["pretrained_cfg"], "crop_pct": 1.1}
    text = json.dumps({**CONFIG, "pretrained_cfg": record})
    (hub[0] / "config.json").write_text(text)
    info = weights.info(NAME)
    assert info.license == "cc-by-4.0"
    assert info.preprocessing is None
    assert "crop=1.1" in info.remarks[0]
    assert "crop=1.1" in str(weights.load(small("se_resnet18"), NAME))


def test_offline_mode_of_the_hub(tmp_path):
    """The real thing, in a process of its own: the mode is read once."""
    code = (
        "import se_keras\n"
        "try: se_keras.weights.info('timm/seresnet18.x')\n"
        "except ValueError as error: print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert "Expected a connection to the hub, and there is none" in result.stdout
    assert "Received: 'timm/seresnet18.x'" in result.stdout


def test_a_name_that_is_not_on_the_hub(hub):
    with pytest.raises(
        ValueError,
        match=r"on the hub\. Did you mean .*seresnet50\.a1_in1k.*Received: .*a9_in1k'",
    ):
        weights.info("timm/seresnet50.a9_in1k")
    model = small("se_resnet18")
    before = values(model)
    with pytest.raises(ValueError, match=r"on the hub.*Received: .*a9_in1k'"):
        weights.load(model, "timm/seresnet18.a9_in1k")
    assert_same(values(model), before)


def test_a_repository_without_safetensors(hub):
    (hub[0] / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"a file model\.safetensors.*Received: "):
        weights.load(small("se_resnet18"), NAME)


def test_the_download_breaks_off(monkeypatch):
    def download(repo_id, filename):
        raise OSError("disk full")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(ValueError, match=r"failed: disk full\. Received: "):
        weights.load(small("se_resnet18"), NAME)


@pytest.mark.parametrize(
    "name", ["timm/seresnet50", "timm/", "timm/seresnet50.", "timm/a/b.c", "timm/a b.c"]
)
def test_no_tag(name, hub):
    with pytest.raises(ValueError, match=r"a network and a tag.*Received: "):
        weights.info(name)
    assert not hub[1]


def test_a_network_that_is_not_here(hub):
    with pytest.raises(ValueError, match=r"'vit_base' is not one\. Received: "):
        weights.info("timm/vit_base.in1k")
    assert not hub[1]


def test_weights_without_a_copy_on_the_hub(hub):
    name = "timm/legacy_seresnet50.in1k"
    assert weights.info(name).file.endswith("/se_resnet50-ce0d4300.pth")
    with pytest.raises(
        ValueError, match=r"Download https://.*se_resnet50-ce0d4300\.pth"
    ):
        weights.load(small("se_resnet18"), name)
    assert not hub[1]


def test_a_model_of_another_network(hub):
    with pytest.raises(ValueError, match=r"They fit 'se_resnet18'\. Received: .*timm/"):
        weights.load(small("se_resnet34"), NAME)


def test_a_model_of_another_network_with_the_same_weights(tmp_path, monkeypatch):
    """The name on the hub differs where the weights do not."""
    path = tmp_path / "model.safetensors"
    state = timm_zeros("se_resnet50")
    save_file(state, path)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: str(path))
    model = small("se_resnet50_caffe", include_top=False)
    with pytest.raises(ValueError, match=r"They fit 'se_resnet50'\. Received"):
        weights.load(model, "timm/seresnet50.a1_in1k")


@pytest.mark.parametrize("package", ["safetensors", "huggingface_hub"])
def test_a_package_is_missing(package, hub, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=f"`pip install .*{package}"):
        weights.load(small("se_resnet18"), NAME)


def test_a_network_that_timm_has_with_se_only(hub):
    with pytest.raises(ValueError, match=r"'resnext26d_32x4d' is not one"):
        weights.info("timm/resnext26d_32x4d.bt_in1k")
    assert not hub[1]


def test_table():
    for source, info in weights.PUBLISHED.items():
        assert info.source == source
        assert info.license
        assert info.preprocessing
        assert len(info.networks) == 1

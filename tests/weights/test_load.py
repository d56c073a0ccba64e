"""Weights into models: what fits, what is left out, and what is refused."""

import json
import logging
import types

import keras
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from se_keras import create_model, weights
from se_keras.models import Preprocessing
from se_keras.models.input_channels import adapt_input_channels
from se_keras.weights import inventory
from tests.weights.tools import (
    CLASSES,
    assert_same,
    randomized,
    small,
    timm_keys,
    timm_state,
    timm_zeros,
    values,
)

TOP = ("predictions/kernel", "predictions/bias")


def saved(model, path):
    """Saves a model in the way that the name of the file asks for."""
    save = model.save_weights if path.name.endswith(".weights.h5") else model.save
    save(path)
    return path


def saved_state(state, path):
    """Writes a state dict as timm's files on the hub are."""
    save_file(state, path)
    return path


def saved_zeros(state, path):
    """Does the same for half-precision zeros in a file without blocks on the disk."""
    header, end = {}, 0
    for key, array in state.items():
        start, end = end, end + 2 * array.size
        shape = list(array.shape)
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(file.tell() + end)
    return path


def expected_values(model, state):
    """Returns the weights by path that a state dict gives a model, the long way."""
    network = inventory.of_model(model)
    keys, result = timm_keys(), {}
    modules = keys.modules(network.structure)
    for slot in network.slots:
        array = state[keys.key(slot, modules)].astype("float32")
        if array.ndim == 4 and len(slot.shape) == 2:
            array = array[:, :, 0, 0]
        if array.ndim > 1:
            array = np.moveaxis(array, (0, 1), (-1, -2))
        result[slot.path] = array
    return result


@pytest.fixture(scope="module")
def own_files(tmp_path_factory):
    """A trained model in both kinds of file, and its weights."""
    model = randomized(small())
    model.preprocessing = Preprocessing((32, 32), 0.9, "bicubic")
    model.class_names = tuple("abcde")
    folder = tmp_path_factory.mktemp("own")
    for kind in (".keras", ".weights.h5"):
        saved(model, folder / f"model{kind}")
    return folder, values(model)


@pytest.mark.parametrize("kind", [".keras", ".weights.h5"])
class TestOwnFiles:
    def test_load(self, kind, own_files):
        folder, expected = own_files
        model = small()
        report = weights.load(model, folder / f"model{kind}")
        assert_same(values(model), expected)
        assert report.loaded == tuple(expected)
        assert not report.skipped

    def test_create_another_size_precision_and_layout(self, kind, own_files):
        folder, expected = own_files
        model = create_model(
            "se_resnet20",
            weights=str(folder / f"model{kind}"),
            input_shape=(3, None, None),
            data_format="channels_first",
            dtype="mixed_bfloat16",
            classes=CLASSES,
        )
        assert_same(values(model), expected)

    def test_fine_tuning(self, kind, own_files):
        folder, expected = own_files
        other = small(classes=7, input_shape=(32, 32, 1))
        report = weights.load(other, folder / f"model{kind}")
        assert [note.names for note in report.skipped] == [TOP]
        assert [note.names for note in report.adapted] == [("stem_conv/kernel",)]
        backbone = small(include_top=False)
        weights.load(backbone, folder / f"model{kind}")
        for path, value in values(backbone).items():
            np.testing.assert_array_equal(value, expected[path])

    def test_bfloat16(self, kind, tmp_path):
        model = randomized(small(dtype="bfloat16"))
        path, expected = saved(model, tmp_path / f"m{kind}"), values(model)
        model = small()
        weights.load(model, path)
        for name, value in values(model).items():
            np.testing.assert_array_equal(value, expected[name].astype("float32"))

    @pytest.mark.parametrize(
        ("source", "target", "arguments"),
        [
            ("resnet20", "se_resnet20", {}),
            ("se_resnet20", "resnet20", {}),
            ("se_resnet32", "se_resnet20", {}),
            ("se_resnet20", "se_resnet20", {"attention": "ese"}),
        ],
    )
    def test_another_network(self, source, target, arguments, kind, tmp_path):
        path = saved(small(source), tmp_path / f"m{kind}")
        model = small(target, **arguments)
        before = values(model)
        with pytest.raises(
            ValueError, match=rf"differ.*They fit '{source}'.*Received: "
        ):
            weights.load(model, path)
        assert_same(values(model), before)

    def test_not_what_the_name_says(self, kind, tmp_path):
        path = tmp_path / f"m{kind}"
        path.write_text("nothing")
        with pytest.raises(ValueError, match=r"whole Keras file.*Received: "):
            weights.load(small(), path)

    def test_truncated(self, kind, own_files, tmp_path):
        whole = (own_files[0] / f"model{kind}").read_bytes()
        model = small()
        before, path = values(model), tmp_path / f"m{kind}"
        for share in (0.1, 0.5, 0.9, 0.999):
            path.write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(ValueError, match="Received: "):
                weights.load(model, path)
        assert_same(values(model), before)


def test_preprocessing_and_classes_come_along(own_files):
    path = own_files[0] / "model.keras"
    model = small()
    report = weights.load(model, path)
    assert model.preprocessing == Preprocessing((32, 32), 0.9, "bicubic")
    assert model.preprocessing == report.preprocessing
    assert model.class_names == tuple("abcde")
    for arguments in ({"include_top": False}, {"classes": 7}):
        other = small(**arguments)
        weights.load(other, path)
        assert other.preprocessing == model.preprocessing
        assert other.class_names is None


def test_a_compiled_model_with_dropout(tmp_path):
    model = small()
    x = keras.layers.Dropout(0.5)(model.layers[-2].output)
    x = keras.layers.Dense(CLASSES, name="predictions")(x)
    model = randomized(keras.Model(model.input, x))
    model.compile("adam", "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    path, expected = saved(model, tmp_path / "model.keras"), values(model)
    model = small()
    weights.load(model, path)
    assert_same(values(model), expected)


def test_a_network_of_the_same_weights(tmp_path):
    """Nothing but the stem's pool and a ReLU differ; the config shows it."""
    path = saved(small("resnet18_caffe"), tmp_path / "m.keras")
    model = small("resnet18")
    before = values(model)
    with pytest.raises(ValueError, match=r"computes.*'resnet18_caffe'.*Received"):
        weights.load(model, path)
    assert_same(values(model), before)


class TestStateDicts:
    def test_load(self):
        model, state = small(), timm_state()
        report = weights.load(model, state)
        assert_same(values(model), expected_values(model, state))
        assert report.loaded == tuple(values(model))
        assert not report.skipped
        assert not report.adapted

    @pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64"])
    def test_safetensors(self, dtype, tmp_path):
        model, state = small(), timm_state(dtype=dtype)
        weights.load(model, saved_state(state, tmp_path / "m.safetensors"))
        assert_same(values(model), expected_values(model, state))

    def test_create(self):
        state = timm_state()
        model = create_model(
            "se_resnet20",
            input_shape=(3, 32, 32),
            classes=CLASSES,
            data_format="channels_first",
            dtype="mixed_float16",
            weights=state,
        )
        assert_same(values(model), expected_values(model, state))

    def test_a_model_that_was_loaded_from_a_file(self, own_files):
        model = keras.models.load_model(own_files[0] / "model.keras")
        state = timm_state()
        weights.load(model, state)
        assert_same(values(model), expected_values(model, state))

    def test_legacy_keys(self):
        state = timm_state("se_resnet18_caffe")
        assert "layer0.conv1.weight" in state
        assert "layer1.0.se_module.fc1.weight" in state
        assert "last_linear.bias" in state
        report = weights.load(small("se_resnet18_caffe"), state)
        assert len(report.loaded) == sum(not k.endswith("tracked") for k in state)


class TestCheckpointsOfTrainingScripts:
    """The state dict that fits is loaded, wherever a script puts it."""

    OTHER = types.MappingProxyType(
        {"epoch": 3, "acc": 91.0, "optimizer": {"state": {0: {"exp_avg": 1}}}}
    )

    @pytest.mark.parametrize(
        "key",
        ["state_dict", "model", "model_state_dict", "model_state", "net", "a.b", ""],
    )
    def test_under_any_key(self, key):
        model, state = small(), timm_state()
        saved = state
        for part in reversed(key.split(".")) if key else ():
            saved = {part: saved, **self.OTHER}
        report = weights.load(model, {**saved, **self.OTHER})
        assert_same(values(model), expected_values(model, state))
        assert report.state_dict == key
        assert key in str(report)

    @pytest.mark.parametrize("prefix", ["model.", "net.", "backbone.module."])
    def test_together_with_another_module(self, prefix):
        """As Lightning saves a network with a loss that has weights."""
        model, state = small(), timm_state()
        saved = {prefix + key: value for key, value in state.items()}
        saved |= {"criterion.weight": np.ones(5), "criterion.pos_weight": np.ones(5)}
        report = weights.load(model, {"state_dict": saved, "hyper_parameters": {}})
        assert_same(values(model), expected_values(model, state))
        assert report.state_dict == f"state_dict.{prefix.partition('.')[0]}"

    def test_the_one_that_fits(self):
        model, state = small(), timm_state()
        other = timm_state("se_resnet32")
        report = weights.load(model, {"teacher": other, "student": state})
        assert_same(values(model), expected_values(model, state))
        assert report.state_dict == "student"

    def test_averaged_weights_under_the_keys_of_timm_are_preferred(self):
        model, state = small(), timm_state()
        last = {key: np.zeros_like(value) for key, value in state.items()}
        report = weights.load(model, {"state_dict": last, "state_dict_ema": state})
        assert_same(values(model), expected_values(model, state))
        assert report.state_dict == "state_dict_ema"

    @pytest.mark.parametrize("name", ["state_dict", "ema_state_dict"])
    def test_several_that_fit(self, name, tmp_path):
        model, state = small(), timm_state()
        before = values(model)
        other = {key: np.zeros_like(value) for key, value in state.items()}
        saved = {"state_dict": state, "ema_state_dict": state, "epoch": 3}
        with pytest.raises(
            ValueError, match=r"PATH:NAME: '.*:state_dict' or '.*:ema_state_dict'"
        ):
            weights.load(model, saved)
        assert_same(values(model), before)
        # In a file of one level, two networks have two prefixes.
        saved = {f"{name}.{key}": value for key, value in state.items()}
        saved |= {f"other.{key}": value for key, value in other.items()}
        path = saved_state(saved, tmp_path / "both.safetensors")
        with pytest.raises(ValueError, match=f"both.safetensors:{name}'"):
            weights.load(model, path)
        report = weights.load(model, f"{path}:{name}")
        assert_same(values(model), expected_values(model, state))
        assert report.state_dict == name
        assert weights.info(f"{path}:{name}").networks == ("se_resnet20",)
        with pytest.raises(ValueError, match=f"Expected the name of .*'{name}'"):
            weights.load(model, f"{path}:nothing")


class TestFineTuning:
    def test_another_number_of_classes(self, caplog):
        state = timm_state(classes=1000)
        model = small()
        before = values(model)
        report = weights.load(model, state)
        (note,) = report.skipped
        assert note.names == TOP
        assert note.reason.startswith("1000 classes in the file, 5 in the model")
        after = values(model)
        state["fc.weight"], state["fc.bias"] = np.zeros((5, 64)), np.zeros(5)
        expected = expected_values(model, state)
        assert_same(after, {**expected, **{name: before[name] for name in TOP}})
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("se_keras.weights", logging.WARNING)
        assert record.message == str(report)
        assert "predictions/kernel" in record.message

    @pytest.mark.parametrize("arguments", [{}, {"pyramid": True}, {"output_stride": 8}])
    def test_without_the_top(self, arguments, caplog):
        state = timm_state("se_resnet18")
        backbone = small("se_resnet18", include_top=False, **arguments)
        report = weights.load(backbone, state)
        (note,) = report.skipped
        assert note.names == ("fc.weight", "fc.bias")
        assert "no classifier" in note.reason
        assert str(report) in caplog.text
        assert_same(values(backbone), expected_values(backbone, state))

    def test_a_file_without_a_classifier(self, caplog):
        state = timm_state()
        del state["fc.weight"], state["fc.bias"]
        model = small()
        before = values(model)
        report = weights.load(model, state)
        (note,) = report.skipped
        assert note.names == TOP
        assert "not in the file" in note.reason
        for name in TOP:
            np.testing.assert_array_equal(values(model)[name], before[name])
        assert str(report) in caplog.text

    @pytest.mark.parametrize("channels", [1, 2, 4, 7])
    def test_another_number_of_channels(self, channels, caplog):
        state = timm_state()
        model = small(input_shape=(32, 32, channels))
        weights.load(model, state)
        kernel = values(model)["stem_conv/kernel"]
        color = expected_values(small(), state)["stem_conv/kernel"]
        if channels == 1:
            expected = color.sum(axis=2, keepdims=True)
        else:
            expected = color[:, :, np.arange(channels) % 3] * 3 / channels
        np.testing.assert_allclose(kernel, expected, rtol=1e-6)
        assert "stem_conv/kernel: 3 input channels in the file" in caplog.text
        assert model.preprocessing.channels == channels

    def test_a_gray_image_gives_what_the_same_image_in_color_did(self):
        kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype("float32")
        for channels in (1, 6):
            adapted = adapt_input_channels(kernel, channels)
            np.testing.assert_allclose(adapted.sum(axis=2), kernel.sum(axis=2), 1e-4)

    def test_from_one_channel_to_more(self):
        kernel = np.arange(8, dtype="float32").reshape(2, 2, 1, 2)
        adapted = adapt_input_channels(kernel, 4)
        np.testing.assert_array_equal(adapted, np.repeat(kernel / 4, 4, axis=2))


class TestPreprocessing:
    @pytest.fixture
    def path(self, tmp_path):
        return saved_state(timm_state(), tmp_path / "model.safetensors")

    @pytest.mark.parametrize(
        ("size", "expected_size", "crop"),
        [
            ((None, None), (48, 48), 0.9),
            ((32, 40), (32, 40), 0.9),
            ((64, 64), (64, 64), 1.0),
        ],
    )
    def test_of_the_config_next_to_the_file(self, size, expected_size, crop, path):
        config = {
            "input_size": [3, 48, 48],
            "test_input_size": [3, 64, 64],
            "crop_pct": 0.9,
            "test_crop_pct": 1.0,
            "interpolation": "bicubic",
            "mean": [0.5, 0.4, 0.3],
            "std": [0.3, 0.2, 0.1],
        }
        record = json.dumps({"architecture": "seresnet50", "pretrained_cfg": config})
        path.with_name("config.json").write_text(record)
        model = small(input_shape=(*size, 3))
        report = weights.load(model, path)
        assert report.preprocessing == model.preprocessing
        assert model.preprocessing == Preprocessing(
            expected_size, crop, "bicubic", (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)
        )

    @pytest.mark.parametrize("config", [None, '{"model_type": "bert"}'])
    def test_a_file_alone_keeps_that_of_the_network(self, config, path):
        if config:
            path.with_name("config.json").write_text(config)
        model = small()
        before = model.preprocessing
        assert weights.load(model, path).preprocessing is None
        assert model.preprocessing == before

    @pytest.mark.parametrize(
        ("config", "named"),
        [
            ("{", "cannot be read as JSON"),
            ("\xff", "cannot be read as JSON"),
            ("[]", "is no config of timm (a list"),
            ({"input_size": 3}, "input_size=3"),
            ({"input_size": [3, "a", 4]}, "input_size=[3, 'a', 4]"),
            ({"crop_pct": 1.1}, "crop=1.1"),
            ({"crop_pct": "much"}, "crop_pct='much'"),
            ({"interpolation": "lanczos"}, "interpolation='lanczos'"),
            ({"mean": [0.5]}, "mean=(0.5,)"),
            ({"mean": 0.5}, "mean=0.5"),
            ({"std": ["a", "b", "c"]}, "std=['a', 'b', 'c']"),
            ({"test_input_size": 3}, "test_input_size=3"),
            ({"test_crop_pct": 2.0}, "crop=2.0"),
        ],
    )
    def test_a_config_of_no_use_is_no_harm(self, config, named, path, caplog):
        if isinstance(config, dict):
            record = {"input_size": [3, 48, 48], "license": "mit", **config}
            config = json.dumps({"pretrained_cfg": record})
        path.with_name("config.json").write_text(config, encoding="latin-1")
        model = small()
        before = model.preprocessing
        report = weights.load(model, path)
        assert_same(values(model), expected_values(model, timm_state()))
        assert report.preprocessing is None
        assert model.preprocessing == before
        (remark,) = report.remarks
        assert "config.json" in remark
        assert named in remark
        assert remark in caplog.text
        assert weights.info(path).remarks == report.remarks
        if "license" in config:
            assert report.info.license == "mit"


class TestNetworksWithTheSameWeights:
    """Whether average pools follow the strided 3x3 does not show in the weights."""

    NAMES = ("se_resnext101d_32x8d", "se_resnextaa101d_32x8d")

    @pytest.fixture(scope="class")
    def models(self):
        models = {
            name: create_model(name, include_top=False, input_shape=(32, 32, 3))
            for name in self.NAMES
        }
        for model in models.values():
            # What is assigned is looked at elsewhere; a copy of each takes its time.
            for variable in model.weights:
                variable.assign = lambda value: None
        return models

    @pytest.fixture(scope="class")
    def path(self, tmp_path_factory):
        state = timm_zeros(self.NAMES[0], dtype="float16")
        path = tmp_path_factory.mktemp("twins") / "model.safetensors"
        return saved_zeros(state, path)

    def named(self, path, architecture):
        path.with_name("config.json").write_text(
            json.dumps({"architecture": architecture})
        )

    @pytest.mark.parametrize(("own", "other"), [NAMES, NAMES[::-1]])
    def test_the_config_next_to_the_file_decides(self, own, other, models, path):
        self.named(path, own.replace("se_", "se"))
        assert not weights.load(models[own], path).remarks
        with pytest.raises(
            ValueError, match=rf"computes something else\. They fit '{own}'\. Received"
        ):
            weights.load(models[other], path)
        assert weights.info(path).networks == (own,)

    @pytest.mark.parametrize(("own", "other"), [NAMES, NAMES[::-1]])
    def test_nothing_decides(self, own, other, models, path, caplog):
        path.with_name("config.json").unlink(missing_ok=True)
        (remark,) = weights.load(models[own], path).remarks
        assert f"also fit '{other}'" in remark
        assert remark in caplog.text

    def test_a_config_of_something_else(self, models, path):
        self.named(path, "seresnet50")
        remark, _ = weights.load(models[self.NAMES[0]], path).remarks
        assert "names 'se_resnet50', which they do not fit" in remark


class TestLayersOfOthers:
    def test_a_name_scope(self, tmp_path):
        with keras.name_scope("outer"):
            model = create_model("se_resnet20", input_shape=(32, 32, 3), classes=5)
        randomized(model)
        model.save(tmp_path / "m.keras")
        expected = [keras.ops.convert_to_numpy(w) for w in model.weights]
        for source in (tmp_path / "m.keras", timm_state()):
            plain = small()
            weights.load(plain, source)
            model.set_weights([np.zeros(w.shape) for w in model.weights])
            report = weights.load(model, source)
            assert report.loaded == tuple(values(plain))
            for variable, other in zip(model.weights, plain.weights, strict=True):
                np.testing.assert_array_equal(variable, other)
        weights.load(model, tmp_path / "m.keras")
        for variable, value in zip(model.weights, expected, strict=True):
            np.testing.assert_array_equal(variable, value)

    @pytest.fixture(scope="class")
    def adapted(self):
        image = keras.Input((32, 32, 5))
        x = keras.layers.Conv2D(3, 1, name="adapt")(image)
        return create_model("se_resnet20", input_tensor=x, classes=CLASSES)

    @pytest.mark.parametrize("kind", ["state", ".keras"])
    def test_in_front_of_the_network(self, kind, adapted, own_files, caplog):
        source = timm_state() if kind == "state" else own_files[0] / f"model{kind}"
        plain = small()
        weights.load(plain, source)
        before = values(adapted)
        report = weights.load(adapted, source)
        (note,) = report.skipped
        assert note.names == ("adapt/kernel", "adapt/bias")
        assert "before the network" in caplog.text
        kept = {name: before[name] for name in note.names}
        assert_same(values(adapted), {**kept, **values(plain)})

    def test_of_another_network_all_the_same(self, adapted):
        before = values(adapted)
        with pytest.raises(ValueError, match=r"36 missing.*They fit 'resnet20'"):
            weights.load(adapted, timm_state("resnet20"))
        state = timm_state()
        del state["conv1.weight"]
        with pytest.raises(ValueError, match=r"differ: 1 missing \('conv1.weight'\)\."):
            weights.load(adapted, state)
        assert_same(values(adapted), before)

    def test_a_vector_in_front(self):
        vector = keras.Input((12,))
        x = keras.layers.Dense(32 * 32 * 3, name="draw")(vector)
        x = keras.layers.Reshape((32, 32, 3))(x)
        model = create_model("se_resnet20", input_tensor=x, classes=CLASSES)
        report = weights.load(model, timm_state())
        assert report.skipped[0].names == ("draw/kernel", "draw/bias")


def test_vgg_without_its_top(tmp_path):
    path = saved(small("vgg16"), tmp_path / "m.weights.h5")
    (note,) = weights.load(small("vgg16", include_top=False), path).skipped
    assert {name.split("/")[0] for name in note.names} == {"fc1", "fc2", "predictions"}


class TestModelsInModels:
    """`keras.Sequential([base, head])` is how many fine-tune."""

    @staticmethod
    def wrapped(name, **arguments):
        base = create_model(
            name, include_top=False, pooling="avg", input_shape=(32, 32, 3), **arguments
        )
        head = keras.layers.Dense(CLASSES, name="predictions")
        return randomized(keras.Sequential([base, head]))

    def test_its_own_file_and_the_base_alone(self, tmp_path):
        """The pool of the Caffe release is recognized inside, too."""
        model = self.wrapped("resnet18_caffe")
        path, expected = saved(model, tmp_path / "m.keras"), values(model)
        other = keras.models.clone_model(model)
        weights.load(other, path)
        for actual, weight in zip(other.weights, expected.values(), strict=True):
            np.testing.assert_array_equal(actual, weight)
        weights.load(small("resnet18_caffe", include_top=False), path)
        with pytest.raises(ValueError, match=r"computes something else.*_caffe'"):
            weights.load(small("resnet18", include_top=False), path)

    def test_states_of_timm(self):
        """Keys depend on layers without weights, such as pools on shortcuts."""
        model = self.wrapped("resnet18_caffe")
        with pytest.raises(ValueError, match="computes something else"):
            weights.load(model, timm_zeros("resnet18"))
        model = self.wrapped("se_resnet152d")
        weights.load(model, timm_zeros("se_resnet152d"))
        assert not any(np.any(v) for v in model.layers[0].trainable_weights)

    def test_two_networks(self, tmp_path):
        twins = [create_model("se_resnet20", name=name) for name in ("left", "right")]
        image = keras.Input((32, 32, 3))
        model = keras.Model(image, [twin(image) for twin in twins])
        before = values(model)
        with pytest.raises(ValueError, match=r"of several networks.*conv1\.weight"):
            weights.load(model, timm_state())
        assert_same(values(model), before)
        path = saved(model, tmp_path / "m.weights.h5")
        with pytest.raises(ValueError, match=r"one layer 'stem_.*several are called"):
            weights.load(create_model("se_resnet20"), path)


class TestClassNames:
    def test_a_classifier_without_names_drops_those_of_another(self, caplog):
        model = small()
        model.class_names = tuple("vwxyz")
        report = weights.load(model, timm_state())
        assert model.class_names is None
        (remark,) = report.remarks
        assert remark.startswith("the model's class names ('v', ...) are dropped")
        assert remark in caplog.text

    def test_a_classifier_that_stays_keeps_its_names(self):
        model = small()
        model.class_names = tuple("vwxyz")
        assert not weights.load(model, timm_state(classes=7)).remarks
        assert model.class_names == tuple("vwxyz")


class TestBadInput:
    """Each is refused with what was expected and received, and changes nothing."""

    @pytest.fixture
    def model(self):
        model = small()
        before = values(model)
        yield model
        assert_same(values(model), before)

    def test_a_missing_key(self, model):
        state = timm_state()
        del state["layer3.2.bn2.running_var"]
        with pytest.raises(
            ValueError, match=r"differ: 1 missing \('layer3\.2\.bn2\.running_var'\)\. "
        ):
            weights.load(model, state)

    def test_half_a_classifier(self, model):
        state = timm_state()
        del state["fc.bias"]
        with pytest.raises(ValueError, match=r"1 missing \('fc\.bias'\)"):
            weights.load(model, state)

    def test_a_key_too_many(self, model):
        state = {**timm_state(), "layer1.0.conv9.weight": np.zeros(3)}
        with pytest.raises(
            ValueError, match=r"1 not of this network \('layer1\.0\.conv9\.w"
        ):
            weights.load(model, state)

    @pytest.mark.parametrize(
        ("key", "shape", "expected"),
        [
            ("conv1.weight", (16, 3, 7, 7), (16, 3, 3, 3)),
            ("layer2.0.conv1.weight", (32, 16, 1, 1), (32, 16, 3, 3)),
            ("layer2.0.conv1.weight", (32, 16), (32, 16, 3, 3)),
            ("layer1.0.bn1.weight", (17,), (16,)),
            ("layer1.0.se.fc1.weight", (1, 16, 3, 3), (1, 16)),
            ("fc.weight", (5, 65), (5, 64)),
            ("fc.bias", (6,), (5,)),
        ],
    )
    def test_a_wrong_shape(self, key, shape, expected, model):
        state = {**timm_state(), key: np.zeros(shape, "float32")}
        with pytest.raises(ValueError, match="Received: 'a state dict'") as error:
            weights.load(model, state)
        assert f"1 of another shape ({key!r} expected" in str(error.value)
        assert f"{key!r} expected {expected}, received {shape})" in str(error.value)

    def test_whole_numbers(self, model):
        state = {**timm_state(), "fc.bias": np.zeros(5, "int64")}
        with pytest.raises(ValueError, match=r"floating-point.*'fc\.bias'.*int64"):
            weights.load(model, state)

    @pytest.mark.parametrize("dtype", ["int64", "complex64", "bool"])
    def test_tensors_of_other_numbers(self, dtype, model):
        torch = pytest.importorskip("torch")
        state = timm_state()
        state["fc.bias"] = torch.ones(5).to(getattr(torch, dtype))
        with pytest.raises(ValueError, match=rf"floating-point.*'fc\.bias'.*{dtype}"):
            weights.load(model, state)

    def test_no_arrays(self, model):
        with pytest.raises(ValueError, match=r"state dict.*the keys 'epoch', 'acc'"):
            weights.load(model, {"epoch": 3, "acc": 91.0})

    def test_first_keys_are_named_and_the_others_counted(self, model):
        with pytest.raises(ValueError, match=r"They fit 'resnet20'. Received") as error:
            weights.load(model, timm_state("resnet20"))
        assert "36 missing ('layer1.0.se.fc1.weight', " in str(error.value)
        assert "'layer1.0.se.fc2.weight', ...)" in str(error.value)

    @pytest.mark.parametrize("name", ["se_resnet50", "se_resnet50_caffe", "resnetrs50"])
    def test_the_network_that_a_file_fits(self, name, model):
        with pytest.raises(ValueError, match=rf"They fit '{name}'. Received"):
            weights.load(model, timm_zeros(name))

    def test_networks_with_the_same_weights(self, model):
        state = timm_zeros("se_resnextaa101d_32x8d")
        with pytest.raises(
            ValueError, match="fit 'se_resnext101d_32x8d' and 'se_resnextaa101d_32x8d'"
        ):
            weights.load(model, state)

    def test_no_network_fits(self, model):
        with pytest.raises(ValueError, match=r"not of this network \('a'\)\. Received"):
            weights.load(model, {"a": np.zeros(3)})

    def test_gates_that_timm_does_not_have(self):
        model = small(attention="scse")
        with pytest.raises(
            ValueError, match=r"layers that timm does not have \('stage1_bl"
        ):
            weights.load(model, timm_state("resnet20"))

    def test_truncated_safetensors(self, model, tmp_path):
        path = saved_state(timm_state(), tmp_path / "m.safetensors")
        whole = path.read_bytes()
        for size in (0, 5, 1000, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            with pytest.raises(
                ValueError, match=r"whole safetensors file.*Received: .*m\.safetensors"
            ):
                weights.load(model, path)

    @pytest.mark.parametrize(
        "name", ["none.keras", "none.weights.h5", "folder.keras", "none.safetensors"]
    )
    def test_missing_file(self, name, model, tmp_path):
        (tmp_path / "folder.keras").mkdir()
        there = "this is a folder" if name.startswith("folder") else "there is none"
        with pytest.raises(ValueError, match=rf"{there}.*Received: .*{name}"):
            weights.load(model, tmp_path / name)

    @pytest.mark.parametrize("name", ["m.h5", "m.tar", "m", "imagenet", "m.npz"])
    def test_unknown_kind_of_file(self, name, model, tmp_path):
        (tmp_path / name).touch()
        with pytest.raises(
            ValueError,
            match=rf"`weights`.*'.safetensors'.*'.keras'.*Received: .*{name}",
        ):
            weights.load(model, tmp_path / name)

    def test_something_else(self, model):
        with pytest.raises(ValueError, match=r"`weights` must be.*Received: int"):
            weights.load(model, 3)

    def test_nothing(self, model):
        with pytest.raises(ValueError, match=r"`weights` must be.*Received: ''"):
            weights.load(model, "")

    @pytest.mark.parametrize("source", [{}, 3, "none.pth"])
    def test_no_model(self, source):
        with pytest.raises(ValueError, match=r"`keras\.Model`\. Received: str"):
            weights.load("se_resnet20", source)


def test_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    saved_state(timm_zeros("se_resnet20"), tmp_path / "m.safetensors")
    assert weights.info("~/m.safetensors").networks == ("se_resnet20",)


def test_legacy_weights_are_of_another_network():
    """The shapes of the Caffe network are timm's, its strides and pool are not."""
    state = timm_zeros("se_resnet50_caffe")
    current = timm_zeros("se_resnet50")
    assert sorted(array.shape for array in state.values()) == sorted(
        array.shape for array in current.values()
    )
    model = small("se_resnet50_caffe", include_top=False)
    with pytest.raises(ValueError, match=r"They fit 'se_resnet50'. Received"):
        weights.load(model, current)
    weights.load(model, state)


def test_info_of_a_file(tmp_path):
    state = timm_zeros("se_resnext26t_32x4d", classes=7)
    info = weights.info(saved_state(state, tmp_path / "m.safetensors"))
    assert info.networks == ("se_resnext26t_32x4d",)
    assert info.classes == 7
    assert info.preprocessing is None
    assert info.license is None

"""Exports of one model into a directory, and the command that makes them."""

import csv
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from se_keras import cli, create_model
from se_keras.errors import UsageError
from se_keras.export import load_classifier
from se_keras.export.job import export_files


@pytest.fixture(scope="module")
def trained(digits_run):
    return digits_run.workdir / "model.keras"


def small():
    return create_model("se_resnet20", classes=3, input_shape=(16, 16, 3))


def test_files_and_report(digits_test, trained, tmp_path):
    model = keras.models.load_model(trained)
    model.name = "digits"
    common = {"include_preprocessing": True, "images": digits_test.pixels}
    int8 = {"quantization": "int8", "calibration": digits_test.pixels[::5]}
    export_files(model, tmp_path, ["tflite"], debug=True, **int8, **common)
    export_files(model, tmp_path, ["saved_model", "tflite"], **common)

    files = {"digits.tflite", "digits_int8.tflite", "digits_saved_model"}
    table = "digits_int8_errors.csv"
    assert {path.name for path in tmp_path.iterdir()} == {
        *files,
        table,
        "report.json",
    }
    reports = json.loads((tmp_path / "report.json").read_text())
    assert set(reports) == files
    assert all(report["top1_agreement"] > 0.98 for report in reports.values())
    assert all(report["milliseconds"] > 0 for report in reports.values())
    small, large = (reports[f"digits{end}.tflite"]["bytes"] for end in ("_int8", ""))
    assert small < 0.5 * large
    with (tmp_path / table).open() as file:
        rows = list(csv.DictReader(file))
    assert {"CONV_2D", "MEAN", "FULLY_CONNECTED"} <= {row["operation"] for row in rows}


def test_all_files_are_verified_on_the_calibration_images(
    digits_test, trained, tmp_path
):
    model = keras.models.load_model(trained)
    reports = export_files(
        model,
        tmp_path,
        ["saved_model", "tflite"],
        include_preprocessing=True,
        quantization="int8",
        calibration=digits_test.pixels[:30],
    )
    assert [report["images"] for report in reports.values()] == [30, 30]


def test_batches_that_are_yielded_once(tmp_path):
    batches = (np.zeros((2, 16, 16, 3)) for _ in range(2))
    reports = export_files(small(), tmp_path, ["saved_model", "tflite"], images=batches)
    assert [report["images"] for report in reports.values()] == [4, 4]


def test_a_file_where_a_directory_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UsageError, match=r"a directory\. Received: .*file, which is a file"
    ):
        export_files(small(), tmp_path / "file" / "directory", ["tflite"])


def test_one_report_of_another_program(tmp_path):
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(UsageError, match=r"report\.json, which is not JSON"):
        export_files(small(), tmp_path, ["tflite"])
    assert (tmp_path / "report.json").read_text() == "{"


@pytest.mark.parametrize(
    ("formats", "settings", "message"),
    [
        (["tflit"], {}, r"\('saved_model', .*Received: 'tflit'"),
        ([], {}, "Received: ''"),
        (["onnx"], {"quantization": "int8"}, r"quantization.*\(tflite\).*'onnx', qu"),
        (["tflite"], {"frozen": True}, r"frozen with .*\(saved_model\).*frozen=True"),
        (["saved_model"], {"dynamic_batch": False}, r"dynamic_batch.*\(tflite, onnx"),
        (["saved_model", "tflite"], {"quantization": "int8"}, "Expected calibration"),
        (["saved_model", "tflite"], {"quantization": "int4"}, "'int8'.*'int4'"),
        (["tflite"], {"debug": True}, "debug=True with quantization='int8'.*None"),
    ],
)
def test_bad_choice(formats, settings, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export_files(small(), tmp_path, formats, **settings)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_if_a_later_file_exists(tmp_path):
    model = small()
    (tmp_path / f"{model.name}.tflite").write_text("mine")
    with pytest.raises(UsageError, match="overwrite"):
        export_files(model, tmp_path, ["saved_model", "tflite"])
    assert [path.suffix for path in tmp_path.iterdir()] == [".tflite"]


def test_nothing_is_written_if_a_package_of_a_later_format_is_missing(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match="package onnx"):
        export_files(small(), tmp_path, ["tflite", "onnx"])
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(capsys):
    """Runs `se-keras export`; returns what it prints, or what it ends with."""

    def call(*arguments):
        try:
            cli.main(["export", *map(str, arguments)])
        except SystemExit as end:
            return str(end.code)
        return capsys.readouterr().out

    return call


def test_command(run, trained, digits_dir, tmp_path):
    output = run(
        f"--model={trained}",
        f"--output={tmp_path}",
        f"--data_dir={digits_dir}",
        "--quantization=int8",
        "--calibration=digits",
        "--images=digits",
        "--count=50",
    )
    assert "model_int8.tflite: " in output
    assert "of 50 images" in output
    assert output.splitlines()[-1] == str(tmp_path / "report.json")
    classifier = load_classifier(tmp_path / "model_int8.tflite")
    assert classifier.class_names == tuple("0123456789")


def test_command_with_a_name_labels_and_a_size(run, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"class {index}\n" for index in range(1000)))
    output = run(
        "--model=se_resnet20",
        f"--labels={labels}",
        "--input_size=16",
        "--normalized",
        f"--output={tmp_path / 'out'}",
    )
    assert "se_resnet20.tflite: " in output
    classifier = load_classifier(tmp_path / "out" / "se_resnet20.tflite")
    assert classifier.class_names[3] == "class 3"
    assert classifier.predict(np.zeros((1, 16, 16, 3))).shape == (1, 1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=se_resnet21"], "se_resnet20"),
        (["--model=none.keras"], "Expected a .keras file, and there is none"),
        (["--model=se_resnet20", "--labels=none.txt"], "a label in each line"),
        (["--model=se_resnet20", "--quantization=int8"], "calibration images"),
        (["--model=se_resnet20", "--format=tflite,pb"], "'tflite, pb'"),
        (["--model=se_resnet20", "--calibration=folder:/none"], "/none"),
        (["--model=se_resnet20", "--count=0"], "--count=0"),
        (["--model=se_resnet20", "--images=digits", "--input_size=-5"], "=-5"),
    ],
)
def test_command_with_bad_input(arguments, message, run, tmp_path):
    output = run(*arguments, f"--output={tmp_path}")
    assert message in output
    assert len(output.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_labels_of_any_editor(run, tmp_path):
    """With a mark of the byte order, a blank line at the end, and a rare line break."""
    names = ["first\u2028class", *(f"class {index}" for index in range(1, 1000))]
    labels = tmp_path / "labels.txt"
    labels.write_bytes(("\r\n".join(names) + "\r\n\r\n").encode("utf-8-sig"))
    run("--model=resnet20", f"--labels={labels}", f"--output={tmp_path / 'out'}")
    classifier = load_classifier(tmp_path / "out" / "resnet20.tflite")
    assert classifier.class_names == tuple(names)


@pytest.mark.parametrize("flag", ["--frozen", "--no-frozen"])
def test_saved_model_of_weights_inside_or_outside_of_the_graph(flag, run, tmp_path):
    run("--model=resnet20", "--format=saved_model", flag, f"--output={tmp_path}")
    loaded = tf.saved_model.load(str(tmp_path / "resnet20_saved_model"))
    (serve,) = loaded.serve.concrete_functions
    assert bool(serve.captured_inputs) == (flag == "--no-frozen")


def test_files_for_any_batch(run, tmp_path):
    run("--model=resnet20", "--dynamic_batch", f"--output={tmp_path}")
    interpreter = tf.lite.Interpreter(str(tmp_path / "resnet20.tflite"))
    (source,) = interpreter.get_input_details()
    assert source["shape_signature"][0] == -1


@pytest.mark.slow
def test_two_programs_in_one_directory(tmp_path):
    """Each adds its files to the report while the other does the same."""
    script = """
import sys
from se_keras.export import job
for number in range(200):
    job._add_to_report(job.pathlib.Path(sys.argv[1]), {f"{sys.argv[2]}{number}": {}})
"""
    command = [sys.executable, "-c", script, tmp_path / "report.json"]
    programs = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [program.wait() for program in programs] == [0, 0]
    assert len(json.loads((tmp_path / "report.json").read_text())) == 400


def test_fewer_labels_than_classes(run, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\n")
    output = run(
        "--model=se_resnet20", f"--labels={labels}", f"--output={tmp_path / 'out'}"
    )
    assert "each of the 1000 classes. Received: 2 names" in output
    assert not (tmp_path / "out").exists()


def test_a_model_without_preprocessing(run, tmp_path):
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D()(image)
    keras.Model(image, features).save(tmp_path / "plain.keras")
    output = run(f"--model={tmp_path / 'plain.keras'}", f"--output={tmp_path}")
    assert "--normalized" in output


def test_images_of_another_layout(run, digits_dir, tmp_path):
    model = create_model(
        "se_resnet20", input_shape=(3, 8, 16), classes=10, data_format="channels_first"
    )
    model.save(tmp_path / "m.keras")
    message = run(
        f"--model={tmp_path / 'm.keras'}",
        "--format=saved_model",
        f"--output={tmp_path / 'out'}",
        "--images=digits",
        "--count=2",
        f"--data_dir={digits_dir}",
    )
    assert "Expected a model of data_format='channels_last'" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_without_data_sets_and_plots(tmp_path):
    """Exporting asks for nothing that the package does not install by itself."""
    script = f"""
import sys
for name in ("tensorflow_datasets", "keras_cv", "sklearn", "matplotlib"):
    sys.modules[name] = None
from se_keras import create_model, export
model = create_model("se_resnet20", classes=3, input_shape=(16, 16, 3))
export.saved_model(model, r"{tmp_path / "model"}", include_preprocessing=True)
export.tflite(model, r"{tmp_path / "model.tflite"}", quantization="float16")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_calibration_on_photographs_with_a_white_sky(run, tmp_path):
    """Without clipping, resizing white gives 255.00006."""
    for index in range(20):
        folder = tmp_path / "folder" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(index).uniform(0, 255, (100 + index, 90, 3))
        image[:50] = 255
        keras.utils.save_img(folder / f"{index}.png", image, scale=False)
    output = run(
        "--model=se_resnet20",
        "--quantization=int8",
        f"--calibration=folder:{tmp_path / 'folder'}",
        "--count=8",
        f"--output={tmp_path / 'out'}",
    )
    assert "of 8 images" in output

"""Time of one image in every exported form, with SE and without.

    pip install -e '.[parity]' && python benchmarks/inference.py --plot=inference.png

One image of the network's size, two threads. All forms are loaded in one process and
run in turns, so that other load on the machine affects all of them; in its turn a form
runs twice, and the second run counts. *model.export* is what Keras writes, for int8
with the converter's own calibration; *timm* is timm's network, in PyTorch (channels
last) or by `torch.onnx.export`. The second table has the medians of the networks with
SE divided by those of the same networks without. Memory is the peak of a process of its
own that loads and runs the file, minus what it has before.
"""

import argparse
import contextlib
import dataclasses
import functools
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# TensorFlow 2.21 exports the symbols of its LLVM, and Triton, which PyTorch imports,
# crashes if it is loaded afterwards: tensorflow/tensorflow#124205.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import keras
import numpy as np
import report
import tensorflow as tf

from se_keras import create_model, export, weights
from se_keras.export.formats import FORMATS
from se_keras.files import size_of
from se_keras.models.registry import lookup

THREADS = 2
PAUSE = 0.01  # seconds, in which the threads of the previous form become idle
CALIBRATION_IMAGES = 8
TIMM_SCRIPT = """
import sys, timm, torch
network = timm.create_model(sys.argv[1]).eval()
for layer in network.modules():
    if isinstance(layer, torch.nn.BatchNorm2d):
        layer.bias.data.normal_(0, 0.01)
image = torch.zeros(1, 3, int(sys.argv[2]), int(sys.argv[3]))
torch.onnx.export(network, image, sys.argv[4], dynamo=False)
"""


@dataclasses.dataclass(frozen=True)
class Form:
    """One way to run a network.

    Attributes:
        write: Function of the network and a path that writes the file.
        load: Function of the path that returns a function of an image.
        suffix: Suffix of the path.
        channels_first: Whether the image has the channels first.
        dtype: Data type of the image.
    """

    write: Callable
    load: Callable
    suffix: str = ""
    channels_first: bool = False
    dtype: str = "float32"


def create(name):
    """Returns a network of random weights and biases.

    Converters remove biases of 0, and could not fuse convolution, bias and ReLU as they
    do in a trained network.
    """
    network = create_model(name)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(rng.normal(scale=0.01, size=layer.beta.shape))
    return network


def some_images(network):
    """Returns images of noise; the time does not depend on the values."""
    shape = (CALIBRATION_IMAGES, *network.input_shape[1:])
    noise = np.random.default_rng(0).normal(size=shape)
    return noise.clip(-1, 1).astype("float32")


def tflite(quantization):
    """Returns a function that writes our TFLite file."""

    def write(network, path):
        calibration = some_images(network) if quantization == "int8" else None
        export.tflite(network, path, quantization=quantization, calibration=calibration)

    return write


def of_one_image(write):
    """Returns a function that writes a file for one image, as timm's file is."""
    return functools.partial(write, dynamic_batch=False)


def keras_saved_model(network, path):
    """Writes the file of `model.export`."""
    network.export(path, format="tf_saved_model", verbose=False)


def keras_tflite(network, path, **settings):
    """Writes the file of `model.export`."""
    shape = (1, *network.input_shape[1:])
    network.export(
        path,
        format="litert",
        verbose=False,
        input_signature=[keras.InputSpec(shape=shape, dtype="float32")],
        **settings,
    )


def keras_int8(network, path):
    """Writes the file of `model.export` with the converter's settings for int8."""
    images = some_images(network)
    keras_tflite(
        network,
        path,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([image[None]] for image in images),
        inference_input_type=tf.uint8,
    )


def timm_weights(network, path):
    """Writes the weights of timm's network."""
    import timm
    import torch

    name = weights.to_timm_name(network.name)
    torch.save((name, timm.create_model(name).state_dict()), path)


def run_torch(path, compiled=False):
    """Returns a function of an image."""
    import timm
    import torch

    torch.set_num_threads(THREADS)
    name, state = torch.load(path)
    network = timm.create_model(name).eval()
    network.load_state_dict(state)
    network = network.to(memory_format=torch.channels_last)
    if compiled:
        network = torch.compile(network)

    def run(image):
        with torch.inference_mode():
            tensor = torch.from_numpy(image).contiguous(
                memory_format=torch.channels_last
            )
            return network(tensor).numpy()

    return run


def run_compiled(path):
    """Returns a function of an image."""
    return run_torch(path, compiled=True)


def timm_onnx(network, path):
    """Writes timm's network, in a process without TensorFlow."""
    height, width, _ = network.input_shape[1:]
    arguments = [weights.to_timm_name(network.name), str(height), str(width), str(path)]
    subprocess.run(
        [sys.executable, "-c", TIMM_SCRIPT, *arguments], check=True, capture_output=True
    )


def run_saved_model(path):
    """Returns a function of an image."""
    loaded = tf.saved_model.load(str(path))
    return lambda image: loaded.serve(tf.constant(image)).numpy()


def run_tflite(path):
    """Returns a function of an image, with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=THREADS)
    interpreter.allocate_tensors()
    (source,), (target,) = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )

    def run(image):
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    return run


def run_onnx(path):
    """Returns a function of an image."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(path), options)
    (source,) = session.get_inputs()
    return lambda image: session.run(None, {source.name: image})[0]


def run_openvino(path):
    """Returns a function of an image."""
    import openvino

    file = path / FORMATS["openvino"].marker if path.is_dir() else path
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": THREADS,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(str(file), "CPU", settings)
    return lambda image: compiled(image)[0]


FORMS = {
    "TFLite": Form(tflite(None), run_tflite, ".tflite"),
    "TFLite, model.export": Form(keras_tflite, run_tflite, ".tflite"),
    "TFLite float16": Form(tflite("float16"), run_tflite, ".tflite"),
    "TFLite dynamic": Form(tflite("dynamic"), run_tflite, ".tflite"),
    "TFLite int8": Form(tflite("int8"), run_tflite, ".tflite", dtype="uint8"),
    "TFLite int8, model.export": Form(keras_int8, run_tflite, ".tflite", dtype="uint8"),
    "SavedModel": Form(export.saved_model, run_saved_model),
    "SavedModel, model.export": Form(keras_saved_model, run_saved_model),
    "ONNX Runtime": Form(of_one_image(export.onnx), run_onnx, ".onnx"),
    "ONNX Runtime, timm": Form(timm_onnx, run_onnx, ".onnx", True),
    "OpenVINO": Form(of_one_image(export.openvino), run_openvino),
    "OpenVINO, timm": Form(timm_onnx, run_openvino, ".onnx", True),
    "PyTorch, timm": Form(timm_weights, run_torch, ".pt", True),
    "PyTorch compiled, timm": Form(timm_weights, run_compiled, ".pt", True),
}


def runner(load, path, shape, channels_first=False, dtype="float32"):
    """Returns a function without arguments that runs a file on an image of noise."""
    image = np.random.default_rng(0).normal(size=(1, *shape))
    if dtype == "uint8":
        image = np.clip(128 + 40 * image, 0, 255)
    if channels_first:
        image = np.moveaxis(image, -1, 1)
    run = functools.partial(load(path), np.ascontiguousarray(image, dtype))
    run()
    return run


def prepare(names, titles, directory):
    """Returns the file and the shape of an image by network and form."""
    made = {}
    for name in names:
        network = create(name)
        for title in titles:
            form = FORMS[title]
            path = directory / f"{name}-{title.replace(', ', '-')}{form.suffix}"
            existing = " (existing file)" if path.exists() else ""
            print(f"{name}: {title}{existing}", file=sys.stderr, flush=True)
            try:
                if not existing:
                    form.write(network, path)
            except (ValueError, RuntimeError, subprocess.CalledProcessError) as error:
                reason = str(error).splitlines()[0]
                print(f"{name}: {title} skipped: {reason}", file=sys.stderr)
                continue
            made[name, title] = path, network.input_shape[1:]
        keras.backend.clear_session()
    return made


def load(made):
    """Returns a function without arguments by network and form."""
    runs = {}
    for (name, title), (path, shape) in made.items():
        form = FORMS[title]
        try:
            runs[name, title] = runner(
                form.load, path, shape, form.channels_first, form.dtype
            )
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            print(f"{name}: {title} skipped: {reason}", file=sys.stderr)
    return runs


def measure(runs, rounds):
    """Returns the milliseconds of each run by network and form."""
    times = {key: [] for key in runs}
    progress = keras.utils.Progbar(rounds, unit_name="round")
    with contextlib.redirect_stdout(sys.stderr):
        for turn in range(rounds):
            for key, run in runs.items():
                time.sleep(PAUSE)
                run()
                started = time.perf_counter()
                run()
                times[key].append(1e3 * (time.perf_counter() - started))
            progress.update(turn + 1)
    return times


def megabytes(key, path, shape):
    """Returns the peak memory of a process that runs a file."""
    command = [sys.executable, __file__, "--one", key[1], str(path), *map(str, shape)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        print(run.stderr[-500:], file=sys.stderr)
        return None
    return int(run.stdout.split()[-1])


def run_one(title, path, *shape):
    """Prints the memory that loading and running a form takes, in megabytes."""
    form = FORMS[title]
    with contextlib.suppress(Exception):
        # Loads the library, whose own memory is not counted.
        form.load(pathlib.Path("no such file"))
    before = peak_kilobytes()
    shape = tuple(map(int, shape))
    runner(form.load, pathlib.Path(path), shape, form.channels_first, form.dtype)
    print((peak_kilobytes() - before) // 1024)


def peak_kilobytes():
    """Returns the peak memory of this process; `getrusage` includes its parent's."""
    status = pathlib.Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


def row(key, values, size, memory):
    """Returns the row of a network and form."""
    first, middle, third = statistics.quantiles(values, n=4)
    network, form = key
    return {
        "network": network,
        "form": form,
        "median_ms": middle,
        "quartile_1_ms": first,
        "quartile_3_ms": third,
        "fastest_ms": min(values),
        "file_mb": size,
        "memory_mb": memory,
    }


def ratios(times):
    """Returns the ratio of medians, SE to plain, by network with SE and form."""
    found = {}
    for name, title in times:
        twin = lookup(name).twin
        if lookup(name).spec.attention and (twin, title) in times:
            plain = statistics.median(times[twin, title])
            found[name, title] = statistics.median(times[name, title]) / plain
    return found


def plot(rows, path):
    """Draws the medians of rows as bars."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row["network"] for row in rows))
    forms = list(dict.fromkeys(row["form"] for row in rows))
    figure, axes = plt.subplots(figsize=(8, 0.2 * len(names) * len(forms) + 1.2))
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        medians = {r["form"]: r["median_ms"] for r in rows if r["network"] == name}
        widths = [medians.get(form, 0) for form in forms]
        places = [i + number * height for i in range(len(forms))]
        bars = axes.barh(places, widths, height, label=name)
        axes.bar_label(bars, [f"{width:.1f}" for width in widths], padding=2, size=8)
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(forms))], forms)
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.01)
    axes.set_xlabel(
        f"Time of one image, median (ms), {THREADS} threads: less is faster"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main():
    """Measures and publishes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=["resnet50", "se_resnet50"])
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=FORMS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--plot", type=pathlib.Path, help="a PNG file to draw")
    parser.add_argument("--files", help="a directory of files to keep and reuse")
    parser.add_argument("--memory", action="store_true", help="measure memory too")
    report.add_flags(parser)
    parser.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(*options.one)
        return
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    with contextlib.ExitStack() as stack:
        directory = options.files
        if directory is None:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
        made = prepare(options.networks, options.forms, pathlib.Path(directory))
        times = measure(load(made), options.rounds)
        files = {
            key: (
                size_of(path) / 1e6,
                megabytes(key, path, shape) if options.memory else None,
            )
            for key, (path, shape) in made.items()
            if key in times
        }
    rows = [row(key, values, *files[key]) for key, values in times.items()]
    report.publish(options, rows)
    found = [
        {"network": name, "form": form, "se_over_plain": ratio}
        for (name, form), ratio in ratios(times).items()
    ]
    if found:
        report.publish(options, found, suffix="_se_over_plain")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()

"""How long one image takes in every exported form, with SE and without, in turns.

    pip install -e '.[parity]' && python benchmarks/inference.py --plot=inference.png

One image of the network's size, two threads, float32 everywhere. All forms are loaded
in one process and run one after the other in each round, so that whatever else the
machine does hits all of them. *naive* is what `model.export` makes, *timm* is timm's
network by `torch.onnx.export`. The second table has the medians of the networks with SE
over those of their plain twins.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from se_keras import create_model, export, weights
from se_keras.export.runtime import OPENVINO_FILE
from se_keras.files import size_of
from se_keras.models.registry import lookup

THREADS = 2
TIMM_SCRIPT = """
import sys, timm, torch
network = timm.create_model(sys.argv[1]).eval()
image = torch.zeros(1, 3, int(sys.argv[2]), int(sys.argv[3]))
torch.onnx.export(network, image, sys.argv[4], dynamo=False)
"""


@dataclasses.dataclass(frozen=True)
class Form:
    """One way to run a network.

    Attributes:
        write: Callable of the network and a path that writes the file.
        load: Callable of the path that returns a callable of an image.
        suffix: Suffix of the path.
        channels_first: Whether the image is.
    """

    write: Callable
    load: Callable
    suffix: str = ""
    channels_first: bool = False


def naive_saved_model(network, path):
    """Writes what Keras exports."""
    network.export(path, format="tf_saved_model", verbose=False)


def naive_tflite(network, path):
    """Writes what Keras exports."""
    shape = (1, *network.input_shape[1:])
    signature = [keras.InputSpec(shape=shape, dtype="float32")]
    network.export(path, format="litert", verbose=False, input_signature=signature)


def timm_onnx(network, path):
    """Writes timm's network, in a process that has no TensorFlow."""
    height, width, _ = network.input_shape[1:]
    arguments = [weights.to_timm_name(network.name), str(height), str(width), str(path)]
    subprocess.run(
        [sys.executable, "-c", TIMM_SCRIPT, *arguments], check=True, capture_output=True
    )


def run_saved_model(path):
    """Returns a callable of an image."""
    loaded = tf.saved_model.load(str(path))
    return lambda image: loaded.serve(tf.constant(image)).numpy()


def run_tflite(path):
    """Returns a callable of an image, with XNNPACK."""
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
    """Returns a callable of an image."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(path), options)
    (source,) = session.get_inputs()
    return lambda image: session.run(None, {source.name: image})[0]


def run_openvino(path):
    """Returns a callable of an image."""
    import openvino

    file = path / OPENVINO_FILE if path.is_dir() else path
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": THREADS,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(str(file), "CPU", settings)
    return lambda image: compiled(image)[0]


FORMS = {
    "TFLite": Form(export.tflite, run_tflite, ".tflite"),
    "TFLite, naive": Form(naive_tflite, run_tflite, ".tflite"),
    "SavedModel": Form(export.saved_model, run_saved_model),
    "SavedModel, naive": Form(naive_saved_model, run_saved_model),
    "ONNX Runtime": Form(export.onnx, run_onnx, ".onnx"),
    "ONNX Runtime, timm": Form(timm_onnx, run_onnx, ".onnx", True),
    "OpenVINO": Form(export.openvino, run_openvino),
    "OpenVINO, timm": Form(timm_onnx, run_openvino, ".onnx", True),
}


def prepare(names, forms, folder):
    """Returns a callable and a size in bytes by network and form."""
    made = {}
    for name in names:
        network = create_model(name)
        image = np.random.default_rng(0).normal(size=(1, *network.input_shape[1:]))
        network(image)
        for title in forms:
            form = FORMS[title]
            path = folder / f"{name}-{title.replace(', ', '-')}{form.suffix}"
            print(f"{name}: {title}", file=sys.stderr, flush=True)
            try:
                form.write(network, path)
            except (ValueError, subprocess.CalledProcessError) as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            shown = np.moveaxis(image, -1, 1) if form.channels_first else image
            shown = np.ascontiguousarray(shown, "float32")
            run = form.load(path)
            run(shown)
            made[name, title] = (lambda run=run, shown=shown: run(shown)), size_of(path)
        keras.backend.clear_session()
    return made


def measure(made, rounds):
    """Returns the milliseconds of each run by network and form."""
    times = {key: [] for key in made}
    progress = keras.utils.Progbar(rounds, unit_name="round")
    with contextlib.redirect_stdout(sys.stderr):
        for turn in range(rounds + 2):
            for key, (run, _) in made.items():
                started = time.perf_counter()
                run()
                if turn > 1:  # the first ones warm up
                    times[key].append(1e3 * (time.perf_counter() - started))
            progress.add(turn > 1)
    return times


def ratios(times):
    """Returns SE over plain by network with SE and form: medians over the rounds."""
    found = {}
    for name, title in times:
        twin = lookup(name).twin
        if lookup(name).squeeze_excite and (twin, title) in times:
            plain = statistics.median(times[twin, title])
            found[name, title] = statistics.median(times[name, title]) / plain
    return found


def plot(times, path):
    """Draws the medians as bars, plain beside SE."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(name for name, _ in times))
    titles = list(dict.fromkeys(title for _, title in times))
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(titles) * len(names) / 2 + 1.5))
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        medians = [statistics.median(times.get((name, t), [0])) for t in titles]
        places = [i + number * height for i in range(len(titles))]
        bars = axes.barh(places, medians, height, label=name)
        axes.bar_label(bars, [f"{value:.1f}" for value in medians], padding=2)
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(titles))], titles)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel(f"milliseconds for one image, {THREADS} threads (median)")
    axes.set_title("Inference in float32")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main():
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=["resnet50", "se_resnet50"])
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=FORMS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--plot", type=pathlib.Path, help="a PNG file to draw")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(options.networks, options.forms, pathlib.Path(folder))
        times = measure(made, options.rounds)
    print("| network | form | median ms | quartiles | fastest | MB |")
    print("| --- | --- | ---: | --- | ---: | ---: |")
    for (name, title), values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(
            f"| {name} | {title} | {middle:.1f} | {low:.1f} - {high:.1f} "
            f"| {min(values):.1f} | {made[name, title][1] / 1e6:.1f} |"
        )
    print("\n| with SE over without | form | ratio |\n| --- | --- | ---: |")
    for (name, title), ratio in ratios(times).items():
        print(f"| {name} | {title} | {ratio:.3f} |")
    if options.plot:
        plot(times, options.plot)


if __name__ == "__main__":
    main()

"""What each step of `fold` gains in each runtime.

    pip install -e '.[parity]' && python benchmarks/fold.py

SE-ResNet-50, one image, two threads, float32. Each step includes those above it; the
first is the unchanged Keras network, exported as the others are. All files are run in
turns; the times are milliseconds, medians over the rounds.
"""

import argparse
import contextlib
import importlib
import pathlib
import statistics
import sys
import tempfile
from unittest import mock

import inference
import report
from inference import create, of_one_image, run_onnx, run_openvino, run_saved_model

from se_keras import export

# The package has a function of the same name.
folding = importlib.import_module("se_keras.graph.fold")


def nothing(*arguments):
    """Leaves a layer unchanged."""


# What is replaced in `fold`, by the step that is then the last one.
STEPS = {
    "as Keras has it": {"_fold_batch_norm": nothing, "_fold_squeeze_excite": nothing},
    "batch norms in convolutions": {"_fold_squeeze_excite": nothing},
    "gates as 1x1 convolutions": {"_is_pointwise": lambda layer: False},
    "squeeze before the last convolution": {},
}
RUNTIMES = {
    "TFLite": (export.tflite, inference.run_tflite, ".tflite"),
    "SavedModel": (export.saved_model, run_saved_model, ""),
    "ONNX Runtime": (of_one_image(export.onnx), run_onnx, ".onnx"),
    "OpenVINO": (of_one_image(export.openvino), run_openvino, ""),
}


def main():
    """Measures and publishes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="se_resnet50")
    parser.add_argument("--rounds", type=int, default=30)
    report.add_flags(parser)
    options = parser.parse_args()
    inference.tf.config.threading.set_intra_op_parallelism_threads(inference.THREADS)
    model = create(options.network)
    shape = model.input_shape[1:]
    runs = {}
    with tempfile.TemporaryDirectory() as directory:
        for number, (step, left_out) in enumerate(STEPS.items()):
            for runtime, (write, load, suffix) in RUNTIMES.items():
                print(f"{step}: {runtime}", file=sys.stderr, flush=True)
                path = pathlib.Path(directory) / f"{runtime} {number}{suffix}"
                with contextlib.ExitStack() as stack:
                    for name, substitute in left_out.items():
                        stack.enter_context(
                            mock.patch.object(folding, name, substitute)
                        )
                    write(model, path)
                runs[step, runtime] = inference.runner(load, path, shape)
        times = inference.measure(runs, options.rounds)
    rows = [
        {
            "network": options.network,
            "step": step,
            "runtime": runtime,
            "median_ms": statistics.median(values),
        }
        for (step, runtime), values in times.items()
    ]
    report.publish(options, rows)


if __name__ == "__main__":
    main()

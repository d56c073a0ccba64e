"""Classifies image files with a trained network, exported or saved.

python examples/classify_image.py --model=runs/digits-se_resnet20/model.tflite IMAGE...
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from se_keras import export
from se_keras.cli.absl_main import define_import_flag, import_modules, run_main
from se_keras.cli.exit import exit_on_usage_error
from se_keras.errors import UsageError
from se_keras.evaluation import predict

IMPORT = define_import_flag()
MODEL = flags.DEFINE_string(
    "model",
    None,
    "A .keras file or an export: "
    f"{', '.join(form.kind for form in export.FORMATS.values())}.",
)
TOP = flags.DEFINE_integer("top", 3, "How many classes to print.", lower_bound=1)


def main(argv):
    """Prints the top classes of each image."""
    with exit_on_usage_error():
        if not MODEL.value or len(argv) < 2:
            raise UsageError("Expected --model=MODEL and at least one image file")
        import_modules(IMPORT.value)
        predictions = [*predict(MODEL.value, argv[1:], top=TOP.value)]
        errors = [each.error for each in predictions if each.error]
        if errors:
            raise UsageError(errors[0])
    for prediction in predictions:
        print(prediction.path)
        for name, score in zip(prediction.class_names, prediction.scores, strict=True):
            print(f"  {name:<20} {score:7.2%}")


if __name__ == "__main__":
    run_main(main)

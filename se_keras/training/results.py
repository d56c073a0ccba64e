"""What a run leaves behind: the network, its exports, the curves, and words."""

import keras
import numpy as np

from se_keras import export
from se_keras.data import evaluation_batches
from se_keras.data.embedded import NAME as EMBEDDED
from se_keras.files import replacing
from se_keras.training.plots import plot_curves
from se_keras.training.prepared import Run
from se_keras.training.workdir import MetricsFile

VERIFICATION_IMAGES = 64


def introduce(run: Run) -> None:
    """Says what will be done."""
    recipe, source = run.recipe, run.source
    train_images = source.num_examples(source.train_split)
    print(
        f"Training {recipe.model} on {recipe.dataset}: {train_images} images of "
        f"{len(source.class_names)} classes at {recipe.image_size} x "
        f"{recipe.image_size}, {recipe.epochs} epochs, "
        f"{run.strategy.num_replicas_in_sync} replica(s), {recipe.precision}. "
        f"Learning rate {recipe.learning_rate:.3g} for a batch of {recipe.batch_size}."
    )
    if recipe.dataset == EMBEDDED:
        print(
            "This is the embedded sample, scikit-learn's digits. For ImageNet:\n"
            "  python examples/train_imagenet.py --dataset=imagenet2012 "
            "--data_dir=TFDS_FOLDER"
        )
    print(f"Work directory: {run.path}", flush=True)


def save_network(run: Run, trained: keras.Model) -> keras.Model:
    """Returns the trained network in float32 with softmax, and saves it."""
    network = run.create_model(run.evaluation_record.size, dtype="float32")
    network.set_weights(trained.get_weights())
    network.preprocessing = run.evaluation_record
    network.class_names = run.source.class_names
    with replacing(run.path / "model.keras") as path:
        network.save(path)
    return network


def export_network(run: Run, network: keras.Model) -> dict[str, dict]:
    """Writes and verifies the exports of the recipe; returns their reports."""
    # The exports take pixels, so that a phone cannot normalize differently.
    pixels = _verification_pixels(run)
    writers = {
        "saved_model": (export.saved_model, "saved_model"),
        "tflite": (export.tflite, "model.tflite"),
    }
    reports = {}
    for name in run.recipe.exports:
        write, file = writers[name]
        print(f"Exporting and verifying {file} ...", flush=True)
        reports[name] = write(
            network,
            run.path / file,
            include_preprocessing=True,
            images=pixels,
            overwrite=True,
        )
    return reports


def _verification_pixels(run):
    """Returns some evaluation images as pixels."""
    batches = evaluation_batches(
        run.source,
        run.evaluation_record,
        batch_size=1,
        on_bad_image=run.recipe.on_bad_image,
    )
    images = [image[0] for image, _, _ in batches.take(VERIFICATION_IMAGES)]
    return (np.stack(images) - run.record.offset) / run.record.scale


def plot(run: Run, report: dict) -> None:
    """Draws the curves; a run does not fail at its end for want of a plot."""
    try:
        plot_curves(
            run.path / MetricsFile.NAME,
            run.path / "curves.png",
            title=f"{report['model']} on {report['dataset']}",
        )
    except (ImportError, FileNotFoundError) as error:
        print(f"No curves.png: {error}.")


def summarize(run: Run, report: dict) -> None:
    """Says what was reached, where it is, and what to do next."""
    path = run.path
    print(
        f"\n{report['evaluation_split']} accuracy: {report['accuracy']:.2%} of "
        f"{report['examples']} images ({report['seconds']:.0f} s in all)"
    )
    if report["bad_images"]:
        names = ", ".join(run.skipped.names[:5])
        print(f"Skipped {report['bad_images']} bad images: {names} ...")
    print(f"  {path / 'model.keras'}")
    for name, exported in report["exports"].items():
        print(
            f"  {exported['path']}  {exported['bytes'] / 2**20:.2f} MiB, differs from "
            f"Keras by {exported['largest_difference']:.1e} of the largest output, "
            f"same top-1 on {exported['top1_agreement']:.0%} of "
            f"{exported['images']} images ({name})"
        )
    print(f"  {path / 'report.json'}, metrics.csv, curves.png, tensorboard/")
    model = path / ("model.tflite" if "tflite" in report["exports"] else "model.keras")
    print(f"Next: python examples/classify_image.py --model={model} IMAGE...")

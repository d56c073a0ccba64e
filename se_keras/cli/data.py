"""`se-keras data`: the training images of a data set, and the speed of the input."""

from se_keras.cli.command import NUMBER, Command


def run(dataset, data_dir, recipe, output, on_bad_image, **settings):
    """Writes a sheet of training images, and prints the speed of the input."""
    from se_keras import training
    from se_keras.data import preview
    from se_keras.evaluation.plots import require_matplotlib
    from se_keras.evaluation.text import shortened
    from se_keras.training.tasks import task_class

    preview.check_path(output)
    require_matplotlib()
    recipe = training.make_recipe(
        recipe,
        dataset=dataset,
        data_dir=data_dir,
        on_bad_image=on_bad_image,
        **settings,
    )
    # What a run opens.
    task = task_class("classification")(recipe)
    task.open()
    source, preprocessing = task.source, task.preprocessing
    examples = source.num_examples(source.train_split)
    print(f"{source.name}: {len(source.class_names)} classes")
    print(*source.summary(), *preview.images_per_class(source), sep="\n")
    images = (source, preprocessing, recipe.augmentation)
    options = {"seed": recipe.seed, "bad_images": task.bad_images}
    pixels, names = preview.first_images(*images, **options)
    size = f"{recipe.image_size} x {recipe.image_size}"
    title = f"{shortened(source.name, 60)}, {recipe.model}, {size}"
    preview.write_contact_sheet(output, pixels, names, title)
    print(f"{output}: {len(pixels)} training images at {size}")
    speed = preview.measure(
        *images,
        batch_size=max(1, min(recipe.batch_size, examples // 2)),
        **options,
    )
    print(f"{speed['images_per_second']:.0f} images/s from the input alone")
    if speed["bad_images"]:
        print(f"{len(speed['bad_images'])} skipped: {', '.join(speed['bad_images'])}")


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    from se_keras.cli.splits import split_arguments
    from se_keras.data.settings import POLICIES
    from se_keras.training.recipes import RECIPES

    return {
        "--dataset": {"help": "data set of TFDS, digits, or folder:PATH"},
        "--data_dir": {"help": "directory of the TFDS data sets"},
        **split_arguments(),
        "--recipe": {
            "help": f"recipe with the augmentation: {', '.join(RECIPES)}; by default "
            "that of the data set"
        },
        "--model": {"help": "name of the network; by default that of the recipe"},
        "--weights": {"help": "weights to start from, whose images are prepared"},
        "--image_size": {**NUMBER, "help": "height and width of the input, in pixels"},
        "--batch_size": {**NUMBER, "help": "number of images in a batch"},
        "--seed": {**NUMBER, "help": "seed of the run"},
        "--output": {"default": "contact.png", "help": "the PNG file to write"},
        "--on_bad_image": {
            "default": POLICIES[0],
            "help": f"what to do about a damaged image: {', '.join(POLICIES)}",
        },
    }


COMMAND = Command(
    run, "a sheet of training images as a PNG, and images per second", arguments
)

"""`se-keras data`: the training images of a data set, and the speed of the input."""

from se_keras.cli.command import NUMBER, Command


def run(dataset, data_dir, recipe, output, on_bad_image, **settings):
    """Writes a sheet of training images, and prints the speed of the input."""
    from se_keras import training
    from se_keras.data import BadImages, open_source, preview
    from se_keras.models.registry import lookup

    recipe = training.make_recipe(
        recipe, dataset=dataset, data_dir=data_dir, **settings
    )
    source = open_source(recipe.dataset, recipe.runtime.data_dir, recipe.splits)
    size = recipe.image_size
    preprocessing = lookup(recipe.model).preprocessing.with_input(
        size, size, source.image_shape[2]
    )
    examples = source.num_examples(source.train_split)
    print(f"{source.name}: {len(source.class_names)} classes")
    print(*source.summary(), sep="\n")
    images = (source, preprocessing, recipe.augmentation)
    options = {"seed": recipe.seed, "bad_images": BadImages(on_bad_image)}
    count = preview.write_contact_sheet(output, *images, **options)
    print(f"{output}: {count} training images at {size} x {size}")
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

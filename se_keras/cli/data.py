"""`se-keras data`: what a network sees of a data set, and how fast it comes."""


def run(dataset, data_dir, recipe, output, on_bad_image, **settings):
    """Writes a contact sheet of training images, and prints how fast they come."""
    from se_keras import training
    from se_keras.data import open_source, preview
    from se_keras.models.registry import lookup

    recipe = training.make_recipe(
        recipe, dataset=dataset, data_dir=data_dir, **settings
    )
    source = open_source(recipe.dataset, recipe.data_dir)
    size = recipe.image_size
    record = lookup(recipe.model).preprocessing.with_input(
        size, size, source.image_shape[2]
    )
    examples = source.num_examples(source.train_split)
    print(
        f"{source.name}: {examples} training images of {len(source.class_names)} "
        f"classes, {source.num_examples(source.evaluation_split)} for evaluation"
    )
    images = (source, record, recipe.augmentation)
    options = {"seed": recipe.seed, "on_bad_image": on_bad_image}
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

"""`se-keras summary`: the parameters and multiply-adds of a network."""

from se_keras.cli.command import NUMBER, Command
from se_keras.cli.model_argument import MODEL_HELP, is_file, load, require
from se_keras.errors import UsageError, as_usage_errors


def check(model, **options):
    """Raises a `UsageError` if there is no such model."""
    require(model)


def run(model, image_size, classes, no_top):
    """Prints the parameters and multiply-adds of a network, by block."""
    from se_keras import analysis

    with as_usage_errors(ValueError):
        if is_file(model):
            if classes is not None or no_top:
                raise UsageError(
                    "Expected --classes and --no_top with the name of a model only. "
                    f"Received: {model!r}"
                )
            network = load(model)
        else:
            network = _create(model, image_size, classes, no_top)
        cost = analysis.complexity(network, _input_shape(network, image_size))
    print(cost.table())


def _create(name, image_size, classes, no_top):
    from se_keras import create_model
    from se_keras.models.registry import lookup

    # Cost does not depend on the layout.
    options = {"include_top": not no_top, "data_format": "channels_last"}
    if image_size is not None:
        channels = lookup(name).preprocessing.channels
        options["input_shape"] = (image_size, image_size, channels)
    if classes is not None:
        options["classes"] = classes
    return create_model(name, **options)


def _input_shape(network, image_size):
    """Returns the input shape, with `image_size` where height or width is unknown."""
    from se_keras.models.image_model import image_shape

    own = [tuple(tensor.shape[1:]) for tensor in network.inputs]
    if image_size is None:
        if any(None in shape for shape in own):
            raise UsageError(
                "Expected known sizes; pass them with --image_size. "
                f"Received: a model with inputs {own}"
            )
        return None
    height, width, _ = image_shape(network) or own[0]
    if len(own) > 1 or not {None, image_size} & {height, width}:
        raise UsageError(
            "Expected with --image_size a model with one input, of that or of unknown "
            f"size. Received: --image_size={image_size} and a model with inputs {own}"
        )
    return tuple(size or image_size for size in own[0])


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    return {
        "model": {"help": MODEL_HELP},
        "--image_size": {**NUMBER, "help": "height and width of the input, in pixels"},
        "--classes": {**NUMBER, "help": "number of classes"},
        "--no_top": {"action": "store_true", "help": "without the classifier"},
    }


COMMAND = Command(
    run,
    "parameters and multiply-adds of a network, by block",
    arguments,
    check=check,
)

"""The arguments of subcommands that state where the images of a data set come from."""

from collections.abc import Mapping

from se_keras.cli.command import as_flag


def split_arguments() -> dict[str, Mapping]:
    """Returns an argument for each field of `Splits`, as in `Command.arguments`."""
    from se_keras.data.splits import Splits
    from se_keras.training.settings import fields_of

    return {
        f"--{field.name}": {"help": as_flag(field.help)}
        for field in fields_of(Splits).values()
    }


def splits_of(arguments: Mapping[str, str | None]):
    """Returns a `Splits` from the values of `split_arguments`.

    Args:
        arguments: The values by name; `None` is the default of a field.
    """
    from se_keras.data.splits import Splits
    from se_keras.training.settings import replace_settings

    given = {name: value for name, value in arguments.items() if value is not None}
    return replace_settings(Splits(), given)

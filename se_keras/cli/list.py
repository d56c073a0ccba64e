"""`se-keras list`: the names of networks."""

from se_keras.cli.command import Command
from se_keras.errors import UsageError


def run(pattern):
    """Prints the names of networks that match a pattern."""
    from se_keras.models.names import list_names

    names = list_names(pattern)
    if not names:
        raise UsageError(
            "Expected a pattern that a model's name matches, such as 'se_*'. "
            f"Received: {pattern!r}"
        )
    print("\n".join(names))


def arguments():
    """Returns the arguments of the subcommand, see `Command`."""
    return {
        "pattern": {
            "nargs": "?",
            "default": "*",
            "help": "only names that match, such as 'se_*'",
        }
    }


COMMAND = Command(run, "names of the networks", arguments, uses_keras=False)

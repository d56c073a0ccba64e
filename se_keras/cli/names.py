"""`se-keras list`: names of networks."""

from se_keras.errors import UsageError


def run(pattern):
    """Prints the names of networks."""
    from se_keras import list_models

    names = list_models(pattern)
    if not names:
        raise UsageError(
            "Expected a pattern that a model's name matches, such as 'se_*'. "
            f"Received: {pattern!r}"
        )
    print("\n".join(names))

"""`python -m se_keras`: the command `se-keras`."""

from se_keras.signals import end_on_signals


def main() -> None:
    """Runs the command line; signals end it from the beginning."""
    end_on_signals()
    from se_keras.cli import main

    main()


if __name__ == "__main__":
    main()

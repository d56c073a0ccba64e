"""`python -m se_keras`: the command `se-keras`."""

from se_keras.cli import main

if __name__ == "__main__":
    main()

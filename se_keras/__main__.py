"""`python -m se_keras`: the `se-keras` command."""

from se_keras.cli import main

main()

import pytest


@pytest.fixture
def run(capsys):
    """Runs a command line; returns exit code, output and error output."""
    from se_keras import cli

    def call(*arguments):
        code = 0
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        if isinstance(code, str):
            return 1, captured.out, f"{captured.err}{code}\n"
        return code, captured.out, captured.err

    return call

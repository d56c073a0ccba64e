import pytest

from se_keras.errors import UsageError, as_usage_errors


def test_errors_of_a_kind_become_usage_errors():
    with (
        pytest.raises(UsageError, match=r"^bad name$") as error,
        as_usage_errors(KeyError, ValueError),
    ):
        raise ValueError("bad name")
    assert isinstance(error.value.__cause__, ValueError)
    with pytest.raises(TypeError), as_usage_errors(ValueError):
        raise TypeError


def test_usage_error_stays_itself():
    original = UsageError("x")
    with pytest.raises(UsageError) as error, as_usage_errors(ValueError):
        raise original
    assert error.value is original

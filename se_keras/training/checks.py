"""What values a field of a recipe may have, declared in the type of the field.

epochs: Annotated[int, POSITIVE]
loss: Annotated[str, OneOf(LOSSES)] = "cross_entropy"
"""

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Collection

from se_keras.errors import UsageError


def require(valid: bool, expectation: str, name: str, value: object) -> None:
    """Raises a `UsageError` if a value is not valid.

    Args:
        valid: Whether it is.
        expectation: What was expected, before the name: `"a positive"`.
        name: Name of the field.
        value: Its value.
    """
    if not valid:
        raise UsageError(f"Expected {expectation} {name}. Received: {name}={value}")


def require_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raises a `UsageError`, with the nearest choice, if a value is not a choice.

    Args:
        name: What the value is, for the message.
        value: The value.
        choices: The valid values.
    """
    if value not in choices:
        nearest = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"Did you mean {nearest[0]}? " if nearest else ""
        raise UsageError(
            f"Expected {name} to be one of {', '.join(sorted(choices))}. {hint}"
            f"Received: {value!r}"
        )


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers in a range.

    Attributes:
        expectation: What an error states as expected, before the name of the field.
        contains: Whether a number is in the range.
    """

    expectation: str
    contains: Callable[[float], bool]

    def check(self, name: str, value: float) -> None:
        """Raises a `UsageError` if a number is not in the range."""
        require(self.contains(value), self.expectation, name, value)


POSITIVE = Range("a positive", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Range("0 or more for", lambda value: 0 <= value < math.inf)
FRACTION = Range("a number in 0..1 for", lambda value: 0 <= value <= 1)
SEED = Range("less than 2**32 for", lambda value: value < 2**32)


@dataclasses.dataclass(frozen=True)
class OneOf:
    """One of several names, or several of them where the field is a tuple.

    Attributes:
        choices: The names. A mapping may get more of them later.
    """

    choices: Collection[str]

    def check(self, name: str, value: str | tuple[str, ...]) -> None:
        """Raises a `UsageError` if a name is not one of the choices."""
        for each in value if isinstance(value, tuple) else (value,):
            require_choice(name, each, self.choices)


def check_fields(settings) -> None:
    """Checks all fields of a dataclass whose type declares what they may be.

    Fields that are `None` are not checked.

    Args:
        settings: The dataclass.

    Raises:
        UsageError: On the first value that is not valid.
    """
    hints = typing.get_type_hints(type(settings), include_extras=True)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        for check in getattr(hints[field.name], "__metadata__", ()):
            if value is not None and isinstance(check, Range | OneOf):
                check.check(field.name, value)

"""What values a field of a recipe may have, declared in the type of the field.

epochs: Annotated[int, POSITIVE, at_most(100_000)]
loss: Annotated[str, OneOf(LOSSES)] = "cross_entropy"
"""

import dataclasses
import difflib
import typing
from collections.abc import Callable, Collection

from se_keras.errors import UsageError, one_line

MAX_VALUE = 100  # characters of a value in an error


def require(valid: bool, expectation: str, name: str, value: object) -> None:
    """Raises a `UsageError` if a value is not valid.

    Args:
        valid: Whether it is.
        expectation: What was expected, before the name: `"a positive"`.
        name: Name of the field.
        value: Its value.
    """
    if not valid:
        raise UsageError(
            f"Expected {expectation} {name}. Received: {name}={as_text(value)}"
        )


def as_text(value: object, form: Callable[[object], str] = str) -> str:
    """Returns a value as a short text, also an integer that Python does not print.

    Args:
        value: The value.
        form: `str` or `repr`.
    """
    try:
        return one_line(form(value), MAX_VALUE)
    except ValueError:  # sys.set_int_max_str_digits
        return "an integer of thousands of digits"


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
            f"Received: {as_text(value, repr)}"
        )


def is_utf8(text: str) -> bool:
    """Returns whether a text can be written: a file name may have other bytes in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers in a range: one number, or each of several.

    Attributes:
        expectation: What an error states as expected, before the name of the field.
        contains: Whether a number is in the range.
    """

    expectation: str
    contains: Callable[[float], bool]

    def check(self, name: str, value: float | tuple[float, ...]) -> None:
        """Raises a `UsageError` if a number is not in the range."""
        for each in value if isinstance(value, tuple) else (value,):
            require(self.contains(each), self.expectation, name, each)


def at_most(most: int) -> Range:
    """Returns the range of the numbers up to `most`."""
    return Range(f"at most {most} for", lambda value: value <= most)


POSITIVE = Range("a positive", lambda value: value > 0)
NOT_NEGATIVE = Range("0 or more for", lambda value: value >= 0)
FRACTION = Range("a number in 0..1 for", lambda value: 0 <= value <= 1)
SEED = Range("less than 2**32 for", lambda value: value < 2**32)
# For every number: counts of steps and learning rates stay within what TensorFlow can
# represent.
LARGEST = at_most(2**32)
MOST_EPOCHS = at_most(100_000)
MOST_IMAGES = at_most(2**20)  # of a batch
MOST_PIXELS = at_most(8192)  # height and width of an image


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
        if value is None:
            continue
        for check in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(check, Range | OneOf):
                check.check(field.name, value)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, str):
                require(is_utf8(each), "text in UTF-8 for", field.name, repr(each))
            elif isinstance(each, int | float):
                LARGEST.check(field.name, each)

"""Names of classes and files in lines and plots, whatever is in them."""

import unicodedata


def shortened(text: str, width: int) -> str:
    """Returns text in one line of a width, with a mark for what is left out.

    Args:
        text: Any text: with line ends, control characters or wide characters.
        width: Largest number of columns; a Chinese character has two.

    Example:

    >>> shortened("a very long name", 10)
    'a very lo…'
    """
    characters = [c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text]
    if sum(map(_columns, characters)) <= width:
        return "".join(characters)
    line, used = "", 1
    for character in characters:
        used += _columns(character)
        if used > width:
            break
        line += character
    return f"{line}…"


def split_line(text: str, width: int) -> tuple[str, ...]:
    """Returns text in one line, or in two if it is wider than `width`.

    Args:
        text: Any text.
        width: Largest number of columns of the first line.

    Example:

    >>> split_line("a very long name", 10)
    ('a very lon', 'g name')
    """
    used = 0
    for place, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:place], text[place:]
    return (text,)


def _columns(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

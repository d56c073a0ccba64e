"""Shows docstrings as they are meant, where Markdown reads them otherwise.

Examples that are written as `>>>` are quotations there, and a list needs a blank line
before it.
"""

import re

import griffe

# Lines from `>>>` to the next blank line.
EXAMPLE = re.compile(r"^( *)>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


# The line before the first item of a list; continued items are indented further.
LIST = re.compile(r"^(( *)(?!- )\S.*)\n(?=\2(?: {4})?- )", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Changes docstrings before they are parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Changes the docstring of an object."""
        if obj.docstring:
            text = EXAMPLE.sub(_fenced, obj.docstring.value)
            obj.docstring.value = LIST.sub(r"\1\n\n", text)


def _fenced(match):
    indent = match[1]
    return f"{indent}```pycon\n{match[0]}\n{indent}```"

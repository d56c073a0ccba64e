"""Shows the examples of docstrings that are written as `>>>` as code.

Markdown takes `>>>` for quotations.
"""

import re

import griffe

# Lines from `>>>` to the next blank line.
EXAMPLE = re.compile(r"^( *)>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class Examples(griffe.Extension):
    """Puts examples into fences before a docstring is parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Changes the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(match):
    indent = match[1]
    return f"{indent}```pycon\n{match[0]}\n{indent}```"

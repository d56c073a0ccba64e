"""The words of the documentation are those of Keras and PyTorch, in US spelling.

A word is here if it is never right; whether a sentence is plain is not tested.
"""

import ast
import importlib
import inspect
import io
import re
import tokenize

import pytest

from tests.docs.pages import all_pages, name_of
from tests.helpers import ROOT

WORDS = {
    r"rectifiers?": "ReLU, activation",
    r"margins?": "padding",
    r"mend(s|ed|ing)?": "fix, correct",
    r"in place of": "instead of",
    r"in front of": "before",
    r"(is|are|was|were) told|tells?|telling": "reads, states, reports",
    r"says|said": "states",
    r"behind": "after",
    r"beside": "next to, in addition to",
    r"rooms?|houses?|doors?": "module, package, directory, space",
    r"of no use": "not valid",
    r"(?<!there )(is|are) none": "is not one",
    r"(by|at) hand": "yourself, not automatically",
    r"licence[sd]?": "license",
    r"colour(s|ed)?": "color",
    r"grey": "gray",
    r"centre[sd]?": "center",
    r"normalis\w*": "normaliz...",
    r"recognis\w*": "recogniz...",
    r"initialis\w*": "initializ...",
    r"optimis\w*": "optimiz...",
    r"regularis\w*": "regulariz...",
    r"serialis\w*": "serializ...",
    r"synchronis\w*": "synchroniz...",
    r"behaviour": "behavior",
    r"neighbour\w*": "neighbor",
    r"(?<!standard )(?<!root-mean-square )deviations?": "standard deviation",
}
# What is right where it is.
ALLOWED = (
    r"`[^`]*`",  # names in code
    r"\]\([^)]*\)",  # addresses
)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
SOURCES = sorted((ROOT / "se_keras").rglob("*.py"))
PACKAGES = ("", "layers", "graph", "models", "weights", "analysis")
LAZY_PACKAGES = ("data", "training", "export")
PAGES = [*all_pages(), ROOT / "CHANGELOG.md", ROOT / "examples/web/README.md"]


def found_in(text: str) -> list[str]:
    """Returns what to write instead of the words to avoid in a text."""
    text = " ".join(FENCE.sub("", text).split())
    for allowed in ALLOWED:
        text = re.sub(allowed, "", text)
    found = []
    for word, better in WORDS.items():
        for match in re.finditer(rf"\b({word})\b", text, re.IGNORECASE):
            place = text[max(match.start() - 30, 0) : match.end() + 20]
            found.append(f"{match[0]!r} (write {better!r}): {place!r}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page(page):
    assert not found_in(page.read_text())


def _texts(source: str):
    """Yields the comments of a module, and its strings: docstrings and messages."""
    comments, last = [], None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        row = token.start[0]
        if row - 1 != last:
            comments.append("")
        comments[-1] += token.string.lstrip("#")
        last = row
    yield from comments
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source(path):
    """Private docstrings, comments and messages are in these words, too."""
    texts = _texts(path.read_text())
    assert not [found for text in texts for found in found_in(text)]


def test_comments_and_strings_are_found():
    source = '''
def function():
    """Uses a standard
    deviation, mending it."""
    # The colour of a
    # deviation.
    raise ValueError(f"the {1} behaviour " "of a rectifier")
'''
    found = [found for text in _texts(source) for found in found_in(text)]
    words = sorted(text.split("'")[1] for text in found)
    assert words == ["behaviour", "colour", "deviation", "mending", "rectifier"]


def _docstrings(package):
    """Yields the name and the docstring of each public object of a package."""
    module = importlib.import_module(f"se_keras.{package}".rstrip("."))
    yield module.__name__, inspect.getdoc(module) or ""
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        yield f"{module.__name__}.{name}", inspect.getdoc(value) or ""
        members = vars(value).items() if inspect.isclass(value) else ()
        for member, attribute in members:
            if not member.startswith("_") and getattr(attribute, "__doc__", None):
                yield f"{module.__name__}.{name}.{member}", attribute.__doc__


@pytest.mark.parametrize("package", [*PACKAGES, *LAZY_PACKAGES])
def test_docstrings(package):
    found = {name: found_in(text) for name, text in _docstrings(package)}
    assert not {name: words for name, words in found.items() if words}

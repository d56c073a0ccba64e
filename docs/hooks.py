"""What MkDocs does to the pages of the site before it renders them.

A line `{{ NAME ARGUMENT }}` of a page is replaced by what the function `NAME` of the
table `FILLERS` returns: the README and its neighbors are pages without a second copy,
and the reference is made of what each package has in `__all__`.
"""

import collections.abc
import contextlib
import importlib
import inspect
import io
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
REPOSITORY = "https://github.com/se-keras/se_keras/blob/main/"
# Files outside of docs/ that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "BUILD_NOTES.md": "design.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
FILLER = re.compile(r"^\{\{ *(\w+) *(\S*) *\}\}$", re.MULTILINE)
LINK = re.compile(r"(\]\()([^)#\s]+)([^)]*\))")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown, page, config, files):
    """Fills a page in, and lets its links lead to where the site has their targets."""
    source = DOCS / page.file.src_uri
    markdown = _outside_of_fences(markdown, lambda text: _with_links(text, source))
    return FILLER.sub(lambda match: FILLERS[match[1]](match[2], source), markdown)


def _outside_of_fences(markdown, function):
    """Applies a function to the text of a page that is not code."""
    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [function(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, function(markdown[end:])])


def _with_links(text, source, page=None):
    """Returns text of the file `source` with links for the page that it becomes."""
    return LINK.sub(lambda m: m[1] + _target(m[2], source, page or source) + m[3], text)


def _target(link, source, page):
    if ":" in link or link.startswith("/"):
        return link
    path = pathlib.Path(os.path.normpath(source.parent / link))
    name = path.relative_to(ROOT).as_posix()
    if name in PAGES:
        path = DOCS / PAGES[name]
    if not path.is_relative_to(DOCS):
        return REPOSITORY + name
    return os.path.relpath(path, page.parent)


def _include(name, page):
    """Returns the text of a file in the root of the repository."""
    source = ROOT / name
    return _outside_of_fences(
        source.read_text(), lambda text: _with_links(text, source, page)
    )


def _reference(package, page):
    """Returns the directives of mkdocstrings for the public names of a package."""
    module = importlib.import_module(package)
    return "\n\n".join(
        _directive(package, name, getattr(module, name))
        for name in _public_names(module)
        if _is_documented(package, name, getattr(module, name))
    )


def _public_names(module):
    names = getattr(module, "__all__", None)
    return names or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and not name.startswith("_")
    ]


def _is_documented(package, name, value):
    if inspect.ismodule(value):
        return False
    # A constructor of a network is a row of the table below.
    return name not in _constructors() if package == "se_keras.models" else True


def _directive(package, name, value):
    anchor = f"[](){{#{package}.{name}}}"
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return f"{anchor}\n\n## `{name}`\n\n{_constant(value)}"
    where = f"{value.__module__}.{value.__qualname__}"
    return f"{anchor}\n\n::: {where}\n    options:\n      heading: {name}"


def _constant(value):
    if isinstance(value, collections.abc.Mapping):
        return f"A dictionary with the keys {', '.join(f'`{key}`' for key in value)}."
    return f"`{value!r}`"


def _constructors():
    """Returns the names of the constructors of networks, by network."""
    from se_keras import list_models
    from se_keras.models.registry import lookup

    return {lookup(name).constructor: name for name in list_models()}


def _constructor_table(_, page):
    rows = [f"| `{key}` | `{name}` |" for key, name in _constructors().items()]
    return "\n".join(["| constructor | name |", "| --- | --- |", *rows])


def _commands(_, page):
    """Returns the help of each command of `se-keras`."""
    from se_keras.cli.command_line import COMMANDS, main

    os.environ["COLUMNS"] = "88"
    parts = []
    for name in COMMANDS:
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
            main([name, "--help"])
        parts.append(f"## se-keras {name}\n\n```text\n{text.getvalue()}```")
    return "\n\n".join(parts)


def _exits(_, page):
    from se_keras.cli.exit import exits_table

    return exits_table()


def _recipes(_, page):
    from se_keras import training

    return training.recipes_table()


FILLERS = {
    "include": _include,
    "reference": _reference,
    "constructors": _constructor_table,
    "commands": _commands,
    "exits": _exits,
    "recipes": _recipes,
}

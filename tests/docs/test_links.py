"""Relative links of the pages lead to files, and their anchors to headings.

`mkdocs build --strict` checks the site; this also checks the files that a reader of the
repository sees, in less time.
"""

import re

import pytest

from tests.docs.pages import DOCS, all_pages, name_of
from tests.helpers import ROOT

LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
PAGES = [
    *all_pages(),
    *(ROOT / name for name in ("CHANGELOG.md", "examples/web/README.md")),
    ROOT / "benchmarks/results/README.md",
]


def anchors(text):
    """Returns the anchors of the headings of a page, as GitHub and MkDocs make them."""
    slugs = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        slug = re.sub(r"[^\w\s-]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading))
        slugs.add(re.sub(r"[\s]+", "-", slug.strip().lower()))
    return slugs


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page):
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT)
        # The reference has anchors of its own, which MkDocs checks.
        if anchor and not target.is_relative_to(DOCS / "reference"):
            assert anchor in anchors(target.read_text()), link


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        assert page.relative_to(DOCS).as_posix() in navigation

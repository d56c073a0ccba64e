"""Small tools for tests of exports."""

import dataclasses

from se_keras.export import FORMATS


def with_changed_row(monkeypatch, name, **fields):
    """Changes fields of a row of the table of formats, for one test."""
    changed = dataclasses.replace(FORMATS[name], **fields)
    monkeypatch.setitem(FORMATS, name, changed)

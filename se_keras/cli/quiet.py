"""Imports of TensorFlow without its log lines, which are not for users of a command."""

import contextlib
import faulthandler
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from se_keras.import_hook import around_import

# Lines of the severities INFO and WARNING that native code logs before its log is set
# up: `TF_CPP_MIN_LOG_LEVEL` has no effect on them.
LOG_LINE = re.compile(
    r"[IW]\d{4} \d\d:\d\d:\d\d"
    r"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "
    r"|WARNING: All log messages before absl::InitializeLog\(\) is called"
    r"|To enable the following instructions: "
)

# Descriptors of the standard error that are replaced now, the first one first.
_STDERR: list[int] = []


def stderr_fileno() -> int:
    """Returns the descriptor of the standard error, also while it is filtered.

    A handler that ends the process has to write there: what is filtered is lost then.
    """
    return _STDERR[0] if _STDERR else sys.stderr.fileno()


def without_log_lines() -> None:
    """Lets imports of TensorFlow and Keras that come later print no log lines.

    Everything else that they print follows when they are done; all of it, if they fail.
    """
    for package in ("tensorflow", "keras"):
        if package not in sys.modules:
            around_import(package, _filtered)


@contextlib.contextmanager
def _filtered() -> Iterator[None]:
    """Filters what is written to stderr, also by native code."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    # If the process crashes, its traceback is printed at once.
    crashes = not faulthandler.is_enabled()
    if crashes:
        faulthandler.enable(stderr)
    failed = True
    _STDERR.append(stderr)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            if sys.stderr:
                sys.stderr.flush()
            os.dup2(stderr, 2)
            _STDERR.remove(stderr)
            if crashes:
                faulthandler.disable()
            file.seek(0)
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
            text = "".join(x for x in lines if failed or not LOG_LINE.match(x))
            os.write(stderr, text.encode())
            os.close(stderr)

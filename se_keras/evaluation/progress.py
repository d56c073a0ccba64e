"""How far a long loop is, on the error output."""

import sys
import time

SECONDS = 0.2  # between two lines of a terminal


class Progress:
    """Prints how many of something are done, and how fast, in one line.

    On a terminal the line is rewritten; elsewhere one line is printed at the end.

    Args:
        total: Number of all, or `None` if it is not known.
        unit: What is counted, in the plural.
        enabled: Whether anything is printed.
    """

    def __init__(self, total: int | None, unit: str, enabled: bool = True) -> None:
        self._total = total
        self._unit = unit
        self._enabled = enabled
        self._rewrites = enabled and sys.stderr.isatty()
        self._started = time.monotonic()
        self._shown = 0.0
        self._done = 0

    def add(self, count: int) -> None:
        """Adds a number that is done."""
        self._done += count
        if self._rewrites and time.monotonic() - self._shown > SECONDS:
            self._shown = time.monotonic()
            self._print("\r")

    def close(self) -> None:
        """Prints the last line."""
        if self._enabled:
            self._print("\r" if self._rewrites else "", "\n")

    def _print(self, start, end=""):
        seconds = max(time.monotonic() - self._started, 1e-9)
        total = "" if self._total is None else f" of {self._total}"
        line = (
            f"{self._done}{total} {self._unit}, "
            f"{self._done / seconds:.0f} {self._unit}/s"
        )
        print(f"{start}{line:<60}".rstrip(), file=sys.stderr, end=end, flush=True)

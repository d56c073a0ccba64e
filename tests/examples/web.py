"""Drives the page of examples/web in headless Chromium, and takes its picture.

python -m tests.examples.web --model=runs/digits-se_resnet20/model.tflite
"""

import argparse
import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import tempfile
import threading

from tests.helpers import ROOT

PAGE = ROOT / "examples/web"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
# The picture in docs/ has this width; its height is that of the page.
SIZE = {"width": 800, "height": 600}


def missing() -> str | None:
    """Returns what is missing to open the page in Chromium, or `None`."""
    if not (PAGE / "node_modules/@litertjs/core").is_dir():
        return "LiteRT.js: npm ci --prefix examples/web"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright: pip install -e '.[browser]'"
    if not _chromium():
        return "Chromium: apt-get install chromium, or playwright install chromium"
    return None


def _chromium():
    """Returns the path of a Chromium: the system's, or the one of Playwright."""
    from playwright.sync_api import sync_playwright

    for name in CHROMIUMS:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if pathlib.Path(path).exists() else None


def require() -> None:
    """Skips a test where something is missing, unless a machine promises it."""
    import pytest

    if reason := missing():
        required = os.environ.get("SE_KERAS_REQUIRE_BROWSER") == "1"
        (pytest.fail if required else pytest.skip)(reason)


class Page:
    """The page as a person uses it.

    Args:
        page: The page of Playwright that shows it.
    """

    def __init__(self, page):
        self._page = page

    def choose(self, what: str, path: pathlib.Path) -> None:
        """Chooses the `"model"` or the `"image"`, and waits for the page."""
        self._page.set_input_files(f"#{what}", path)
        self.wait()

    def drop(self, path: pathlib.Path) -> None:
        """Drops a file anywhere on the page."""
        self._page.evaluate(
            """([name, bytes]) => {
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
                const options = { dataTransfer, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent("drop", options));
            }""",
            [path.name, list(path.read_bytes())],
        )
        self.wait()

    def wait(self) -> None:
        """Waits until the page has done all that it was asked for."""
        self._page.wait_for_selector("main[aria-busy=false]")

    @property
    def error(self) -> str | None:
        """The message of the page, if it shows one."""
        message = self._page.locator("#message")
        return message.inner_text() if message.is_visible() else None

    @property
    def scores(self) -> dict[str, float]:
        """Names and scores that the page shows, highest first."""
        if not self._page.locator("#result").is_visible():
            return {}
        names = self._page.locator("#classes .name").all_inner_texts()
        scores = self._page.locator("#classes .score").evaluate_all(
            "elements => elements.map((element) => Number(element.value))"
        )
        return dict(zip(names, scores, strict=True))

    @property
    def text(self) -> str:
        """All words of the page."""
        return self._page.locator("main").inner_text()

    def take_picture(self, path: pathlib.Path) -> None:
        """Writes what the page looks like to a PNG file."""
        self._page.screenshot(path=path, full_page=True, animations="disabled")


@contextlib.contextmanager
def serve(folder: pathlib.Path):
    """Serves a folder as `python -m http.server` does; yields its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("localhost", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Logs nothing."""


@contextlib.contextmanager
def browser():
    """Starts Chromium; yields a function that opens the page at an address."""
    from playwright.sync_api import sync_playwright

    # Chromium has no sandbox for root, who is the user in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    path = _chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)

        def open_page(address):
            page = chromium.new_page(viewport=SIZE)
            page.goto(address)
            opened = Page(page)
            opened.wait()
            return opened

        yield open_page
        chromium.close()


def main():
    """Takes the picture."""
    from se_keras.data import open_source

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data_dir")
    parser.add_argument("--number", type=int, default=0, help="In the test split")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/web.png")
    arguments = parser.parse_args()
    source = open_source(arguments.dataset, arguments.data_dir)
    records = source.records("test").skip(arguments.number)
    encoded, _ = next(records.as_numpy_iterator())
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder) / "image.png"
        image.write_bytes(encoded)
        with serve(PAGE) as address, browser() as open_page:
            page = open_page(address)
            page.choose("model", arguments.model)
            page.choose("image", image)
            page.take_picture(arguments.output)
            print(page.error or page.scores)


if __name__ == "__main__":
    main()

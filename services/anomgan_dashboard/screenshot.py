"""A picture of a running dashboard: `python -m anomgan_dashboard.screenshot URL OUT.png [--dark]`.

Needs the Python package playwright (extra `test`) and a chromium on PATH.
"""

import shutil
from pathlib import Path

import click

from anomgan.errors import AnomganError, ServerError
from anomgan_cli.terminal import say

BROWSER_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # containers and root have none to offer; the page shown is our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FILLED = "tbody tr, .tile, .chart canvas, .entry, .truth, .empty"
"""What a page shows once its first answer has come."""


def take(url: str, out: Path, width: int = 1440, height: int = 900, dark: bool = False) -> None:
    """Write a PNG of the page at `url` as soon as it shows something; raises ServerError that says what is missing."""
    chromium = find_chromium()
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ServerError("screenshot: the Python package playwright is not installed (extra `test`)") from None
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_ARGUMENTS))
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
            )
            page.goto(url)
            page.wait_for_selector(FILLED)
            page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            page.screenshot(path=out)
            browser.close()
    except Error as error:
        raise ServerError(f"screenshot: {url}: {error.message.splitlines()[0]}") from None


def find_chromium() -> str:
    """The browser's path; ServerError where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise ServerError("screenshot: no chromium on PATH")
    return chromium


@click.command()
@click.argument("url")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--width", default=1440, show_default=True)
@click.option("--height", default=900, show_default=True)
@click.option("--dark", is_flag=True, help="The dark theme.")
def main(url: str, out: Path, width: int, height: int, dark: bool) -> None:
    """Write a picture of the dashboard page at URL to OUT."""
    try:
        take(url, out, width, height, dark)
    except AnomganError as error:
        say(error, err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()

"""A viewer for browser tests: a tab in a real Chromium, all that went wrong in it, and a dashboard to look at."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright
from servers import eventually, require

from anomgan_dashboard import create_app, listen, serve
from anomgan_dashboard.screenshot import BROWSER_ARGUMENTS
from anomgan_dashboard.serve import url_of

EXPECT_MS = 30_000
expect.set_options(timeout=EXPECT_MS)
PHONE, DESK = (375, 812), (1440, 1000)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A Chromium of its own."""
    chromium = require("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_ARGUMENTS))
        try:
            yield started
        finally:
            started.close()


class Viewer:
    """One tab, and all that went wrong in it. `url` is what it looks at."""

    def __init__(self, browser: Browser, url: str, size: tuple[int, int] = DESK, **more: Any) -> None:
        self.url = url
        viewport = {"width": size[0], "height": size[1]}
        self.context = browser.new_context(viewport=viewport, timezone_id="UTC", **more)  # type: ignore[arg-type]
        self.context.set_default_timeout(EXPECT_MS)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.hosts: set[str | None] = set()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def see(self, address: str) -> Page:
        """Go there."""
        self.page.goto(self.url + address)
        return self.page


@contextmanager
def viewing(browser: Browser, url: str, size: tuple[int, int] = DESK, **more: Any) -> Iterator[Viewer]:
    """A tab; at the end nothing may have gone wrong in it, and it may have asked nobody but us."""
    tab = Viewer(browser, url, size, **more)
    try:
        yield tab
    finally:
        tab.context.close()
    assert tab.wrong == []
    assert tab.hosts <= {"127.0.0.1"}


@contextmanager
def dashboard(path: Path, **more: Any) -> Iterator[str]:
    """The dashboard of a store, in a thread: its address."""
    listening = listen("127.0.0.1", 0)
    started: list[uvicorn.Server] = []
    thread = threading.Thread(target=serve, args=(create_app(path, **more), listening, started.append))
    thread.start()
    try:
        yield url_of(listening)
    finally:
        eventually(lambda: started, "the dashboard runs")[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()

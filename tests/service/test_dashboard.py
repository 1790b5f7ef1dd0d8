"""The page in a real browser: what a viewer sees, live, and what must never happen."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, expect, sync_playwright
from servers import eventually, free_port, http_answers, require
from synthetic_fleet import START_S, Fault, Member, fill, member_batch, plant

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan_dashboard import create_app, listen, serve
from anomgan_dashboard.screenshot import BROWSER_ARGUMENTS
from anomgan_dashboard.serve import url_of

ROWS = 1200
END_S = START_S + ROWS - 1
HOSTILE = "<script>alert(1)</script>"
TOKEN = "correct horse battery staple"  # noqa: S105 made up
EXPECT_MS = 15_000
expect.set_options(timeout=EXPECT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = require("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_ARGUMENTS))
        yield started
        started.close()


class Viewer:
    """One tab, and all that went wrong in it."""

    def __init__(self, browser: Browser, width: int, height: int, *, touch: bool = False) -> None:
        size = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, timezone_id="UTC", has_touch=touch)  # type: ignore[arg-type]
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


@pytest.fixture
def viewer(browser: Browser) -> Iterator[Viewer]:
    """A tab; at the end nothing may have gone wrong in it and it may have asked nobody but us."""
    tab = Viewer(browser, 1440, 1000)
    yield tab
    tab.context.close()
    assert tab.wrong == []
    assert tab.hosts <= {"127.0.0.1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def running(path: Path, token: str = "") -> Iterator[str]:
    """The dashboard of `path`, in a thread."""
    listening = listen("127.0.0.1", 0)
    started: list[uvicorn.Server] = []
    thread = threading.Thread(target=serve, args=(create_app(path, token=token), listening, started.append))
    thread.start()
    try:
        yield url_of(listening)
    finally:
        eventually(lambda: started, "the dashboard runs")[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def url(path: Path) -> Iterator[str]:
    yield from running(path)


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


@pytest.fixture
def members(store: SqliteStore) -> list[Member]:
    """Seven devices: the second anomalous, the sixth warming up, the last silent."""
    fleet = plant(7, ROWS)
    fill(store, fleet, range(ROWS))
    return fleet


def falls_ill(member: Member) -> Member:
    """The same device with a fault from now on."""
    return replace(member, faults=(Fault(ROWS, 10**9, 1.2),))


def device_row(page: Page, device: str) -> Locator:
    return page.locator("tbody tr").filter(has=page.get_by_role("link", name=device, exact=True))


def ink(page: Page) -> list[int]:
    """Per chart in sight: how many of its pixels are drawn on."""
    return page.eval_on_selector_all(
        ".chart canvas",
        """all => all.map((chart) => {
             const copy = new OffscreenCanvas(chart.width, chart.height).getContext("2d", { willReadFrequently: true });
             copy.drawImage(chart, 0, 0);
             const pixels = copy.getImageData(0, 0, chart.width, chart.height).data;
             return pixels.filter((value, i) => i % 4 === 3 && value > 0).length;
           })""",
    )


# ---------------------------------------------------------------- fleet


def test_the_fleet_shows_every_device_with_its_state_and_first_what_needs_attention(
    url: str, viewer: Viewer, members: list[Member]
) -> None:
    page = viewer.page
    page.goto(url)
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(7)
    expect(page.locator("tbody .state")).to_have_text(["Anomalous", "Silent", "Warming up", *["Normal"] * 4])
    assert page.locator("tbody .name a").all_inner_texts()[:3] == ["pump-2", "pump-7", "pump-6"]
    expect(rows.nth(0)).to_contain_text("critical")
    expect(rows.nth(0)).to_contain_text("flow is")
    expect(rows.nth(1).locator(".seen")).to_have_text(re.compile(r"^([6-9]|[1-5][0-9]) min\b.*ago$"))
    expect(rows.nth(2).locator(".meter .value")).to_have_text("–")
    assert "L" in (rows.nth(0).locator(".spark path").first.get_attribute("d") or "")


def test_search_and_state_narrow_the_fleet_and_stand_in_the_address(
    url: str, viewer: Viewer, members: list[Member]
) -> None:
    page = viewer.page
    page.goto(url)
    expect(page.locator("tbody tr")).to_have_count(7)
    page.keyboard.press("/")
    page.keyboard.type("cold north")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.goto(page.url)  # a shared link
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Search devices").fill("")
    page.get_by_role("button", name="Silent 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.url == f"{url}/?state=silent"
    page.get_by_label("Search devices").fill("nothing of the sort")
    expect(page.get_by_text("No device matches")).to_be_visible()


def test_new_verdicts_and_events_appear_without_a_reload(
    url: str, viewer: Viewer, store: SqliteStore, members: list[Member]
) -> None:
    page = viewer.page
    page.goto(url)
    expect(page.locator("tbody .state[data-state=anomalous]")).to_have_count(1)
    page.evaluate("window.sameDocument = true")
    told = member_batch(falls_ill(members[0]), range(ROWS, ROWS + 60))
    store.write(told)
    expect(page.locator("tbody .state[data-state=anomalous]")).to_have_count(2)
    expect(device_row(page, members[0].device)).to_contain_text("flow is")
    expect(page.locator("#pulse")).to_contain_text("Live")
    page.get_by_role("link", name="Events").click()
    expect(page.locator(".entry[data-state=open]")).to_have_count(2)
    store.write(Batch(events=[replace(told.events[0], state="closed")]))
    expect(page.locator(".entry[data-state=open]")).to_have_count(1)
    assert page.evaluate("window.sameDocument")


def test_a_page_opened_before_the_store_exists_wakes_up_with_the_first_readings(
    url: str, viewer: Viewer, path: Path
) -> None:
    page = viewer.page
    page.goto(url)
    expect(page.locator("main")).to_contain_text("Waiting for the first readings")
    assert not path.exists()
    store = SqliteStore(path)
    fill(store, plant(5, 300, troubled=False), range(300))
    expect(page.locator("tbody tr")).to_have_count(5)
    store.close()


def test_a_store_made_anew_replaces_the_old_devices(url: str, viewer: Viewer, path: Path) -> None:
    page = viewer.page
    for count in (5, 3):
        for file in path.parent.glob("store.db*"):
            file.unlink()
        store = SqliteStore(path)
        fill(store, plant(count, 300, troubled=False), range(300))
        if count == 5:
            page.goto(url)
        expect(page.locator("tbody tr")).to_have_count(count)
        store.close()


def test_a_thousand_devices_are_listed_as_one_scrolls(url: str, viewer: Viewer, store: SqliteStore) -> None:
    page = viewer.page
    fill(store, plant(1000, 20, troubled=False), range(10, 20))
    page.goto(url)
    expect(page.get_by_role("button", name="All 1000")).to_be_visible()
    assert page.locator("tbody tr").count() <= 300

    def rows_after_scrolling() -> int:
        page.mouse.wheel(0, 100_000)
        return page.locator("tbody tr").count()

    eventually(lambda: rows_after_scrolling() == 1000, "every device is listed")
    page.keyboard.press("/")
    page.keyboard.type("pump-0777")
    expect(page.locator("tbody .name a")).to_have_text(["pump-0777"])


# ---------------------------------------------------------------- device


def test_a_device_shows_a_chart_for_its_surprise_its_witnesses_and_every_channel(
    url: str, viewer: Viewer, members: list[Member]
) -> None:
    page = viewer.page
    page.goto(url)
    page.get_by_role("link", name="pump-2").click()
    titles = [name for name, *_ in members[1].kind.channels]
    expect(page.locator(".chart-title")).to_have_text(
        ["Surprise", "Discriminator", "Reconstruction", "Pattern", "Sensor health", *titles]
    )
    expect(page.locator(".chart .unit").first).to_have_text("m³/h")
    expect(page.locator(".chart canvas").first).to_be_visible()
    eventually(lambda: len(ink(page)) >= 4 and min(ink(page)) > 1000, "every chart in sight is drawn")
    expect(page.locator(".event-panel .sentence")).to_contain_text("flow is")
    expect(page.locator(".event-panel tbody tr")).to_have_count(3)
    assert page.url == f"{url}/device?site=north&device=pump-2"


def test_the_cursor_reads_all_charts_at_one_time(url: str, viewer: Viewer, members: list[Member]) -> None:
    page = viewer.page
    page.goto(f"{url}/device?site=north&device=pump-2&start={START_S + 100}&end={START_S + 200}")
    over = page.locator(".chart .u-over").first
    expect(over).to_be_visible()
    before = page.locator(".chart .values").all_inner_texts()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(page.locator("aside h2 .when")).to_have_text("at 08:02:30")
    after = page.locator(".chart .values").all_inner_texts()
    assert all(now != then for now, then in zip(after, before, strict=True))


def test_dragging_zooms_and_the_address_remembers(url: str, viewer: Viewer, members: list[Member]) -> None:
    page = viewer.page
    page.goto(f"{url}/device?site=north&device=pump-2")
    box = page.locator(".chart .u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 30, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")
    query = dict(part.split("=") for part in urlsplit(page.url).query.split("&"))
    assert float(query["start"]) == pytest.approx(END_S - 675, abs=5)
    assert float(query["end"]) == pytest.approx(END_S - 225, abs=5)
    shown = page.locator(".span").inner_text()
    page.goto(page.url)  # a shared link
    expect(page.locator(".span")).to_have_text(shown)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".span")).not_to_have_text(shown)
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")


def test_a_device_follows_its_readings_live(
    url: str, viewer: Viewer, store: SqliteStore, members: list[Member]
) -> None:
    page = viewer.page
    page.goto(f"{url}/device?site=south&device=pump-1")
    figure = page.locator(".figure dd").first
    expect(page.locator(".device-head .state")).to_have_text("Normal")
    expect(page.locator(".figure").last).to_contain_text("now")
    store.write(member_batch(falls_ill(members[0]), range(ROWS, ROWS + 90)))
    expect(page.locator(".device-head .state")).to_have_text("Anomalous")
    expect(figure).to_have_attribute("data-alarm", "")
    expect(page.locator(".event-panel")).to_be_visible()
    expect(page.locator("aside .entry[data-state=open]")).to_have_count(1)
    expect(page.locator(".span")).to_contain_text("08:21:29")


def test_an_event_leads_to_its_stretch_of_the_device_and_the_link_can_be_shared(
    url: str, viewer: Viewer, members: list[Member]
) -> None:
    page = viewer.page
    page.goto(f"{url}/events")
    page.locator(".entry").filter(has_text="pump-2").first.click()
    page.get_by_role("link", name="Device page").click()
    expect(page.locator(".event-panel")).to_be_visible()
    expect(page.locator("aside .entry[data-selected]")).to_have_count(1)
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")
    sentence, shown = page.locator(".sentence").inner_text(), page.locator(".span").inner_text()
    page.goto(page.url)
    expect(page.locator(".sentence")).to_have_text(sentence)
    expect(page.locator(".span")).to_have_text(shown)
    page.keyboard.press("Escape")
    expect(page.locator("aside .entry[data-selected]")).to_have_count(0)


# ---------------------------------------------------------------- what must not happen


def test_names_from_devices_are_only_text(url: str, viewer: Viewer, store: SqliteStore) -> None:
    member = replace(plant(1, 300, troubled=False)[0], device=HOSTILE, site='"><img src=x onerror=alert(2)>')
    channels = ((f"{HOSTILE}flow", "<b>m</b>", *member.kind.channels[0][2:]), *member.kind.channels[1:])
    member = replace(member, kind=replace(member.kind, channels=channels), faults=(Fault(200, 10**9, 1.2),))
    store.write(member_batch(member, range(300)))
    page = viewer.page
    page.goto(url)
    expect(page.locator("tbody .name a")).to_have_text([HOSTILE])
    page.locator("tbody .name a").click()
    expect(page.locator("h1")).to_contain_text(HOSTILE)
    expect(page.locator(".sentence")).to_contain_text(f"{HOSTILE}flow is")
    expect(page.locator(".half .chart-title").first).to_have_text(f"{HOSTILE}flow")
    page.get_by_role("link", name="Event page").click()
    expect(page.locator("h1.sentence")).to_contain_text(f"{HOSTILE}flow is")
    expect(page.locator(".crumb")).to_contain_text(HOSTILE)
    expect(page.locator(".order .name").first).to_have_text(f"{HOSTILE}flow")
    page.locator("nav").get_by_role("link", name="Events").click()
    expect(page.locator(".entry .who a")).to_have_text([HOSTILE])
    assert page.locator("main script, main img, main b").count() == 0


def test_the_page_fits_a_phone(browser: Browser, url: str, members: list[Member]) -> None:
    tab = Viewer(browser, 390, 844)
    pages = [("/", "tbody tr"), ("/device?site=north&device=pump-2", ".chart"), ("/events", ".entry")]
    tab.page.goto(f"{url}/events")
    pages.append((tab.page.locator(".entry-link").first.get_attribute("href") or "", ".half"))
    for address, content in pages:
        tab.page.goto(url + address)
        expect(tab.page.locator(content).first).to_be_visible()
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390, address
    tab.context.close()
    assert tab.wrong == []


def test_a_token_is_asked_for_and_remembered(viewer: Viewer, path: Path, members: list[Member]) -> None:
    for url in running(path, TOKEN):
        page = viewer.page
        page.goto(f"{url}/events")
        page.get_by_label("Access token").fill("not it")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("That is not the token.")).to_be_visible()
        page.get_by_label("Access token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator(".entry").first).to_be_visible()
        assert page.url == f"{url}/events"


CONFIG = """
[[fleets]]
model = "model.safetensors"
topic = "plant/{{device}}/telemetry"
[store.sqlite]
path = "{path}"
[dashboard]
port = {port}
"""


def test_a_restart_of_the_service_is_survived_without_a_reload(
    browser: Browser, tmp_path: Path, path: Path, store: SqliteStore, members: list[Member]
) -> None:
    """The real command, ended and started again on its port; only the browser's own notes of it are allowed."""
    port = free_port()
    config = tmp_path / "service.toml"
    config.write_text(CONFIG.format(path=path, port=port))
    command = [sys.executable, "-c", "from anomgan_cli.dashboard import dashboard; dashboard()", str(config)]
    url = f"http://127.0.0.1:{port}"
    tab = Viewer(browser, 1440, 1000)
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    second: subprocess.Popen[str] | None = None
    try:
        assert first.stdout is not None
        assert url in first.stdout.readline()
        tab.page.goto(f"{url}/device?site=south&device=pump-1")
        expect(tab.page.locator("#pulse")).to_contain_text("Live")
        tab.page.evaluate("window.sameDocument = true")
        first.terminate()
        first.wait(20)
        expect(tab.page.locator("#pulse")).to_have_text("Reconnecting…")
        store.write(member_batch(falls_ill(members[0]), range(ROWS, ROWS + 90)))
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        eventually(lambda: http_answers(f"{url}/healthz"), "the dashboard answers again")
        expect(tab.page.locator(".device-head .state")).to_have_text("Anomalous")
        expect(tab.page.locator("#pulse")).to_contain_text("Live")
        assert tab.page.evaluate("window.sameDocument")
    finally:
        tab.context.close()
        for process in (first, second):
            if process is not None and process.stdout is not None:
                process.terminate()
                process.wait(20)
                process.stdout.close()
    assert [said for said in tab.wrong if "Failed to load resource" not in said] == []


def test_a_picture_can_be_taken_of_a_running_page(url: str, members: list[Member], tmp_path: Path) -> None:
    require("chromium")
    out = tmp_path / "page.png"
    command = [sys.executable, "-m", "anomgan_dashboard.screenshot", "--width", "800", "--height", "600", "--dark"]
    subprocess.run([*command, f"{url}/device?site=north&device=pump-2", out], check=True, timeout=120)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert out.stat().st_size > 20_000
    refused = subprocess.run(
        [*command, f"http://127.0.0.1:{free_port()}", out], capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "ERR_CONNECTION_REFUSED" in refused.stderr

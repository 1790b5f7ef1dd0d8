"""How the page behaves whatever it shows: keys, screen readers, small screens, colours, great fleets, hostile names."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from servers import eventually
from synthetic_fleet import START_S, Fault, fill, live, member_batch, plant
from viewing import PHONE, browsing, dashboard, viewing

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.records import HealthIssue
from anomgan_dashboard.app import PAGES

ROWS = 1200
HOSTILE = "<script>alert(1)</script>"
LONG = "north-eastern-pumping-station-number-17-second-floor-behind-the-old-boiler-house/pump-with-a-long-name"


class Simulator:
    """Answers as a running simulator would, about devices with the names given."""

    def __init__(self, device: str = "pump-2", site: str = "north") -> None:
        self.device, self.site = device, site

    def __call__(self, command: str, fields: Any) -> dict[str, Any]:
        """The data of the answer."""
        if command == "plant":
            channels = [{"name": f"{self.device}-flow", "unit": self.site, "faults": ["bias"]}]
            kinds = {
                self.device: {"channels": channels, "faults": [{"name": self.device, "graded": True, "signed": True}]}
            }
            bias = {"graded": True, "usual": 4, "signed": True, "most": None, "channels": 1}
            devices = [{"site": self.site, "kind": self.device, "name": self.device, "count": 2}]
            return {
                "run": "1",
                "period_s": 1,
                "speed": 1,
                "devices": devices,
                "kinds": kinds,
                "sensor_faults": {"bias": bias},
            }
        fault = {
            "number": 1, "site": self.site, "device": self.device, "kind": self.device,
            "channels": [f"{self.device}-flow"], "severity": 2, "injected": True, "stopped": False,
            "plan": {"device": self.device}, "event": None, "issue": None,
            "start_s": START_S + 900, "end_s": START_S + 1300,
        }  # fmt: skip
        return {"run": "1", "time_s": START_S + ROWS, "end_s": None, "speed": 1, "present": 1, "faults": [fault]}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as started:
        yield started


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Seven devices: one anomalous, one warming up, one silent, one with a stuck sensor; and a simulator."""
    path = tmp_path_factory.mktemp("store") / "store.db"
    store = SqliteStore(path)
    fleet = plant(7, ROWS)
    fleet[3] = replace(fleet[3], device=LONG)
    fill(store, fleet, range(ROWS))
    issue = HealthIssue(
        "i", fleet[0].device, fleet[0].site, "flow", "stuck", "open", START_S, START_S + 9, "flow is stuck"
    )
    store.write(Batch(issues=[issue]))
    store.close()
    with dashboard(path, simulator=Simulator()) as address:
        yield address


VIEWS = {
    "/": "tbody tr",
    "/?layout=tiles": ".tile",
    "/events": ".entry",
    "/device?site=north&device=pump-2": ".chart canvas",
    "/simulator": ".truth",
    "/event?id=north.pump-2.1767600999": "main h1",
    "/models": "main h1",
}
VIEWS = {address: drawn for address, drawn in VIEWS.items() if urlsplit(address).path in (*PAGES, "/simulator")}


def focused(page: Page) -> str:
    """What has the focus, in words."""
    script = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
    return str(page.evaluate(script))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", VIEWS)
def test_nothing_that_a_checker_of_accessibility_can_see_is_wrong(
    browser: Browser, url: str, address: str, scheme: str
) -> None:
    """The rules of axe for WCAG 2.1, A and AA: names, roles, contrast, order of headings."""
    with viewing(browser, url, color_scheme=scheme, reduced_motion="reduce") as tab:
        page = tab.see(address)
        expect(page.locator(VIEWS[address]).first).to_be_visible()
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": rules}}).response["violations"]
        told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
        assert told == []


@pytest.mark.parametrize("address", VIEWS)
def test_no_view_is_wider_than_a_phone_not_even_with_long_names(browser: Browser, url: str, address: str) -> None:
    with viewing(browser, url, PHONE) as tab:
        page = tab.see(address)
        expect(page.locator(VIEWS[address]).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_device_can_be_found_and_opened_with_keys_alone(browser: Browser, url: str) -> None:
    with viewing(browser, url) as tab:
        page = tab.see("/")
        expect(page.locator("tbody tr")).to_have_count(7)
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to content"
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert focused(page) == "Fleet"
        outline = "() => getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("ArrowDown")
        assert focused(page) == "pump-2"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("ArrowDown")
        assert focused(page) == "pump-7"
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert focused(page) == "Search devices"
        page.keyboard.type("pump-1")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("pump-1")


def test_a_question_mark_shows_the_keys_and_escape_hides_them(browser: Browser, url: str) -> None:
    with viewing(browser, url) as tab:
        for address in VIEWS:
            page = tab.see(address)
            expect(page.locator(VIEWS[address]).first).to_be_visible()
            page.keyboard.press("?")
            expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_tiles_are_a_choice_that_the_address_remembers(browser: Browser, url: str) -> None:
    with viewing(browser, url) as tab:
        page = tab.see("/")
        page.get_by_role("button", name="Tiles").click()
        tiles = page.locator(".tile")
        expect(tiles).to_have_count(7)
        assert page.url.endswith("/?layout=tiles")
        assert tiles.locator(".name a").all_inner_texts()[:3] == ["pump-2", "pump-7", "pump-6"]
        expect(tiles.first).to_contain_text("Critical", ignore_case=True)
        expect(tiles.first.locator(".reason")).to_contain_text("flow is")
        expect(tiles.nth(1).locator(".seen")).to_have_text(re.compile(r"^([6-9]|[1-5][0-9]) min\b.*ago$"))
        assert "L" in (tiles.first.locator(".spark path").first.get_attribute("d") or "")
        page.goto(page.url)  # a shared link
        expect(tiles).to_have_count(7)
        page.get_by_label("Search devices").fill("cold north")
        expect(tiles).to_have_count(2)
        page.get_by_role("button", name="Rows").click()
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(tiles).to_have_count(0)
        assert page.url.endswith("/?q=cold+north")


def test_an_event_that_comes_or_goes_moves_no_column(browser: Browser, url: str) -> None:
    lefts = "(headings) => headings.map((heading) => heading.getBoundingClientRect().left)"
    with viewing(browser, url) as tab:
        page = tab.see("/")
        expect(page.locator("tbody .reason")).to_have_count(1)
        before = page.locator("thead th").evaluate_all(lefts)
        page.get_by_role("button", name="Normal").click()
        expect(page.locator("tbody .reason")).to_have_count(0)
        assert page.locator("thead th").evaluate_all(lefts) == before


def test_tiles_live_on_as_rows_do(browser: Browser, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    fleet = [replace(member, faults=()) for member in plant(3, 300, troubled=False)]
    fill(store, fleet, range(300))
    with dashboard(tmp_path / "store.db") as url, viewing(browser, url) as tab:
        page = tab.see("/?layout=tiles")
        expect(page.locator(".tile[data-state=normal]")).to_have_count(3)
        page.evaluate("window.sameDocument = true")
        ill = replace(fleet[2], faults=(Fault(300, 10**9, 1.2),))
        store.write(member_batch(ill, range(300, 390)))
        expect(page.locator(".tile").first).to_have_attribute("data-state", "anomalous")
        expect(page.locator(".tile").first.locator(".name a")).to_have_text(ill.device)
        assert page.evaluate("window.sameDocument")
    store.close()


def test_names_from_devices_are_only_text_in_every_view(browser: Browser, tmp_path: Path) -> None:
    """Device, site, channel, unit, model, reason, note, and what the simulator says."""
    store = SqliteStore(tmp_path / "store.db")
    member = plant(1, 300, troubled=False)[0]
    channels = ((f"{HOSTILE}flow", HOSTILE, *member.kind.channels[0][2:]), *member.kind.channels[1:])
    kind = replace(member.kind, channels=channels, model=HOSTILE)
    batch = member_batch(
        replace(member, device=HOSTILE, site=HOSTILE, kind=kind, faults=(Fault(200, 10**9, 1.2),)), range(300)
    )
    events = [replace(event, reason=HOSTILE, note=HOSTILE) for event in batch.events]
    issue = HealthIssue("i", HOSTILE, HOSTILE, HOSTILE, "stuck", "open", START_S, START_S + 9, HOSTILE)
    store.write(replace(batch, events=events, issues=[issue]))
    simulator = Simulator(HOSTILE, HOSTILE)
    with dashboard(tmp_path / "store.db", simulator=simulator) as url, viewing(browser, url) as tab:
        page = tab.see("/")
        for address in ("/", "/?layout=tiles", "/events", "/simulator"):
            page = tab.see(address)
            expect(page.locator("main a").filter(has_text=HOSTILE).first).to_be_visible()
            assert page.locator("main script, main img").count() == 0
        page.locator("main a").filter(has_text=HOSTILE).first.click()
        expect(page.locator("h1")).to_contain_text(HOSTILE)
        expect(page.locator(".chart canvas").first).to_be_visible()
        assert page.locator("main script, main img").count() == 0
    store.close()


def test_five_thousand_devices_can_be_searched_scrolled_and_watched(browser: Browser, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    fleet = plant(5000, 20, troubled=False)
    fill(store, fleet, range(16, 20))
    with dashboard(tmp_path / "store.db") as url, viewing(browser, url) as tab:
        page = tab.see("/")
        expect(page.get_by_role("button", name="All 5000")).to_be_visible()
        assert page.locator("tbody tr").count() <= 300
        page.keyboard.press("/")
        page.keyboard.type("4999")
        expect(page.locator("tbody .name a")).to_have_text(["pump-4999"])
        page.get_by_label("Search devices").fill("")

        def rows_after_scrolling() -> int:
            page.mouse.wheel(0, 100_000)
            return page.locator("tbody tr").count()

        eventually(lambda: rows_after_scrolling() >= 1000, "more rows come as one scrolls")
        sizes: list[int] = []
        page.on("response", lambda answer: sizes.append(len(answer.body())) if "/api/fleet" in answer.url else None)
        next(live(store, fleet[:10], 20))
        page.get_by_label("Search devices").fill(fleet[3].device)
        expect(page.locator("tbody tr")).to_have_count(1)
        eventually(lambda: page.evaluate("1") and sizes and max(sizes) > 500, "the ten that changed are told")
        assert max(sizes) < 20_000  # and not the five thousand
    store.close()


def test_the_frame_tells_no_other_site_and_nothing_is_asked_of_one(browser: Browser, url: str) -> None:
    with viewing(browser, url) as tab:
        for address in VIEWS:
            tab.see(address)
            expect(tab.page.locator(VIEWS[address]).first).to_be_visible()
        policy = tab.page.request.get(url).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert re.search(r"unsafe|\*|https?:", policy) is None

"""An event's page in a real browser: what it says, that it can be shared, and what its buttons do."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Page, expect
from servers import eventually
from synthetic_fleet import START_S, Fault, Member, fill, plant
from test_dashboard import EXPECT_MS, Viewer, browser, path, store, viewer

from anomgan.adapters.ports import AuditEntry, Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import open_reader
from anomgan.errors import Refused
from anomgan.expected import Expected
from anomgan_dashboard import create_app, listen, serve
from anomgan_dashboard.serve import url_of

__all__ = ["browser", "path", "store", "viewer"]  # fixtures
expect.set_options(timeout=EXPECT_MS)
ROWS = 1200


class Service:
    """A detector service that keeps what it was asked, or refuses."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal = ""

    def __call__(self, command: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        if self.refusal:
            raise Refused(self.refusal)
        self.asked.append((command, dict(fields)))
        if command == "mute":
            return {**fields, "until_s": START_S + fields["for_s"], "events": []}
        learned = {fields["event"]: {"alarming_before": 12, "alarming_now": 0}}
        return {"says": fields.get("says"), "learned": learned}


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def url(path: Path, service: Service) -> Iterator[str]:
    """The dashboard with a service behind its buttons."""
    listening = listen("127.0.0.1", 0)
    started: list[uvicorn.Server] = []
    app = create_app(path, ask=service)
    thread = threading.Thread(target=serve, args=(app, listening, started.append))
    thread.start()
    try:
        yield url_of(listening)
    finally:
        eventually(lambda: started, "the dashboard runs")[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def events(store: SqliteStore, path: Path) -> dict[str, str]:
    """Two pumps with the same fault, once each before, and one of them again now; ids by what they are."""
    faults = {"now": Fault(ROWS - 210, 10**9, 1.3), "before": Fault(300, 420, 1.1)}
    pump, other = plant(2, ROWS)
    members = [
        Member(pump.kind, "pump-1", "south", (faults["before"], faults["now"]), 3, 10**9),
        Member(other.kind, "pump-2", "north", (Fault(500, 640, 1.2),), 4, 10**9),
    ]
    fill(store, members, range(ROWS))
    with open_reader(path) as reader:
        found = sorted(reader.events(), key=lambda event: event.start_s)
    return dict(zip(("before", "elsewhere", "now"), (event.id for event in found), strict=True))


def open_event(page: Page, url: str, event_id: str) -> None:
    page.goto(f"{url}/event?id={event_id}")
    expect(page.locator("h1.sentence")).to_be_visible()


def test_an_event_is_told_on_a_page_of_its_own(url: str, viewer: Viewer, events: dict[str, str]) -> None:
    page = viewer.page
    open_event(page, url, events["now"])
    expect(page.locator("h1.sentence")).to_contain_text("flow is")
    expect(page.locator(".event-state")).to_contain_text("Open for")
    expect(page.locator(".order .place")).to_have_text(["1st", "2nd", "3rd"])
    expect(page.locator(".order .when").nth(1)).to_have_text("+2 s")
    titles = page.locator(".event-plots .half .chart-title")
    expect(titles).to_have_text(["flow", "motor current", "vibration"])
    expect(page.locator(".half .value[data-colour=outside]")).to_have_count(3)  # read out at the peak
    page.get_by_role("button", name="All 8 channels").click()
    expect(titles).to_have_count(8)
    page.get_by_role("link", name="Device page").click()
    expect(page.locator(".event-panel")).to_be_visible()
    page.get_by_role("link", name="Event page").click()
    expect(page.locator("h1.sentence")).to_contain_text("flow is")


def test_what_was_imputed_is_drawn_and_said(
    url: str, viewer: Viewer, events: dict[str, str], store: SqliteStore, path: Path
) -> None:
    page = viewer.page
    open_event(page, url, events["now"])
    said = page.get_by_text("In the event this was imputed")
    read = page.locator(".half", has_text="flow").first.locator(".value[data-colour=expected]")
    expect(read).to_contain_text("expected")
    expect(said).to_be_hidden()
    with open_reader(path) as reader:
        event = reader.event(events["now"])
    assert event is not None
    times = np.arange(event.start_s, event.end_s + 1.0)
    middle = np.full((len(times), 1), 31.0)
    store.write(Batch(expected=[Expected(event.device, event.site, times, ("flow",), middle, middle - 2, middle + 3)]))
    page.reload()
    expect(said).to_be_visible()
    expect(read).to_have_text("imputed29 to 34")
    expect(page.locator(".half", has_text="motor current").locator(".value[data-colour=expected]")).to_contain_text(
        "expected"
    )


def test_past_events_like_it_are_shown_with_what_was_said_of_them(
    url: str, viewer: Viewer, events: dict[str, str], store: SqliteStore, path: Path
) -> None:
    with open_reader(path) as reader:
        before = reader.event(events["before"])
    assert before is not None
    store.write(Batch([], [replace(before, state="false_alarm", note="false alarm, says ada")]))
    page = viewer.page
    open_event(page, url, events["now"])
    rows = page.locator(".alike-row")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="pump-2").locator(".verdict")).to_contain_text("nothing said")
    own = rows.filter(has_not_text="pump-2")
    expect(own.locator(".verdict")).to_have_text("False alarm")
    expect(own.locator(".amount")).to_contain_text("% alike")
    expect(own.locator(".channels-of")).to_contain_text("flow ↓")
    own.locator("a").click()
    expect(page.locator(".event-state")).to_contain_text("False alarm")
    expect(page.get_by_role("button", name="False alarm")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".half .value[data-colour=outside]")).to_have_count(3)  # at the peak, although it is over
    expect(page.locator(".alike:not(.parts)")).to_have_text(
        "Nothing like it is remembered."
    )  # before it there was none


def test_the_log_leads_to_the_event_and_its_address_can_be_shared(
    url: str, viewer: Viewer, events: dict[str, str]
) -> None:
    viewer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = viewer.page
    page.goto(f"{url}/events")
    page.locator(".entry").filter(has_text="pump-2").click()
    expect(page.locator("h1.sentence")).to_be_visible()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = str(page.evaluate("navigator.clipboard.readText()"))
    sentence, span = page.locator("h1.sentence").inner_text(), page.locator(".span").inner_text()
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("h1.sentence")).to_have_text(sentence)
    expect(page.locator(".span")).to_have_text(span)


def test_where_a_browser_gives_no_clipboard_the_link_is_shown_to_be_copied(
    url: str, viewer: Viewer, events: dict[str, str]
) -> None:
    page = viewer.page
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined })")
    open_event(page, url, events["now"])
    page.get_by_role("button", name="Copy link").click()
    shown = page.get_by_label("Link to this event")
    expect(shown).to_have_value(f"{url}/event?id={events['now']}")
    assert page.evaluate("getSelection().toString()") == shown.input_value()


def test_buttons_say_what_it_was_and_mute_it_for_a_time(
    url: str, viewer: Viewer, events: dict[str, str], service: Service
) -> None:
    page = viewer.page
    open_event(page, url, events["now"])
    said = page.locator(".said")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.get_by_role("button", name="False alarm").click()
    expect(said).to_have_text("Noted. Of 12 such windows 0 would alarm now.")
    page.get_by_label("What to mute").select_option("channels")
    page.get_by_label("For how long").select_option("8 hours")
    page.get_by_role("button", name="Mute").click()
    expect(said).to_contain_text("Muted until")
    page.get_by_label("What to mute").select_option("this device")
    page.get_by_role("button", name="Mute").click()
    eventually(lambda: len(service.asked) == 3, "all three have come")
    named = {"site": "south", "device": "pump-1"}
    assert service.asked == [
        ("feedback", {"event": events["now"], "says": "false-alarm"}),
        ("mute", {**named, "channels": ["flow", "motor current", "vibration"], "for_s": 28800.0}),
        ("mute", {**named, "channels": [], "for_s": 28800.0}),
    ]
    service.refusal = "the detector service refuses: 10000 mutes are in force"
    page.get_by_role("button", name="Maintenance").click()
    expect(said).to_have_text(service.refusal)
    viewer.wrong = [text for text in viewer.wrong if "409" not in text]  # the browser's own word on the refusal


def test_a_mute_in_force_is_shown_and_ended(
    url: str, viewer: Viewer, events: dict[str, str], store: SqliteStore, service: Service
) -> None:
    mute = '{"device": "pump-1", "site": "south", "channels": ["flow"], "until_s": 4e9, "events": []}'
    store.write(Batch(audit=[AuditEntry(1.0, 1, "ada", "mute", "south/pump-1", mute)]))
    page = viewer.page
    open_event(page, url, events["now"])
    expect(page.locator(".mutes")).to_contain_text("flow muted until")
    page.get_by_role("button", name="End the mute").click()
    expect(page.locator(".said")).to_have_text("No longer muted.")
    assert service.asked == [("mute", {"site": "south", "device": "pump-1", "channels": ["flow"], "for_s": 0.0})]
    ended = '{"ended": 1, "device": "pump-1", "site": "south", "channels": ["flow"], "events": []}'
    store.write(Batch(audit=[AuditEntry(2.0, 2, "ada", "mute", "south/pump-1", ended)]))
    expect(page.locator(".mutes")).to_be_hidden()


def test_an_event_goes_on_and_closes_before_ones_eyes(
    url: str, viewer: Viewer, events: dict[str, str], store: SqliteStore, path: Path
) -> None:
    page = viewer.page
    open_event(page, url, events["now"])
    page.evaluate("window.sameDocument = true")
    with open_reader(path) as reader:
        event = reader.event(events["now"])
    assert event is not None
    store.write(Batch([], [replace(event, state="closed", end_s=event.end_s + 60.0, reason="it is <b>over</b>")]))
    expect(page.locator(".event-state")).to_contain_text("Closed, lasted")
    expect(page.locator("h1.sentence")).to_have_text("it is <b>over</b>")
    assert page.evaluate("window.sameDocument")


def test_an_unknown_event_is_told(url: str, viewer: Viewer, events: dict[str, str]) -> None:
    page = viewer.page
    page.goto(f"{url}/event?id=<b>nothing</b>")
    expect(page.locator(".empty-title")).to_have_text("No such event")
    viewer.wrong = [text for text in viewer.wrong if "404" not in text]


def test_keys_move_through_time_and_come_back(url: str, viewer: Viewer, events: dict[str, str]) -> None:
    page = viewer.page
    open_event(page, url, events["elsewhere"])
    span = page.locator(".span")
    expect(span).to_contain_text("08:")
    around = span.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("+")
    expect(span).not_to_have_text(around)
    expect(page.get_by_role("button", name="Back to the event")).to_be_visible()
    page.keyboard.press("Escape")
    expect(span).to_have_text(around)


def test_a_fleet_wide_event_leads_to_those_of_its_devices(
    url: str, viewer: Viewer, events: dict[str, str], store: SqliteStore, path: Path
) -> None:
    with open_reader(path) as reader:
        parts = [event for event in reader.events() if event.id != events["before"]]
    whole = replace(
        parts[0], id="fleet:pump@1", device="fleet:pump", site="", members=2, reason="2 of 2 at once", onsets=()
    )
    store.write(Batch([], [whole, *(replace(part, part_of=whole.id) for part in parts)]))
    page = viewer.page
    open_event(page, url, whole.id)
    expect(page.locator(".parts .alike-row .name")).to_have_text([part.device for part in parts])
    expect(page.locator(".event-plots")).to_be_hidden()
    expect(page.get_by_role("link", name="Device page")).to_be_hidden()
    page.locator(".parts a").last.click()
    expect(page.locator(".note-of-event")).to_have_text("Told as part of an event of many devices.")
    page.get_by_role("link", name="an event of many devices").click()
    expect(page.locator("h1.sentence")).to_have_text("2 of 2 at once")

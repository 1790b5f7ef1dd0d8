"""A device's page in a real browser: the band and what left it, the sensors' lane, and moving through time."""

import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from servers import eventually
from synthetic_fleet import START_S, Fault, fill, member_batch, plant
from test_dashboard import EXPECT_MS, Viewer, browser, path, store, url, viewer

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.records import HealthIssue

__all__ = ["browser", "path", "store", "url", "viewer"]  # fixtures
expect.set_options(timeout=EXPECT_MS)
ROWS = 1200
PUMP = plant(2, ROWS)[1]
COUNT_ADDRESSES = """
window.addresses = 0;
const before = History.prototype.replaceState;
History.prototype.replaceState = function (...given) {
  window.addresses += 1;
  return before.apply(this, given);
};
"""
BEGAN = ROWS - 210
"""the row in which its fault begins"""
PAGE = f"/device?site={PUMP.site}&device={PUMP.device}"


def issue(channel: str, first: int, last: int, *, state: str = "closed", reason: str = "it stood still") -> HealthIssue:
    times = (START_S + first, START_S + last)
    name = f"{channel}@{first}"
    return HealthIssue(name, PUMP.device, PUMP.site, channel, "stuck", state, *times, reason)  # type: ignore[arg-type]


@pytest.fixture
def pump(store: SqliteStore) -> SqliteStore:
    """The store of one pump with an open fault, and nothing wrong with its sensors."""
    fill(store, [PUMP], range(ROWS))
    return store


def chart(page: Page, title: str) -> Locator:
    return page.locator("figure.chart").filter(has=page.locator(".chart-title", has_text=title)).first


def painted(page: Page, title: str, variable: str) -> int:
    """How many pixels of a chart have a colour of the theme, hardly mixed with another."""
    return int(
        chart(page, title)
        .locator("canvas")
        .evaluate(
            """(canvas, name) => {
                 const probe = document.createElement("i");
                 probe.style.color = `var(--${name})`;
                 document.body.append(probe);
                 const wanted = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
                 probe.remove();
                 const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                 copy.drawImage(canvas, 0, 0);
                 const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
                 let count = 0;
                 for (let i = 0; i < data.length; i += 4) {
                   if (data[i + 3] > 200 && wanted.every((value, k) => Math.abs(data[i + k] - value) < 12)) count += 1;
                 }
                 return count;
               }""",
            variable,
        )
    )


def test_what_leaves_the_band_is_marked_and_read_out_with_band_and_unit(
    url: str, viewer: Viewer, pump: SqliteStore
) -> None:
    page = viewer.page
    page.goto(f"{url}{PAGE}&start={START_S + BEGAN - 100}&end={START_S + BEGAN + 100}")
    flow = chart(page, "flow")
    eventually(lambda: painted(page, "flow", "alarm") > 300, "what left the band is marked")
    expect(flow.locator(".value[data-colour=outside]")).to_contain_text("m³/h")
    flow.scroll_into_view_if_needed()
    box = flow.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)  # while it was still well
    expect(flow.locator(".value[data-colour=observed]")).to_contain_text("m³/h")
    low, high = flow.locator(".value[data-colour=expected]").inner_text().removeprefix("expected").split(" to ")
    assert float(low) < float(flow.locator(".value").first.inner_text().split()[0]) < float(high)
    expect(page.locator(".pointed")).to_have_text("08:15:40")
    page.goto(f"{url}{PAGE}&start={START_S + BEGAN - 300}&end={START_S + BEGAN - 100}")
    expect(flow.locator(".value[data-colour=observed]")).to_be_visible()
    eventually(lambda: painted(page, "flow", "observed") > 300, "the chart is drawn")
    assert painted(page, "flow", "alarm") == 0


def test_rows_of_before_bands_were_kept_show_the_line(url: str, viewer: Viewer, pump: SqliteStore, path: Path) -> None:
    pump.close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM band")
    connection.execute("UPDATE event SET onsets = '[]'")
    connection.commit()
    connection.close()
    page = viewer.page
    page.goto(url + PAGE)
    eventually(lambda: painted(page, "flow", "observed") > 300, "the chart is drawn")
    assert painted(page, "flow", "alarm") == 0
    expect(chart(page, "flow").locator(".value[data-colour=expected]")).to_have_text(re.compile(r"^expected[\d.]+$"))
    expect(page.locator(".order-line")).to_be_hidden()


def test_the_order_in_which_channels_left_normal_is_said(url: str, viewer: Viewer, pump: SqliteStore) -> None:
    page = viewer.page
    page.goto(url + PAGE)
    told = page.locator(".event-panel .order-line")
    expect(told).to_have_text("Left normal: 1st flow 08:16:34, 2nd motor current +3 s, 3rd vibration +14 s")


def test_the_lane_shows_when_which_sensor_was_sick_and_why(url: str, viewer: Viewer, pump: SqliteStore) -> None:
    now = issue("speed", ROWS - 150, ROWS - 140, state="open", reason="speed stood at <b>1460</b> rpm")
    pump.write(Batch(issues=[issue("flow", ROWS - 600, ROWS - 300), now, issue("flow", 100, 110)]))
    page = viewer.page
    page.goto(f"{url}{PAGE}&start={START_S + ROWS - 900}&end={START_S + ROWS}")
    lane = page.locator(".lane")
    expect(lane.locator(".lane-name")).to_have_text(["flow", "speed"])
    expect(lane.locator(".lane-bar")).to_have_count(2)
    expect(lane.locator(".lane-said")).to_contain_text("speed stood at <b>1460</b> rpm")  # it is so now
    plot = page.locator(".chart.wide .u-over").first.bounding_box()
    bar = lane.locator(".lane-bar").first.bounding_box()
    assert plot is not None
    assert bar is not None
    assert bar["x"] == pytest.approx(plot["x"] + plot["width"] * 300 / 900, abs=3)  # one axis with the charts
    assert bar["width"] == pytest.approx(plot["width"] * 300 / 900, abs=3)
    lane.locator(".lane-bar").first.hover()
    expect(lane.locator(".lane-said")).to_contain_text("stuck: it stood still")
    expect(lane.locator(".lane-said")).to_contain_text("lasted 5 min")
    eventually(lambda: painted(page, "flow", "silent") > 50, "the channel's own chart has the strip")
    assert painted(page, "discharge pressure", "silent") == 0
    pump.write(Batch(issues=[replace(now, state="closed")]))
    page.goto(f"{url}{PAGE}&start={START_S + ROWS - 100}&end={START_S + ROWS}")
    expect(lane.locator(".lane-said")).to_have_text("nothing wrong with the data here")


def shown_range(page: Page) -> tuple[float, float]:
    """What the address says, once it has settled."""
    start, end = (
        page.evaluate(
            "[...new URLSearchParams(location.search)].find(([key]) => key === name)?.[1] ?? 'NaN'".replace(
                "name", f"'{key}'"
            )
        )
        for key in ("start", "end")
    )
    return float(start), float(end)


def settled(page: Page, changed: Callable[[float, float], bool]) -> tuple[float, float]:
    """What the address says when it has changed so, and then stood still for longer than it takes to settle."""
    last, since_s = (0.0, 0.0), time.monotonic()

    def still() -> bool:
        nonlocal last, since_s
        now = shown_range(page)
        if now != last:
            last, since_s = now, time.monotonic()
        return changed(*now) and time.monotonic() - since_s > 1.0

    eventually(still, "the address says the stretch")
    return last


def test_the_wheel_zooms_about_the_pointer_pans_sideways_and_leaves_the_page_its_scrolling(
    url: str, viewer: Viewer, pump: SqliteStore
) -> None:
    page = viewer.page
    start, end = START_S + 200, START_S + 1000
    page.add_init_script(COUNT_ADDRESSES)
    page.goto(f"{url}{PAGE}&start={start}&end={end}")
    over = page.locator(".chart .u-over").first
    box = over.bounding_box()
    assert box is not None
    at = start + 0.25 * (end - start)
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 30)
    page.keyboard.down("Control")
    for _ in range(60):
        page.mouse.wheel(0, -1)
    page.keyboard.up("Control")
    assert page.evaluate("addresses") < 20  # browsers take only so many in ten seconds
    left, right = settled(page, lambda a, b: b - a < 0.7 * (end - start))
    assert left + 0.25 * (right - left) == pytest.approx(at, abs=2)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 200)
    page.keyboard.up("Shift")
    later, after = settled(page, lambda a, _: a > left + 1)
    assert after - later == pytest.approx(right - left, abs=0.01)
    page.mouse.wheel(-200, 0)
    settled(page, lambda a, _: abs(a - left) < 1)
    page.mouse.wheel(0, 300)
    eventually(lambda: page.evaluate("scrollY") > 100, "the page scrolls")
    assert shown_range(page)[0] == pytest.approx(left, abs=1)


def test_fingers_pan_and_pinch(browser: Browser, url: str, pump: SqliteStore) -> None:
    tab = Viewer(browser, 390, 844, touch=True)
    page = tab.page
    start, end = START_S + 200, START_S + 1000
    page.goto(f"{url}{PAGE}&start={start}&end={end}")
    over = page.locator(".chart .u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    device = tab.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + 40

    def touch(kind: str, *fingers: float) -> None:
        points = [{"x": at, "y": y, "id": i} for i, at in enumerate(fingers)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", x)
    for step in range(1, 11):
        touch("touchMove", x + 6 * step)
    touch("touchEnd")
    left, right = settled(page, lambda a, _: a < start - 100)
    assert left == pytest.approx(start - 60 * (end - start) / box["width"], abs=40)
    assert right - left == pytest.approx(end - start, abs=0.01)
    touch("touchStart", x - 20, x + 20)
    for step in range(1, 11):
        touch("touchMove", x - 20 - 4 * step, x + 20 + 4 * step)
    touch("touchEnd")
    a, b = settled(page, lambda a, b: b - a < 0.5 * (right - left))
    assert b - a == pytest.approx((right - left) * 40 / 120, rel=0.15)
    assert (a + b) / 2 == pytest.approx((left + right) / 2, abs=40)
    tab.context.close()
    assert tab.wrong == []


def test_live_goes_back_to_the_stretch_that_was_live(url: str, viewer: Viewer, pump: SqliteStore) -> None:
    page = viewer.page
    page.goto(url + PAGE)
    page.get_by_role("button", name="5 min", exact=True).click()
    page.keyboard.press("ArrowLeft")
    live = page.get_by_role("button", name="Live")
    expect(live).to_have_attribute("aria-pressed", "false")
    live.click()
    expect(page.get_by_role("button", name="5 min", exact=True)).to_have_attribute("aria-pressed", "true")
    healthy = replace(PUMP, faults=(Fault(BEGAN, 10**9, 1.3),))
    pump.write(member_batch(healthy, range(ROWS, ROWS + 30)))
    expect(page.locator(".span")).to_contain_text("08:20:29")

"""The page of models in a real browser: of a model that was trained, loaded and used by the service itself."""

import json
import threading
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import uvicorn
from examples import CHANNELS, normal_series, readings_of
from playwright.sync_api import Page, expect, sync_playwright
from servers import eventually, require

from anomgan.adapters.memory import MemorySource
from anomgan.adapters.model_folder import ModelFolder
from anomgan.adapters.ports import Batch, Store
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import DetectorConfig, ServiceConfig, parse_config
from anomgan.detector import Detector
from anomgan.model_file import pack
from anomgan.records import TimeSeries
from anomgan_dashboard import create_app, listen, serve
from anomgan_dashboard.screenshot import BROWSER_ARGUMENTS
from anomgan_dashboard.serve import url_of
from anomgan_detector.compose import open_journal
from anomgan_detector.renewal import Renewal
from anomgan_detector.service import DetectorService

START = 1_700_000_000.0
NOW = 1_800_000_000.0
HOSTILE = "<script>alert(1)</script>"
expect.set_options(timeout=30_000)


def moved(series: TimeSeries, device: str = "pump-1", channels: tuple[str, ...] = CHANNELS) -> TimeSeries:
    return TimeSeries(series.times + START, series.values, channels, units=("m³/h", "bar", "A"), device=device)


@pytest.fixture(scope="module")
def trained() -> Detector:
    """Trained long enough for its game to be told of."""
    series = [moved(normal_series(900, seed), f"pump-{seed + 1}") for seed in range(2)]
    config = DetectorConfig(window=16, stride=2, steps=300, latent=4, width=8, batch=16, device="cpu")
    return Detector.fit(series, config, excluded=["columns label"])


def judge(folder: Path, model: str, several: list[TimeSeries]) -> SqliteStore:
    """A service over the real store, through all of these readings; the store is left open."""
    document = {
        "fleets": [{"model": model, "topic": "plant/{device}/telemetry", "alarms_per_week": 2.0}],
        "store": {"sqlite": {"path": str(folder / "anomgan.db")}},
        "decide": {"open_after": 1, "close_after": 2},
        "journal": {"path": str(folder / "journal.db")},
    }
    config = parse_config(ServiceConfig, document, "detector.toml")
    source, store = MemorySource(), SqliteStore(folder / "anomgan.db")
    ticks = count()

    def clock() -> float:
        """Every look at it takes a while."""
        return NOW + 10.0 * next(ticks)

    renewal = Renewal(config, clock)
    stores: list[Store] = [store, *renewal.histories.values()]
    for series in several:
        for one in readings_of(series, series.device):
            source.feed(f"plant/{one.device}/telemetry", json.dumps({"ts": one.time_s, **one.values}).encode())
    source.close()
    with closing(open_journal(config.journal)) as journal, closing(renewal):
        service = DetectorService(config, renewal.posts(), source, stores, journal, [], clock, renewal=renewal)
        stop = threading.Event()
        while service.turn(stop):
            pass
        for history in renewal.histories.values():
            history.close()
    return store


@contextmanager
def page_of(store: Path, wrong: list[str], width: int = 1440, *, dark: bool = False) -> Iterator[tuple[Page, str]]:
    """A tab on the dashboard of a store; what goes wrong in it is told in `wrong`."""
    chromium = require("chromium")
    listening, started = listen("127.0.0.1", 0), list[uvicorn.Server]()
    thread = threading.Thread(target=serve, args=(create_app(store), listening, started.append))
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_ARGUMENTS))
            page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme="dark" if dark else "light")
            page.set_default_timeout(30_000)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
            page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
            yield page, url_of(listening)
            browser.close()
    finally:
        eventually(lambda: started, "the dashboard runs")[0].should_exit = True
        thread.join(20)


def ink(page: Page) -> list[int]:
    """Per chart: how many of its pixels are drawn on."""
    return page.eval_on_selector_all(
        ".curve canvas",
        """all => all.map((chart) => {
             const copy = new OffscreenCanvas(chart.width, chart.height).getContext("2d", { willReadFrequently: true });
             copy.drawImage(chart, 0, 0);
             const pixels = copy.getImageData(0, 0, chart.width, chart.height).data;
             return pixels.filter((value, i) => i % 4 === 3 && value > 0).length;
           })""",
    )


def test_a_model_tells_what_it_learned_from_how_its_game_went_and_whether_it_keeps_its_promise(
    tmp_path: Path, trained: Detector
) -> None:
    trained.save(tmp_path / "pump.safetensors")
    faulty = normal_series(400, 5)
    faulty.values[200:220] += 20.0
    store = judge(tmp_path, str(tmp_path / "pump.safetensors"), [moved(faulty), moved(normal_series(400, 6), "pump-2")])
    wrong: list[str] = []
    with page_of(tmp_path / "anomgan.db", wrong) as (page, url), closing(store):
        page.goto(url)
        page.get_by_role("link", name="Models").click()
        row = page.locator(".model-list tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("1,800 rows of 2 devices")
        expect(row).to_contain_text("Judges")
        expect(row).to_contain_text("2 promised, 1 stored in")
        row.get_by_role("link", name="pump").click()
        assert page.url == f"{url}/models?model=pump"

        # ---- the game and its curves
        expect(page.locator(".game .sentence")).to_contain_text("generated windows")
        assert page.locator(".curve .chart-title").all_inner_texts() == [
            "Losses", "Judged rightly", "Diversity of generated windows", "Reconstruction error",
            "Is a surprise as rare as it says?",
        ]  # fmt: skip
        eventually(lambda: len(ink(page)) == 5 and min(ink(page)) > 1000, "every chart is drawn")
        expect(page.locator(".curve").nth(3).locator(".value")).not_to_have_text("–")

        # ---- promised against measured
        expect(page.locator(".foot")).to_contain_text("held-out windows")
        expect(page.locator(".curve").nth(4)).to_contain_text("live, faults included")
        facts = page.locator(".alarms-card .fact")
        expect(facts.nth(0)).to_contain_text("at most 2 false alarms of a device in a week")
        windows = 2 * ((400 - 16) // 2 + 1)  # of both devices
        expect(facts.nth(2)).to_contain_text(f"{windows} windows")
        expect(facts.nth(3)).to_contain_text("1 told")
        expect(facts.nth(4)).to_contain_text("none, by feedback")

        # ---- what it learned from
        expect(page.locator(".channels-table tbody th")).to_have_text(["flow m³/h", "pressure bar", "current A"])
        expect(page.locator(".data-columns")).to_contain_text("columns label")
        expect(page.locator(".devices-scroll tbody th")).to_have_text(["pump-1", "pump-2"])
        expect(page.locator(".latents rect")).to_have_count(4)

        # ---- what somebody says of the event is told without a reload
        page.evaluate("window.channels = document.querySelector('.channels-table')")
        page.locator(".crumb a").focus()
        with open_reader(tmp_path / "anomgan.db") as reader:
            (event,) = reader.events()
        store.write(Batch(events=[replace(event, state="false_alarm", end_s=event.end_s + 1.0)]))
        expect(facts.nth(4)).to_contain_text("1 of them, by feedback")
        assert page.evaluate("document.contains(window.channels)")  # it has not been drawn anew
        expect(page.locator(".crumb a")).to_be_focused()
        page.mouse.move(0, 0)
        box = page.locator(".curve .u-over").first.bounding_box()
        assert box is not None
        before = page.locator(".curve .values").first.inner_text()
        page.mouse.move(box["x"] + 5, box["y"] + 20)
        expect(page.locator(".curve .values").first).not_to_have_text(before)
    assert wrong == []


def test_a_fleet_without_a_model_says_what_it_has_gathered(tmp_path: Path) -> None:
    wrong: list[str] = []
    with chdir(tmp_path):
        store = judge(tmp_path, "models/pumps/", [moved(normal_series(30, 5))])
    with page_of(tmp_path / "anomgan.db", wrong, 375, dark=True) as (page, url), closing(store):
        page.goto(f"{url}/models")
        expect(page.locator(".gathering")).to_contain_text("No model yet")
        expect(page.locator(".gathering")).to_contain_text("rows of 1 device")
        expect(page.locator("progress")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert wrong == []


def test_an_empty_store_and_an_unknown_model_are_told(tmp_path: Path) -> None:
    wrong: list[str] = []
    with page_of(tmp_path / "anomgan.db", wrong) as (page, url):
        page.goto(f"{url}/models")
        expect(page.locator(".empty")).to_contain_text("No model yet")
        with closing(SqliteStore(tmp_path / "anomgan.db")) as store:
            store.check()
        page.goto(f"{url}/models?model=nobody")
        expect(page.locator(".empty")).to_contain_text("No such model")
    assert [said for said in wrong if "404" not in said and "503" not in said] == []


def test_names_that_come_from_outside_do_no_harm_and_a_phone_shows_them(tmp_path: Path, trained: Detector) -> None:
    """Channels, a device, what was left out, and a folder of models with a challenger."""
    series = moved(normal_series(600, 1), HOSTILE, (f"{HOSTILE}flow" * 3, '"><img src=x onerror=alert(2)>', "current"))
    config = trained.config.model_copy(update={"steps": 2})
    detector = Detector.fit(series, config, excluded=[HOSTILE])
    folder = ModelFolder(tmp_path / "models" / "pumps")
    for _ in range(2):
        folder.add(pack(detector.parts), 1.0, HOSTILE)
    store = judge(tmp_path, f"{folder.path}/", [moved(normal_series(60, 5), HOSTILE, series.channels)])
    wrong: list[str] = []
    with page_of(tmp_path / "anomgan.db", wrong, 375) as (page, url), closing(store):
        page.goto(f"{url}/models")
        expect(page.locator(".model-list tbody th")).to_have_text(["pumps-0001", "pumps-0002"])
        expect(page.locator(".role")).to_have_text(["Judges", "In its shadow"])
        page.get_by_role("link", name="pumps-0002").click()
        expect(page.locator("h1")).to_contain_text("pumps-0002")
        expect(page.locator(".channels-table tbody th").first).to_contain_text(f"{HOSTILE}flow")
        expect(page.locator(".changes")).to_contain_text(HOSTILE)
        expect(page.locator(".data-columns")).to_contain_text(HOSTILE)
        assert page.locator("main script, main img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert wrong == []

"""A fault that a viewer injects: from the click over the broker into the running simulator, and back beside its truth.

The simulator, the broker and the page are real. The detector's part is played by the test, which writes to the store
what a detector would have; `test_demo` has the real one.
"""

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from programs import PATIENCE_S, Program
from servers import Mosquitto, eventually
from store_records import event as make_event
from store_records import verdict as make_verdict
from viewing import PHONE, browsing, dashboard, viewing

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.mqtt_line import MqttLine
from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.config import BrokerConfig, ControlConfig
from anomgan.errors import Refused, Unreachable
from anomgan.simulate import parse_scenario, ticks
from anomgan_cli.simulator_line import simulator_line

START = datetime(2024, 1, 1, tzinfo=UTC)
SCENARIO = """
[broker]
port = {port}
[clock]
start = 2024-01-01T00:00:00Z
day_s = 900
speed = 20
seed = 3
[[devices]]
kind = "pump"
name = "pump-"
count = 2
site = "north"
[[faults]]
device = "pump-2"
kind = "noise"
channels = ["flow"]
start_s = 2
end_s = 8000
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as started:
        yield started


@dataclass(frozen=True, slots=True)
class Plant:
    """A running simulator."""

    folder: Path
    program: Program
    line: MqttLine

    def truth(self) -> list[dict[str, Any]]:
        """The records of injected faults so far."""
        lines = (self.folder / "truth.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record.get("injected")]


@pytest.fixture
def plant(tmp_path: Path, mosquitto_server: Mosquitto) -> Iterator[Plant]:
    scenario = tmp_path / "simulate.toml"
    scenario.write_text(SCENARIO.format(port=mosquitto_server.port))
    arguments = ["simulate", "simulate.toml", "--control", "--truth", "truth.jsonl", "--quiet"]
    program = Program(tmp_path, arguments, tmp_path / "simulate.log")
    line = simulator_line(str(scenario))
    assert line is not None

    def answers() -> bool:
        assert program.process.poll() is None, program.said()
        try:
            return bool(line.ask("status", {}, 1.0))
        except Unreachable:
            return False

    try:
        eventually(answers, "the simulator answers", PATIENCE_S)
        yield Plant(tmp_path, program, line)
    finally:
        line.close()
        if program.process.poll() is None:
            program.kill()


def test_a_click_injects_a_fault_and_the_page_says_when_it_was_found(plant: Plant, browser: Browser) -> None:
    path = plant.folder / "anomgan.db"
    with (
        closing(SqliteStore(path)) as store,
        dashboard(path, simulator=plant.line.ask) as url,
        viewing(browser, url) as tab,
    ):
        page = tab.see("/")
        page.get_by_role("link", name="Simulator").click()
        expect(page.locator(".truth")).to_have_count(1)
        expect(page.locator(".truth").first).to_contain_text("planned 00:00:02")
        page.locator("#inject-device").select_option("pump-1")
        page.locator("#inject-kind").select_option("bias")
        page.locator("#inject-channel").select_option("vibration")
        page.locator("#inject-severity").fill("-3")
        page.locator("#inject-lasts").fill("4000")
        page.get_by_role("button", name="Inject").click()
        expect(page.locator(".inject .said")).to_contain_text("Bias of pump-1 begins at")
        entry = page.locator(".truth").filter(has_text="pump-1")
        expect(entry).to_contain_text("injected 00:")
        expect(entry).to_contain_text("vibration · severity -3")
        expect(entry.locator(".found")).to_contain_text("not found yet")
        begin = eventually(plant.truth, "the truth has it")[0]
        found_s = begin["start_s"] + 42.0
        event = make_event("north/pump-1@9", found_s, found_s + 30.0, device="pump-1")
        store.write(Batch([make_verdict(found_s, device="pump-1")], [event]))
        expect(entry.locator(".found strong")).to_have_text("found after 42 s")
        assert "event=" in (entry.locator(".found a").get_attribute("href") or "")
        entry.get_by_role("button", name="Stop").click()
        expect(entry).to_contain_text("stopped after")
        assert [one["state"] for one in eventually(lambda: plant.truth()[1:] and plant.truth(), "its end")] == [
            "begin",
            "end",
        ]
        expect(entry.locator("pre")).to_contain_text('kind = "bias"')
    end = plant.truth()[1]
    assert plant.program.end(signal.SIGINT) == 0
    assert begin["start_s"] < end["end_s"] < begin["end_s"]
    document = {
        "clock": {"start": START, "day_s": 900.0, "seed": 3, "duration_s": 9000.0},
        "devices": [{"kind": "pump", "name": "pump-", "count": 2, "site": "north"}],
        "faults": [end["plan"]],
    }
    again = [fault for tick in ticks(parse_scenario(document, "again"), 0, 3000) for fault in tick.ended]
    assert [fault.over_s for fault in again] == [end["end_s"] - START.timestamp()]


def test_the_form_offers_only_what_a_device_can_have_and_a_refusal_is_told(plant: Plant, browser: Browser) -> None:
    path = plant.folder / "none.db"
    with dashboard(path, simulator=plant.line.ask) as url, viewing(browser, url, PHONE) as tab:
        page = tab.see("/simulator")
        page.locator("#inject-kind").select_option("swapped_channels")
        expect(page.locator("#inject-channel-2")).to_be_visible()
        expect(page.locator("#inject-severity")).to_be_hidden()
        chosen = page.locator("#inject-channel").input_value()
        assert chosen not in page.locator("#inject-channel-2").locator("option").all_inner_texts()
        page.locator("#inject-kind").select_option("blockage")
        expect(page.locator("#inject-channel")).to_be_hidden()
        page.locator("#inject-device").select_option("pump-2")
        page.locator("#inject-kind").select_option("noise")
        page.locator("#inject-channel").select_option("flow")
        page.get_by_role("button", name="Inject").click()
        expect(page.locator(".inject .said[data-failed]")).to_contain_text(
            "the simulator refuses: inject: 'pump-2' has noise"
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        tab.wrong = [said for said in tab.wrong if "409" not in said]


def test_a_simulator_that_ends_and_comes_back_needs_no_reload(plant: Plant, browser: Browser) -> None:
    with dashboard(plant.folder / "none.db", simulator=plant.line.ask) as url, viewing(browser, url) as tab:
        page = tab.see("/simulator")
        expect(page.locator(".truth")).to_have_count(1)
        page.evaluate("window.sameDocument = true")
        assert plant.program.end(signal.SIGINT) == 0
        expect(page.locator(".empty-title")).to_be_visible()
        again = Program(plant.folder, ["simulate", "simulate.toml", "--control", "--quiet"], plant.folder / "again.log")
        try:
            expect(page.locator(".truth")).to_have_count(1, timeout=1000 * PATIENCE_S)
            assert page.evaluate("window.sameDocument")
        finally:
            again.kill()
        tab.wrong = [said for said in tab.wrong if "503" not in said]


def test_without_a_simulator_there_is_no_such_view(tmp_path: Path, browser: Browser) -> None:
    with dashboard(tmp_path / "none.db") as url, viewing(browser, url) as tab:
        page = tab.see("/")
        expect(page.get_by_role("link", name="Events")).to_be_visible()
        expect(page.get_by_role("link", name="Simulator")).to_be_hidden()
        assert page.request.get(f"{url}/simulator").status == 404
        assert page.request.get(f"{url}/api/simulator").status == 404


def test_requests_that_are_none_are_refused_and_the_run_goes_on(plant: Plant, mosquitto: BrokerConfig) -> None:
    with closing(MqttPublisher(mosquitto)) as publisher:
        for payload in (b"", b"\xff", b"{", b"[]", b'{"device": 1}', b"9" * 20_000):
            for name in ("inject", "stop", "nonsense", "a/b"):
                publisher.publish(f"anomgan/simulator/request/{name}", payload)
    with pytest.raises(Refused, match=r"unknown fault of a pump 'blokage'; did you mean 'blockage'"):
        plant.line.ask("inject", {"device": "pump-1", "kind": "blokage", "lasts_s": 5})
    with pytest.raises(Refused, match="unknown device"):
        plant.line.ask("inject", {"device": "<script>alert(1)</script>", "kind": "bias", "lasts_s": 5})
    before = plant.line.ask("status", {})["time_s"]
    eventually(lambda: plant.line.ask("status", {})["time_s"] > before + 20, "time goes on")
    assert plant.truth() == []
    assert plant.program.end(signal.SIGTERM) == 0


def test_control_is_off_unless_it_is_asked_for(tmp_path: Path, mosquitto_server: Mosquitto) -> None:
    (tmp_path / "simulate.toml").write_text(SCENARIO.format(port=mosquitto_server.port))
    program = Program(tmp_path, ["simulate", "simulate.toml", "--truth", "truth.jsonl"], tmp_path / "log")
    broker = BrokerConfig(port=mosquitto_server.port)
    line = MqttLine(broker, ControlConfig(topic="anomgan/simulator", authentication="broker"), "the simulator", "test")
    try:
        eventually(
            lambda: (tmp_path / "truth.jsonl").exists() and "begin" in (tmp_path / "truth.jsonl").read_text(),
            "it runs",
            PATIENCE_S,
        )
        with pytest.raises(Unreachable, match="the simulator does not answer"):
            line.ask("status", {}, 1.0)
    finally:
        line.close()
        program.kill()
